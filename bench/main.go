// Command bench measures what Spool promises in figures, as ratios, in one
// run, all of it or the parts that -only names:
//
//	make bench
//	make bench ONLY=batch,first
//
// It carries its own yardstick: what a good script would do with the same
// videos, one goroutine that downloads and one that runs ffmpeg three times a
// video. It shares no code with Spool, calls bin/spool as a user would, and
// makes its own clips; a folder with a real 1080p video to cut them from is
// given in SPOOL_BENCH_MEDIA.
//
// Figures of fleets are those of a real spool serve with a real broker. Where
// scheduling is measured and not encoding, its workers are bench/crew: the
// workers of Spool, with stages that only wait.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	b := bench{notes: stderr, began: time.Now(), rungs: ladder}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	b.declare(flags)
	strict := flags.Bool("strict", false, "exit with 3 when a figure is missed")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	parts, err := b.chosen()
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return 2
	}
	missed := false
	err = b.measure(ctx, parts, func(f figure) {
		fmt.Fprintln(stdout, f)
		missed = missed || f.missed()
	})
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return 1
	case *strict && missed:
		return 3
	}
	return 0
}

// declare binds the settings of a run to flags.
func (b *bench) declare(flags *flag.FlagSet) {
	flags.StringVar(&b.only, "only", "", "the parts to measure, separated by commas; all without it: "+strings.Join(b.names(), ","))
	flags.StringVar(&b.spool, "spool", "bin/spool", "the program to measure")
	flags.StringVar(&b.media, "media", os.Getenv("SPOOL_BENCH_MEDIA"), "a folder with a real video to cut the clips from")
	flags.StringVar(&b.size, "size", "1920x1080", "the size of clips made without -media")
	flags.StringVar(&b.preset, "preset", "medium", "x264's preset, for Spool and for the yardstick")
	flags.StringVar(&b.quick, "quick", "veryfast", "x264's preset where a video has to be made faster than it plays, or is long")
	flags.StringVar(&b.extra, "flags", "--nice 0", "more flags for spool run, separated by spaces")
	flags.IntVar(&b.slots, "encodes", min(runtime.NumCPU(), 4), "how many encoders Spool runs at a time where chunks are counted by encoder")

	flags.DurationVar(&b.limit, "limit", 30*time.Minute, "how long one program may take; then it is asked where it hangs")
	flags.IntVar(&b.clips, "clips", 6, "batch, large: how many clips")
	flags.IntVar(&b.seconds, "seconds", 30, "batch: how long a clip is")
	flags.IntVar(&b.big, "large", 15, "large: how long a clip is")
	flags.IntVar(&b.tall, "tall", 2160, "large: how many lines a clip has")
	flags.IntVar(&b.cpu, "cpu", 120, "cpu: how long the video is")
	flags.IntVar(&b.tape, "tape", 32, "how long the clip is that long videos repeat, from "+strconv.Itoa(shortestTape)+"; in fours, it keeps a key frame every 4 s where it begins again")
	flags.IntVar(&b.one, "one", 300, "one: how long the video is")
	b.lengths = []int{60, 600, 3600}
	flags.Func("first", "first: how long the videos are, separated by commas (default 60,600,3600)", b.setLengths)
	flags.IntVar(&b.moov, "moov", 600, "moov: how long the video is")
	flags.Float64Var(&b.link, "link", 20, "first, moov: what the link lets through, in MB/s")
	flags.DurationVar(&b.patience, "patience", 3*time.Minute, "first, moov: when a viewer gives up")
	flags.StringVar(&b.chromium, "chromium", "chromium", "first, moov: the browser")
	flags.StringVar(&b.player, "player", "internal/web/static/vendor/hls-*.min.js", "first, moov: hls.js")
	flags.IntVar(&b.bucket, "bucket", 120, "ranges, upload: how long the video is")
	flags.DurationVar(&b.latency, "latency", 50*time.Millisecond, "upload: how much longer each request to the bucket takes")
	flags.IntVar(&b.tries, "tries", tries, "ranges, segments, waiting, handover, split: how often each is measured; the best counts")
	flags.IntVar(&b.kill, "kill", 600, "kill: how long the video is")
	flags.IntVar(&b.check, "verify", 600, "verify: how long the video is")
	flags.StringVar(&b.even, "even", "1280x720", "handover, split: the size of the video")
	flags.StringVar(&b.engines, "engines", "redis,rabbitmq,nats", "jobs, death, handover: the queues, separated by commas")
	flags.IntVar(&b.empty, "empty", 600, "jobs, waiting: how many videos of empty jobs")
	flags.IntVar(&b.waiting, "waiting", 100_000, "waiting: how many videos wait")
	flags.IntVar(&b.film, "film", 240, "handover, split: how long the video is")
	flags.DurationVar(&b.doze, "doze", 6*time.Second, "eight: how long the stand-in for the encoder sleeps for each chunk")
	flags.IntVar(&b.ready, "ready", 100, "again: how many ready videos are run again")
}

func (b *bench) setLengths(list string) error {
	b.lengths = nil
	for word := range strings.SplitSeq(list, ",") {
		seconds, err := strconv.Atoi(word)
		if err != nil {
			return err
		}
		b.lengths = append(b.lengths, seconds)
	}
	return nil
}

// bench is one run. Lengths are in seconds.
type bench struct {
	only, spool, media, size string
	preset, quick, extra     string
	slots, clips             int
	seconds, big, tall       int
	cpu, tape, one, moov     int
	kill, ready, check       int
	empty, waiting           int // videos
	film                     int
	even, engines            string
	doze                     time.Duration // of the stand-in for an encoder
	bucket, tries            int
	latency                  time.Duration // of a request to a bucket
	lengths                  []int
	link                     float64       // MB/s
	limit                    time.Duration // of one program
	patience                 time.Duration
	chromium, player         string
	rungs                    []rung

	notes io.Writer
	began time.Time
	dir   string  // scratch, removed at the end
	crew  string  // bench/crew, once it was built
	pace  float64 // seconds that Spool takes to encode one, with the quick preset; 0 before it was measured
	reel  *reel   // what long videos repeat; nil before it was made
}

// part is one thing that is measured.
type part struct {
	name string
	run  func(context.Context) ([]figure, error)
}

func (b *bench) parts() []part {
	return []part{
		{"help", b.quickness},
		{"batch", b.batch},
		{"large", b.large},
		{"one", b.oneVideo},
		{"first", b.firstFrames},
		{"moov", b.indexLast},
		{"cpu", b.work},
		{"kill", b.killed},
		{"again", b.again},
		{"verify", b.verified},
		{"ranges", b.ranges},
		{"upload", b.upload},
		{"segments", b.segments},
		{"jobs", b.emptyJobs},
		{"waiting", b.waits},
		{"crowd", b.crowd},
		{"death", b.death},
		{"handover", b.handOver},
		{"split", b.split},
		{"eight", b.eightWorkers},
	}
}

func (b *bench) names() []string {
	var names []string
	for _, p := range b.parts() {
		names = append(names, p.name)
	}
	return names
}

// chosen are the parts that the user wants, in the usual order.
func (b *bench) chosen() ([]part, error) {
	if b.only == "" {
		return b.parts(), nil
	}
	wanted := strings.Split(b.only, ",")
	for _, name := range wanted {
		if !slices.Contains(b.names(), name) {
			return nil, fmt.Errorf("there is no part %q: parts are %s", name, strings.Join(b.names(), ", "))
		}
	}
	return slices.DeleteFunc(b.parts(), func(p part) bool { return !slices.Contains(wanted, p.name) }), nil
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

// measure gives each part's figures when the part has ended, also those that
// it had when it failed. The parts after it are measured all the same.
func (b *bench) measure(ctx context.Context, parts []part, show func(figure)) (err error) {
	if b.spool, err = filepath.Abs(b.spool); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "spool-bench-"); err != nil {
		return err
	}
	defer func() {
		gone := os.RemoveAll(b.dir)
		err = cmp.Or(err, gone)
	}()
	var failed []error
	for _, p := range parts {
		figures, err := p.run(ctx)
		for _, f := range figures {
			show(f)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

func ratio(a, b time.Duration) float64 { return a.Seconds() / b.Seconds() }
