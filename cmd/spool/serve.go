package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/callback"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/intake"
	"github.com/spool-video/spool/internal/ledger/sqliteledger"
	"github.com/spool-video/spool/internal/lock"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/progress"
)

func newServe() *cobra.Command {
	var list string
	cmd := &cobra.Command{
		Use:   "serve [SOURCE…|LIST]",
		Short: "publish as a service, for ever",
		Long: `Works on one destination until it is stopped: goes on with what is unfinished,
publishes what is and what comes to each source, as watch does, and takes in
what spool add and other programs hand in over its API (--http). What it cannot
do without (the destination, the disk) it waits for, and says so.

What is handed in is not trusted: links to public addresses are fetched (others
with --allow-private or --allow-cidr), and files below --allow-source.

It ends with Ctrl-C or SIGTERM, and the exit code 0: what is being encoded may
end first (--grace). Under systemd it tells when it is ready and what it waits
for, and is restarted when it hangs: units/ has the units.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadService(cmd)
			if err != nil {
				return err
			}
			if list == "-" {
				return usage("no-list", "standard input cannot be read again, as a list that is watched has to be", "put the list into a file")
			}
			watched := append(args, cfg.Watch...)
			q := request{cfg: cfg, out: cmd.OutOrStdout(), err: cmd.ErrOrStderr()}
			q.watch = func() ([]intake.Line, error) { return sources(watched, list, nil) }
			return serve(cmd.Context(), q)
		},
	}
	bindService(cmd, config.ServeKeys())
	cmd.Flags().StringVarP(&list, "file", "f", "", "watch the sources in `FILE`, one a line, and the file itself")
	return cmd
}

// bindService declares the flags of a service. What is handed to it is not
// trusted: what a person at a terminal may reach, it reaches only when asked to.
func bindService(cmd *cobra.Command, keys []string) {
	config.Bind(cmd.Flags(), keys...)
	cmd.Flags().Lookup("allow-private").DefValue = "false"
}

// loadService reads the settings of a service, with the defaults of its flags.
func loadService(cmd *cobra.Command) (config.Config, error) {
	cfg, err := load(cmd)
	if err == nil && cfg.Origin("allow-private") == "default" {
		cfg.AllowPrivate = false
	}
	return cfg, err
}

// service is a serve: one request, worked on again and again, because what it
// needs comes and goes.
type service struct {
	request
	show    *progress.Progress
	log     *slog.Logger // nil: none is wanted
	desk    *reception   // nil: there is no API
	fleet   *fleet       // nil: it works alone
	waits   saying
	doubts  saying // what it warns of
	lived   bool   // it has worked before, in this process
	secrets callback.Secrets
	post    *watchpost     // nil: nobody looks after it
	signals chan os.Signal // what ends it

	mu     sync.Mutex
	failed []progress.Ending // videos that failed since the last sweep; guarded by mu
}

// How long a service rests before it tries again what it waits for: longer
// each time, until it has worked for a while.
const (
	shortRest = time.Second
	longRest  = 30 * time.Second
	worked    = time.Minute
)

// serve holds the destination, and works on it until it is told to stop.
func serve(ctx context.Context, q request) (err error) {
	l, err := lock.Acquire(ctx, q.cfg.State, "serve")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Release()) }()
	s := &service{request: q, signals: make(chan os.Signal, 2)}
	if s.show, s.log, err = shows(q.cfg, q.cfg.Progress, q.err); err != nil {
		return err
	}
	if s.secrets, err = openSecrets(q.cfg); err != nil {
		return err
	}
	if s.post, err = watchOver(ctx, q.cfg); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.post.Close()) }()
	desk, stop, err := receive(ctx, q.cfg, s.post.counts())
	if err != nil {
		return err
	}
	defer stop()
	s.desk = desk
	s.show.Start()
	defer s.show.Close(progress.Summary{})
	if desk != nil {
		s.note("the API is at " + desk.url + ", its token in " + plaintext.Sanitize(q.cfg.APIToken()))
	}
	s.noteMetrics()
	signal.Notify(s.signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(s.signals)
	if s.fleet, err = gather(ctx, q.cfg, s.logs(nil)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.fleet.Close()) }()
	if s.fleet != nil && s.fleet.server != nil {
		s.note("workers are let in at " + s.fleet.server.URL() + " (spool worker --queue)")
	}
	err = s.forever(ctx, s.once)
	notify(daemon.SdNotifyStopping)
	return err
}

// forever goes on through everything that passes.
func (s *service) forever(ctx context.Context, once func(context.Context) (bool, error)) error {
	for rest := shortRest; ; rest = min(2*rest, longRest) {
		began := time.Now()
		stopped, err := once(ctx)
		e := spool.AsError(err)
		if stopped || e == nil || ctx.Err() != nil || e.Class != spool.Environment && e.Class != spool.Transient {
			return err
		}
		if time.Since(began) > worked {
			rest = shortRest
		}
		s.says(reasoned(e))
		s.closed(e)
		timer := time.NewTimer(rest)
		select {
		case <-timer.C:
		case <-s.signals:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// says tells people, the log and the service manager what is waited for, ""
// when that is over.
func (s *service) says(what string) { s.waitsFor(what, "service.waits", "service.goes-on") }

// hears is says of the queue.
func (s *service) hears(what string) { s.waitsFor(what, "engine.away", "engine.back") }

func (s *service) waitsFor(what, begins, ends string) {
	e := progress.Event{Type: progress.Noted, Text: "it goes on", Name: ends}
	if what != "" {
		e.Text, e.Name, e.Warns = "waits: "+what, begins, true
	}
	if s.waits.news(e.Text) {
		s.show.Show(e)
	}
	notify("STATUS=" + e.Text)
}

// warns tells people and the log what could be better. Nothing waits for it, so
// the service manager hears nothing.
func (s *service) warns(of string) {
	if s.doubts.news(of) {
		s.show.Show(progress.Event{Type: progress.Noted, Text: of, Name: "engine.warns", Warns: true})
	}
}

// logs is the log of a house: the service's, or what is said when more is to be
// said.
func (s *service) logs(usual *slog.Logger) *slog.Logger {
	switch {
	case s.log != nil:
		return s.log
	case s.cfg.Verbose:
		return slog.New(slog.NewTextHandler(s.show.Log(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return usual
}

func (s *service) note(text string) { s.show.Show(progress.Event{Type: progress.Noted, Text: text}) }

// once opens what belongs to the destination and works on it, until an error
// or a signal: stopped tells of the latter.
func (s *service) once(ctx context.Context) (stopped bool, err error) {
	r, stopped, err := s.open(ctx)
	if err != nil || stopped {
		return stopped, err
	}
	defer func() { err = errors.Join(err, r.house.close()) }()
	w := newWatching(r, s.watch)
	err = r.until(ctx, s.signals, func(ctx context.Context) error { return s.work(ctx, w) })
	s.sweepFailed(context.WithoutCancel(ctx), r)
	return r.interrupted, err
}

// open builds the house and cleans up in it. A signal ends what that waits for.
func (s *service) open(ctx context.Context) (r *running, stopped bool, err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	h, err := build(ctx, s.cfg)
	if err != nil {
		return nil, ctx.Err() != nil, quietly(ctx, err)
	}
	h.metrics = s.post.counts()
	h.store = storeTimed(h.store, h.metrics)
	h.log = s.logs(h.log)
	r = &running{house: h, out: s.out, err: s.err, show: s.show, results: map[string]int{}, service: true, overheard: s.tell}
	r.announce()
	if err = r.prepare(ctx); err == nil {
		r.hookup, err = s.fleet.hookup(ctx, s.cfg, s.hears, s.warns)
		r.hookup.away = func(err error) {
			if err == nil {
				s.hears("")
			} else {
				s.hears(spool.AsError(err).Reason)
			}
		}
	}
	if err == nil && ctx.Err() == nil {
		r.hookup.heir, s.lived = !s.lived, true
		for _, n := range r.notes {
			r.note(n)
		}
		return r, false, nil
	}
	if r.hookup.queue != nil {
		err = errors.Join(err, r.hookup.queue.Close())
	}
	return nil, ctx.Err() != nil, errors.Join(quietly(ctx, err), h.close())
}

// quietly drops an error that the end of ctx made.
func quietly(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// work is a serve at work: the engine runs, what is watched is looked at, and
// the service manager knows.
func (s *service) work(ctx context.Context, w *watching) (err error) {
	if err := w.need(ctx); err != nil {
		return err
	}
	d, err := s.counter(ctx, w)
	if err != nil {
		return err
	}
	s.opened(ctx, w.house, d)
	defer func() {
		s.closed(&spool.Error{Class: spool.Environment, Code: "stopping", Reason: "the serve ends", Hint: "ask again when it is back"})
		err = errors.Join(err, d.ledger.Close())
	}()
	notify(daemon.SdNotifyReady + "\nSTATUS=publishes to " + plaintext.Sanitize(s.cfg.To))
	var alive sync.WaitGroup
	defer alive.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	alive.Go(func() {
		guarded(ctx, func(ctx context.Context) error { _, err := w.ledger.Changes(ctx); return err })
	})
	beside := []func(context.Context) error{s.sender(w.house).Run}
	if q := w.hookup.queue; q != nil {
		beside = append(beside, letters{queue: q, take: d.Add, show: w.tell, refused: refusedPath(s.cfg.State)}.run)
	}
	lost := make([]error, len(beside))
	for i, run := range beside {
		alive.Go(func() {
			if lost[i] = run(ctx); lost[i] != nil {
				stop()
			}
		})
	}
	w.also = func(ctx context.Context) { s.sweepFailed(ctx, w.running) }
	err = w.all(ctx)
	stop()
	alive.Wait()
	return errors.Join(append(lost, err)...)
}

// counter is the desk of this serve. It has a ledger of its own, so that the
// scheduler sees what is changed over it as what others change.
func (s *service) counter(ctx context.Context, w *watching) (*desk, error) {
	l, err := sqliteledger.Open(ctx, ledgerPath(s.cfg))
	if err != nil {
		return nil, err
	}
	h := *w.house
	h.ledger, h.keys = l, &keyring{ledger: l, master: w.keys.master}
	t := &taking{house: &h, show: w.tell, wake: func() { _ = w.engine.wake() }, scheduler: w.engine.scheduler}
	return &desk{house: &h, intake: t}, nil
}

// tell notes what failed: what was put for it is swept some time.
func (s *service) tell(e progress.Event) {
	if e.Type != progress.Failed {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(s.failed, progress.Ending{Video: e.Video, Status: spool.Failed, Failure: e.Failure})
}

// sweepFailed removes what was put for videos that failed for good.
func (s *service) sweepFailed(ctx context.Context, r *running) {
	s.mu.Lock()
	failed := s.failed
	s.failed = nil
	s.mu.Unlock()
	still := failed[:0]
	for _, e := range failed {
		if rec, err := r.ledger.Get(ctx, e.Video); err == nil && rec.Video.Status == spool.Failed {
			still = append(still, e) // and was not tried again meanwhile
		}
	}
	for _, n := range r.sweepFailed(ctx, still) {
		s.note(n)
	}
}
