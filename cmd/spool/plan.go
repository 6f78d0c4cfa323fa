package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/download"
	"github.com/spool-video/spool/internal/estimate"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/intake"
	"github.com/spool-video/spool/internal/ladder"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/sqliteledger"
	"github.com/spool-video/spool/internal/page"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/stage/fetch"
	"github.com/spool-video/spool/internal/stage/plan"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/remote"
)

func newPlan() *cobra.Command {
	var list string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plan [SOURCE…|LIST]",
		Short: "what run would do, and why; writes nothing",
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			lines, err := sources(args, list, cmd.InOrStdin())
			if err != nil {
				return err
			}
			if len(lines) == 0 {
				return usage("missing-argument", "spool plan needs a source or a list", cmd.UseLine())
			}
			p := &planner{cfg: cfg, out: cmd.OutOrStdout(), asJSON: asJSON}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if err = p.run(ctx, lines); ctx.Err() != nil {
				return ended(exitInterrupted)
			}
			return err
		},
	}
	config.Bind(cmd.Flags(), config.WatchKeys()...)
	cmd.Flags().StringVarP(&list, "file", "f", "", "read sources from `FILE`, one a line; - is standard input")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// forecast is what run would do with one source.
type forecast struct {
	Video  string        `json:"video,omitempty"`
	Source string        `json:"source"`
	Title  string        `json:"title,omitempty"`
	Does   string        `json:"does"` // "publish", "skip", "retry", "go on", "remake", "fail"
	Why    string        `json:"why,omitempty"`
	Hint   string        `json:"hint,omitempty"`
	Facts  *spool.Facts  `json:"facts,omitempty"`
	Rungs  []spool.Rung  `json:"rungs,omitempty"`
	Sounds []spool.Sound `json:"sounds,omitempty"` // when the header tells
	// Subtitles are those of the source, and files beside it.
	Subtitles []spool.Subtitle `json:"subtitles,omitempty"`
	LeftOut   []string         `json:"leftOut,omitempty"` // what is not published, in words
	Length    time.Duration    `json:"length,omitempty"`
	Segments  int              `json:"segments,omitempty"` // of each rendition
	Chunks    int              `json:"chunks,omitempty"`
	Notes     []string         `json:"notes,omitempty"` // as Plan.Notes, as far as the header tells
	Cost      estimate.Cost    `json:"cost"`
}

// planner forecasts a list.
type planner struct {
	cfg    config.Config
	out    io.Writer
	asJSON bool

	tools  ffmpeg.Tools
	client *download.Client
	stores *remote.Sources
	stored *download.Client // reads from stores
	pages  *page.Tool
	ledger ledger.Ledger // nil when nothing was published yet
	store  opened        // nil when it is not there
	tmp    string
	why    string // encrypted or not
}

func (p *planner) run(ctx context.Context, lines []intake.Line) (err error) {
	end, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	settings, err := p.cfg.VideoSettings()
	if err != nil {
		return err
	}
	client := policy(p.cfg).Client()
	defer client.CloseIdleConnections()
	in := &intake.Intake{
		Ledger: nothing{}, Pages: p.pages, Stores: inStores{p.stores}, Contents: &intake.Contents{}, Client: client, Settings: settings,
		Ladders: p.cfg.LadderNames(), MaxItems: p.cfg.MaxItems,
		Include: p.cfg.Include, Exclude: p.cfg.Exclude, Skip: []string{p.cfg.To, filepath.Dir(p.cfg.Work), p.cfg.State},
	}
	if p.ledger != nil {
		in.Ledger = p.ledger
	}
	all := []forecast{}
	for result := range in.Run(ctx, lines) {
		f, ok := p.forecast(ctx, result, settings)
		if !ok {
			continue
		}
		all = append(all, f)
		if !p.asJSON {
			p.print(f)
		}
	}
	if p.asJSON {
		return printJSON(p.out, all)
	}
	p.total(all)
	return ctx.Err()
}

// open finds the tools, and what is published already, without making
// anything but a folder that the returned function removes.
func (p *planner) open(ctx context.Context) (end func() error, err error) {
	if p.tools, err = findTools(ctx, p.cfg); err != nil {
		return nil, err
	}
	e, err := p.cfg.Encryption()
	if err != nil {
		return nil, err
	}
	p.why = e.Why
	p.client = &download.Client{Guard: policy(p.cfg), PerHost: p.cfg.PerHost}
	p.stores = &remote.Sources{Remotes: remotes(p.cfg)}
	p.stored = &download.Client{PerHost: p.cfg.PerHost, Transport: p.stores}
	p.pages = pageTool(p.cfg)
	if p.tmp, err = os.MkdirTemp("", "spool-plan-"); err != nil {
		return nil, fmt.Errorf("make a folder for samples: %w", err)
	}
	if _, err := os.Stat(ledgerPath(p.cfg)); err == nil {
		l, err := sqliteledger.Open(ctx, ledgerPath(p.cfg))
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(p.tmp))
		}
		p.ledger = l
	}
	if s, err := toRead(ctx, p.cfg); err == nil {
		p.store = s
	}
	return func() error {
		p.client.Close()
		err := errors.Join(p.pages.Close(), p.stores.Close(), os.RemoveAll(p.tmp))
		if p.ledger != nil {
			err = errors.Join(err, p.ledger.Close())
		}
		if p.store != nil {
			err = errors.Join(err, p.store.Close())
		}
		return err
	}, nil
}

// nothing is the ledger of a destination that has none.
type nothing struct{}

func (nothing) Get(context.Context, string) (ledger.Record, error) {
	return ledger.Record{}, ledger.ErrNotFound
}

func (nothing) Find(context.Context, string) (spool.Video, error) {
	return spool.Video{}, ledger.ErrNotFound
}

// forecast says what run would do with a result of intake.
func (p *planner) forecast(ctx context.Context, result intake.Result, settings spool.Settings) (forecast, bool) {
	f := forecast{Video: result.Video.ID, Title: result.Video.Title, Source: result.Line.Source, Does: "publish"}
	switch result.Verdict {
	case intake.Duplicate, intake.Expanded:
		return f, false
	case intake.Bad:
		f.Does, f.Why, f.Hint = "fail", result.Err.Reason, result.Err.Hint
		return f, true
	case intake.Known:
		f.Source = result.Video.Canonical
		switch p.known(ctx, &f, result, settings); f.Does {
		case "skip":
			return f, true
		case "go on", "retry":
			settings, result.Line.Ladder = result.Video.Settings, ""
		}
	case intake.Accept:
		f.Source = result.Video.Canonical
	}
	if err := p.probe(ctx, &f, result, settings); err != nil {
		e := spool.AsError(err)
		f.Does, f.Why, f.Hint = "fail", e.Reason, e.Hint
	}
	return f, true
}

// known forecasts a video that the ledger has.
func (p *planner) known(ctx context.Context, f *forecast, result intake.Result, settings spool.Settings) {
	gone := p.store == nil
	if !gone {
		_, err := p.store.Stat(ctx, result.Video.ID+"/master.m3u8")
		gone = errors.Is(err, store.ErrNotFound)
	}
	what, why := decide(result.Video, seen{Stamp: result.Stamp, Gone: gone, Settings: settings, Remake: p.cfg.Remake})
	f.Why = why
	switch what {
	case skip:
		f.Does, f.Why = "skip", "it is ready"
	case otherwise:
		f.Does, f.Why = "skip", "it is ready, made with other settings; --remake makes a new revision"
	case goOn:
		f.Does = "go on"
	case tryAgain:
		f.Does = "retry"
	case remake:
		f.Does = "remake"
	}
}

// probe fills in what the source is and what it will become.
func (p *planner) probe(ctx context.Context, f *forecast, result intake.Result, settings spool.Settings) error {
	path := result.Source
	if at, err := spool.ParseRemotePath(path); err == nil && spool.IsRemotePath(path) {
		path = filepath.Join(p.tmp, "sample")
		if _, err := p.stored.Sample(ctx, fetch.StoreURL(at), path); err != nil {
			return err
		}
	}
	if intake.IsURL(path) {
		if !intake.HasMediaName(path) {
			f.Why = cmp.Or(f.Why, "sizes are known once it is downloaded")
			return nil
		}
		path = filepath.Join(p.tmp, "sample")
		if _, err := p.client.Sample(ctx, result.Source, path); err != nil {
			return err
		}
	}
	facts, err := ffmpeg.Probe(ctx, p.tools, path)
	if err != nil {
		return err
	}
	if result.Line.Ladder != "" {
		settings.Ladder = result.Line.Ladder
	}
	rungs, err := ladder.Choose(facts, settings, ladders(p.cfg))
	if err != nil {
		return err
	}
	source := spool.Fetched{Path: path}
	if path == result.Source {
		source.Subtitles = fetch.Beside(path)
	}
	foreseen, err := plan.Stage{}.Foresee(ctx, source, settings, spool.Plan{Facts: facts, Rungs: rungs})
	if err != nil {
		return err
	}
	f.Facts, f.Rungs, f.Sounds, f.Length = &facts, foreseen.Rungs, foreseen.Sounds, facts.Duration
	f.Segments, f.Chunks, f.Notes = foreseen.Grid.Segments(), len(foreseen.Chunks), foreseen.Notes
	f.Subtitles, f.LeftOut = foreseen.Subtitles, foreseen.LeftOut
	f.Cost = estimate.Of(facts, f.Rungs, facts.Duration, settings)
	return nil
}

func (p *planner) print(f forecast) {
	say := func(format string, args ...any) {
		fmt.Fprintln(p.out, plaintext.Sanitize(fmt.Sprintf(format, args...)))
	}
	name := f.Video
	if name == "" {
		name = f.Source
	}
	line := name + "  " + f.Does
	if f.Why != "" {
		line += ": " + f.Why
	}
	say("%s", line)
	if f.Hint != "" {
		say("  hint: %s", f.Hint)
	}
	if f.Facts == nil {
		return
	}
	say("  %s  %s", describe(*f.Facts), f.Source)
	for _, r := range f.Rungs {
		size := ""
		if r.Action != spool.SkipRung {
			size = fmt.Sprintf("%d×%d", r.Width, r.Height)
		}
		say("  %-6s %-6s %-9s  %s", r.Label(), r.Action, size, r.Why)
	}
	f.sounds(say)
	f.texts(say)
	chunks := ""
	if f.Chunks > 0 {
		chunks = " in " + progress.Number(f.Chunks, "chunk")
	}
	say("  %s%s, about %s, about %s of one core", progress.Number(f.Segments, "segment"), chunks, progress.Bytes(f.Cost.Bytes), progress.Duration(f.Cost.CoreTime))
	for _, note := range f.Notes {
		say("  note: %s", note)
	}
}

// describe says in a line what a source is.
func describe(facts spool.Facts) string {
	var parts []string
	if v := facts.Video; v != nil {
		w, h := v.Display()
		parts = append(parts, fmt.Sprintf("%d×%d %s %.4g fps", w, h, v.Codec, v.FrameRate.Float()))
	}
	for _, a := range facts.Audio {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %d ch %s", a.Codec, a.Channels, a.Language)))
	}
	return strings.Join(append(parts, progress.Duration(facts.Duration)), ", ")
}

func (p *planner) total(all []forecast) {
	var cost estimate.Cost
	var length time.Duration
	does := map[string]int{}
	for _, f := range all {
		cost, length = cost.Add(f.Cost), length+f.Length
		does[f.Does]++
	}
	var counts []string
	for _, d := range []string{"publish", "go on", "retry", "remake", "skip", "fail"} {
		if does[d] > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", does[d], d))
		}
	}
	text := strings.Join(counts, " · ")
	if cores := runtime.NumCPU(); length > 0 {
		text += fmt.Sprintf(": %s of video, about %s, %.2g core-hours (about %s on the %s here)",
			progress.Duration(length), progress.Bytes(cost.Bytes), cost.CoreTime.Hours(),
			progress.Duration(cost.CoreTime/time.Duration(cores)), progress.Number(cores, "core"))
	}
	fmt.Fprintln(p.out, text+"\n"+p.why)
}
