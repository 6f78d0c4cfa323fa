package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"
)

// The ways to make a video whose first frame is waited for.
type firstCase struct {
	name   string
	copied bool
	early  string
	reach  float64 // seconds
}

var firstCases = []firstCase{
	{"top rung copied", true, "auto", 15},
	{"encoded", false, "auto", 30},
	{"top rung copied, soon", true, "soon", 5},
	{"encoded, soon", false, "soon", 12},
}

// firstFrames is how long it takes from the command to the first frame in a
// browser, for sources of several lengths.
func (b *bench) firstFrames(ctx context.Context) ([]figure, error) {
	var figures []figure
	var failed []error
	for _, seconds := range b.lengths {
		long, err := b.makeLong(ctx, fmt.Sprintf("first-%d.mp4", seconds), seconds, indexFirst)
		if err == nil {
			err = b.mustCopy(ctx, long)
		}
		if err != nil {
			return figures, err
		}
		for _, c := range firstCases {
			took, err := b.firstFrame(ctx, long, c)
			if errors.Is(err, errPatience) {
				b.note("first frame, %s, %s: %v", length(seconds), c.name, err)
				took, err = b.patience, nil
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("%s, %s: %w", length(seconds), c.name, err))
				continue
			}
			figures = append(figures, figure{"first frame, " + length(seconds) + ", " + c.name, took.Seconds(), c.reach, "s"})
		}
		if err := os.Remove(long); err != nil {
			return figures, err
		}
	}
	return figures, errors.Join(failed...)
}

// tries of each kind are made where two times are subtracted: what disturbs
// one of them is more than the difference.
const tries = 3

// shorter is the shorter of two times, of which the first may be none yet.
func shorter(so, now time.Duration) time.Duration {
	if so == 0 {
		return now
	}
	return min(so, now)
}

// indexLast is how much longer the first frame takes when the file's index is
// at its end.
func (b *bench) indexLast(ctx context.Context) ([]figure, error) {
	var best [2]time.Duration
	for i, index := range [][]string{indexFirst, indexAtEnd} {
		long, err := b.makeLong(ctx, fmt.Sprintf("moov-%d.mp4", i), b.moov, index)
		if err != nil {
			return nil, err
		}
		for range tries {
			took, err := b.firstFrame(ctx, long, firstCase{fmt.Sprintf("moov %s, top rung copied, soon", []string{"first", "last"}[i]), true, "soon", 0})
			if err != nil {
				return nil, err
			}
			best[i] = shorter(best[i], took)
		}
		if err := os.Remove(long); err != nil {
			return nil, err
		}
	}
	name := fmt.Sprintf("first frame, %s, moov at the end: more", length(b.moov))
	return []figure{{name, (best[1] - best[0]).Seconds(), 1, "s"}}, nil
}

// length is how a person says a number of seconds.
func length(seconds int) string {
	if seconds%60 == 0 {
		return fmt.Sprintf("%d min", seconds/60)
	}
	return fmt.Sprintf("%d s", seconds)
}

// errPatience ends a measurement that takes too long.
var errPatience = errors.New("the viewer gave up (-patience)")

// firstFrame is how long a viewer waits from the command to the first frame.
// The run is stopped then.
func (b *bench) firstFrame(ctx context.Context, source string, c firstCase) (time.Duration, error) {
	site, err := openSiteAt(ctx, []string{source}, b.link*1e6)
	if err != nil {
		return 0, err
	}
	defer site.Close()
	o := order{name: "first", sources: site.URLs(), preset: b.quick, flags: []string{"--early", c.early, "--grace", "1s"}}
	if c.copied {
		o.preset = b.preset
	} else {
		o.flags = append(o.flags, noCopy...)
	}
	args, err := b.arguments(o)
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(b.home(o))
	v, err := b.openViewer(ctx, b.published(o, 0))
	if err != nil {
		return 0, err
	}
	defer v.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, b.patience, errPatience)
	defer cancel()
	if _, err := v.hear(ctx, "waiting"); err != nil {
		return 0, err
	}
	began := time.Now()
	ctx, stop := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if _, err := b.call(ctx, b.spool, args...); err != nil {
			stop(err) // it failed, or was stopped: only the first word counts
		}
	}()
	defer func() {
		stop(nil)
		<-ended
	}()
	listed, err := v.hear(ctx, "listed")
	if err != nil {
		return 0, err
	}
	frame, err := v.hear(ctx, "frame")
	if err != nil {
		return 0, err
	}
	b.note("first frame, %s, %s: early.m3u8 after %.2f s, %s after %.2f s, link %.0f MB/s",
		c.name, o.preset, listed.at.Sub(began).Seconds(), frame.Text, frame.at.Sub(began).Seconds(), b.link)
	return frame.at.Sub(began), nil
}

// mustCopy checks that Spool would copy the top rung of a source.
func (b *bench) mustCopy(ctx context.Context, source string) error {
	command := exec.CommandContext(ctx, b.spool, "plan", source, "--to", b.dir+"/plan", "--state", b.dir+"/plan-state", "--json")
	command.Dir, command.Env = b.dir, b.env()
	said, err := command.Output()
	if err != nil {
		return fmt.Errorf("spool plan %s: %w", source, err)
	}
	type rung struct {
		Action, Name, Why string
	}
	var plans []struct{ Rungs []rung }
	if err := json.Unmarshal(said, &plans); err != nil {
		return fmt.Errorf("spool plan %s: %w", source, err)
	}
	if len(plans) != 1 || !slices.ContainsFunc(plans[0].Rungs, func(r rung) bool { return r.Action == "copy" }) {
		return fmt.Errorf("spool plan %s: no rung is copied: %v", source, plans)
	}
	return nil
}
