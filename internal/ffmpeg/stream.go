package ffmpeg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/process"
)

// Stream is a source that is read from its start through a pipe, since it is
// still arriving.
type Stream struct {
	Format string // name of its demuxer: "mpegts", "matroska", "mov"
	// Copy writes the source from its start on, as it arrives, until its end,
	// an error or the end of ctx. It may be called several times.
	Copy func(ctx context.Context, w io.Writer) error
}

// ErrWhole is returned for a stream that cannot be understood before all of it
// is there.
var ErrWhole = errors.New("only the whole file tells")

func onlyWhole(why string) error { return fmt.Errorf("%s: %w", why, ErrWhole) }

// ProbeStream finds the facts of a source from its first seconds. The errors
// are Probe's, without those that need the whole file, and ErrWhole.
func ProbeStream(ctx context.Context, tools Tools, s Stream) (spool.Facts, error) {
	args := append([]string{"-v", "error", "-show_format", "-show_streams", "-of", "json"}, PipedArgs(s.Format)...)
	var out []byte
	command := tools.probe(args)
	command.Stdout = &gathered{limit: 8 << 20, to: &out}
	if err := tools.feed(ctx, s, command); err != nil {
		return spool.Facts{}, unreadable(err, movie{})
	}
	facts, start, err := parseStart(out)
	if err == nil && jumpy(facts.Format) && start == "0.000000" {
		// ffmpeg moves the clock of such a source (scan.shift), of a part of it
		// it does not.
		return facts, onlyWhole("its clock starts at 0")
	}
	return facts, err
}

// FirstShown is the time of the first frame that the decoder shows, in ticks
// of its stream.
func FirstShown(ctx context.Context, tools Tools, s Stream, video int) (int64, error) {
	var times []int64
	command := tools.Command(tools.FFmpeg, showArgs(PipedArgs(s.Format), video, 1))
	command.Stdout = &lines{each: func(line []byte) {
		if t, ok := frameTime(line); ok {
			times = append(times, t)
		}
	}}
	err := tools.feed(ctx, s, command)
	if len(times) > 0 {
		return times[0], nil
	}
	var exit *process.ExitError
	if err == nil || errors.As(err, &exit) {
		return 0, onlyWhole("no frame is shown")
	}
	return 0, err
}

// feed runs a program that reads a stream. It is given up when it neither
// reads nor has ended for the tools' patience; while the stream itself makes
// it wait, time does not count.
func (t Tools) feed(ctx context.Context, s Stream, command process.Command) error {
	watched, alive, stop := t.watch(ctx)
	defer stop()
	command.Feed = func(ctx context.Context, w io.Writer) error {
		tick := time.NewTicker(t.patience() / 4)
		defer tick.Stop()
		p := &patient{w: w, writing: make(chan bool), ended: make(chan struct{})}
		go func() {
			defer close(p.ended)
			p.watch(tick.C, alive)
		}()
		defer func() {
			close(p.writing)
			<-p.ended
		}()
		return s.Copy(ctx, p)
	}
	p, err := process.Start(watched, command)
	if err != nil {
		return err
	}
	return hung(watched, p.Wait())
}

// patient says that all is well as long as nobody is waiting for the program
// to read.
type patient struct {
	w       io.Writer
	writing chan bool
	ended   chan struct{}
}

func (p *patient) Write(b []byte) (int, error) {
	p.writing <- true
	n, err := p.w.Write(b)
	p.writing <- false
	return n, err //nolint:wrapcheck // EPIPE must arrive as it is
}

func (p *patient) watch(tick <-chan time.Time, alive func()) {
	writing, open := false, true
	for open {
		select {
		case writing, open = <-p.writing:
			alive()
		case <-tick:
			if !writing {
				alive()
			}
		}
	}
}

// gathered keeps what is written to it, up to a limit.
type gathered struct {
	limit int
	to    *[]byte
}

var errTooMuch = errors.New("more output than expected")

func (g *gathered) Write(b []byte) (int, error) {
	if len(*g.to)+len(b) > g.limit {
		return 0, errTooMuch
	}
	*g.to = append(*g.to, b...)
	return len(b), nil
}
