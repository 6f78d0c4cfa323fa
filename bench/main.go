// Command bench measures what Spool promises in figures, as ratios, in one run
// of some minutes:
//
//	make bench
//
// It carries its own yardstick: what a good script would do with the same
// videos, one goroutine that downloads and one that runs ffmpeg three times a
// video. It shares no code with Spool, calls bin/spool as a user would, and
// makes its own clips; a folder with a real 1080p video to cut them from is
// given in SPOOL_BENCH_MEDIA.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	b := bench{notes: stderr, began: time.Now(), rungs: ladder}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&b.spool, "spool", "bin/spool", "the program to measure")
	flags.StringVar(&b.media, "media", os.Getenv("SPOOL_BENCH_MEDIA"), "a folder with a real video to cut the clips from")
	flags.StringVar(&b.preset, "preset", "medium", "x264's preset, for Spool and for the yardstick")
	flags.StringVar(&b.extra, "flags", "--nice 0", "more flags for spool run, separated by spaces")
	flags.IntVar(&b.clips, "clips", 6, "how many clips the batch has")
	flags.IntVar(&b.seconds, "seconds", 10, "how long a clip is")
	flags.IntVar(&b.one, "one", 30, "how long the one video is whose CPU time is measured")
	flags.IntVar(&b.ready, "ready", 100, "how many ready videos are run again")
	flags.StringVar(&b.size, "size", "1920x1080", "the size of clips made without -media")
	strict := flags.Bool("strict", false, "exit with 3 when a figure is missed")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	figures, err := b.measure(ctx)
	for _, f := range figures {
		fmt.Fprintln(stdout, f)
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return 1
	}
	for _, f := range figures {
		if *strict && f.missed() {
			return 3
		}
	}
	return 0
}

// bench is one run.
type bench struct {
	spool, media, preset, extra, size string
	clips, seconds, one, ready        int
	rungs                             []rung

	notes io.Writer
	began time.Time
	dir   string // scratch, removed at the end
}

// figure is one measured value and what it should not exceed.
type figure struct {
	name  string
	value float64
	reach float64
	unit  string // "" for ratios
}

func (f figure) missed() bool { return f.value > f.reach }

func (f figure) String() string {
	verdict := ""
	if f.missed() {
		verdict = "  missed"
	}
	return fmt.Sprintf("%-58s %8.2f%-3s (≤ %.2f%s)%s", f.name, f.value, f.unit, f.reach, f.unit, verdict)
}

func (b *bench) note(format string, args ...any) {
	fmt.Fprintf(b.notes, "%6.1f s  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

// measure gives the figures, also those it had when something failed.
func (b *bench) measure(ctx context.Context) (figures []figure, err error) {
	if b.spool, err = filepath.Abs(b.spool); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "spool-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if gone := os.RemoveAll(b.dir); err == nil && gone != nil {
			err = gone
		}
	}()
	for _, part := range []func(context.Context) ([]figure, error){b.quickness, b.batch, b.again} {
		more, err := part(ctx)
		figures = append(figures, more...)
		if err != nil {
			return figures, err
		}
	}
	return figures, nil
}

// batch compares a list of clips on a link with the ideal and with the
// yardstick.
func (b *bench) batch(ctx context.Context) ([]figure, error) {
	clips, long, err := b.makeClips(ctx)
	if err != nil {
		return nil, err
	}
	encode, err := b.encodeAlone(ctx, clips)
	if err != nil {
		return nil, err
	}
	site, err := openSite(ctx, clips, encode)
	if err != nil {
		return nil, err
	}
	defer site.Close()
	download := site.Takes()
	b.note("Σ encode %.1f s (one ffmpeg a clip, one decode), Σ download %.1f s (link %.2f MB/s)",
		encode.Seconds(), download.Seconds(), site.Rate()/1e6)

	yard, err := b.yardstick(ctx, site.URLs())
	if err != nil {
		return nil, fmt.Errorf("yardstick: %w", err)
	}
	b.note("yardstick: wall %.1f s, CPU %.1f s", yard.wall.Seconds(), yard.cpu.Seconds())
	spool, err := b.runSpool(ctx, "batch", site.URLs(), b.preset)
	if err != nil {
		return nil, err
	}
	b.note("spool: wall %.1f s, CPU %.1f s", spool.wall.Seconds(), spool.cpu.Seconds())
	figures := []figure{
		{"batch: wall / max(Σ download, Σ encode)", ratio(spool.wall, max(download, encode)), 1.22, ""},
		{"batch: wall / yardstick's wall", ratio(spool.wall, yard.wall), 0.82, ""},
	}
	cpu, err := b.oneVideo(ctx, long)
	return append(figures, cpu...), err
}

// oneVideo compares what a single video costs with three serial runs.
func (b *bench) oneVideo(ctx context.Context, clip string) ([]figure, error) {
	serial, err := b.threeRuns(ctx, clip)
	if err != nil {
		return nil, err
	}
	one, err := b.runSpool(ctx, "one", []string{clip}, b.preset)
	if err != nil {
		return nil, err
	}
	b.note("one video of %d s: CPU %.1f s, three serial runs %.1f s", b.one, one.cpu.Seconds(), serial.Seconds())
	return []figure{{"one video: CPU / three serial runs' CPU", ratio(one.cpu, serial), 0.85, ""}}, nil
}

// again runs a list of ready videos once more.
func (b *bench) again(ctx context.Context) ([]figure, error) {
	clips, err := b.makeTiny(ctx)
	if err != nil {
		return nil, err
	}
	first, err := b.runSpool(ctx, "ready", clips, "ultrafast")
	if err != nil {
		return nil, err
	}
	b.note("%d tiny videos made ready in %.1f s", b.ready, first.wall.Seconds())
	best := first.wall
	for range 3 {
		spent, err := b.runSpool(ctx, "ready", clips, "ultrafast")
		if err != nil {
			return nil, err
		}
		best = min(best, spent.wall)
	}
	name := fmt.Sprintf("run again with %d ready videos", b.ready)
	return []figure{{name, best.Seconds(), 1, "s"}}, nil
}

// quickness is how long the first screen takes.
func (b *bench) quickness(ctx context.Context) ([]figure, error) {
	var best time.Duration
	for i := range 10 {
		spent, err := b.call(ctx, b.spool, "--help")
		if err != nil {
			return nil, err
		}
		if i == 0 || spent.wall < best {
			best = spent.wall
		}
	}
	return []figure{{"spool --help", float64(best.Microseconds()) / 1000, 50, "ms"}}, nil
}

func ratio(a, b time.Duration) float64 { return a.Seconds() / b.Seconds() }

// runSpool publishes sources to a folder of that name and checks that all of
// them are there.
func (b *bench) runSpool(ctx context.Context, name string, sources []string, preset string) (spent, error) {
	home := filepath.Join(b.dir, name)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return spent{}, err
	}
	list, to := filepath.Join(home, "list.txt"), filepath.Join(home, "to")
	if err := os.WriteFile(list, []byte(strings.Join(sources, "\n")+"\n"), 0o600); err != nil {
		return spent{}, err
	}
	args := []string{
		"run", "-f", list, "--to", to, "--state", filepath.Join(home, "state"), "--work", filepath.Join(home, "work"),
		"--preset", preset, "--encrypt", "none", "--progress", "none",
	}
	used, err := b.call(ctx, b.spool, append(args, strings.Fields(b.extra)...)...)
	if err != nil {
		return spent{}, err
	}
	masters, err := filepath.Glob(filepath.Join(to, "*", "master.m3u8"))
	if err != nil {
		return spent{}, err
	}
	if len(masters) != len(sources) {
		return spent{}, fmt.Errorf("spool run: %d of %d videos were published", len(masters), len(sources))
	}
	return used, nil
}
