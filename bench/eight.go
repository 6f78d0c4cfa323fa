package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// How many workers, and how many chunks the video has, each of which takes one
// of them as long as every other: a multiple, so that all could end together.
const (
	eight       = 8
	eightChunks = 6 * eight
)

// eightWorkers is how many times as fast eight workers are as one, with an
// encoder that mostly sleeps: what is left is what Spool adds.
func (b *bench) eightWorkers(ctx context.Context) ([]figure, error) {
	film, err := b.makeSmall(ctx, eightChunks*10)
	if err != nil {
		return nil, err
	}
	encoder, err := b.sleeper()
	if err != nil {
		return nil, err
	}
	var took [2]time.Duration
	for i, workers := range []int{1, eight} {
		if took[i], err = b.sleeping(ctx, film, encoder, workers); err != nil {
			return nil, err
		}
	}
	b.note("an encoder that sleeps for %v a chunk: one worker %.1f s, %d workers %.1f s: %.2f times as fast",
		b.doze, took[0].Seconds(), eight, took[1].Seconds(), ratio(took[0], took[1]))
	return []figure{{"8 / how much faster 8 workers are than 1", eight / ratio(took[0], took[1]), eight / 7.6, ""}}, nil
}

// makeSmall makes a video whose pictures cost nothing to encode.
func (b *bench) makeSmall(ctx context.Context, seconds int) (string, error) {
	path := filepath.Join(b.dir, "small.mp4")
	_, err := b.ffmpeg(ctx, "-f", "lavfi", "-i", "testsrc2=size=64x36:rate=10", "-t", strconv.Itoa(seconds), "-c:v", "libx264", "-preset", "ultrafast",
		"-g", "20", "-pix_fmt", "yuv420p", "-movflags", "+faststart", path)
	return path, err
}

// sleeper is an ffmpeg that sleeps before it encodes pictures.
func (b *bench) sleeper() (string, error) {
	real, err := exec.LookPath("ffmpeg")
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.dir, "sleeper")
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *stitchable*) sleep %g ;; esac\nexec %s \"$@\"\n", b.doze.Seconds(), real)
	return path, os.WriteFile(path, []byte(script), 0o700) //nolint:gosec // it is run
}

// sleeping is how long a video takes with so many workers, each in a network
// of its own where that may be made.
func (b *bench) sleeping(ctx context.Context, film, encoder string, workers int) (took time.Duration, err error) {
	w, err := b.wire(ctx)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	s, err := b.openService(ctx, serving{engine: "redis", listen: w.address, flags: append(b.encoding(equal), w.flags...)})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for n := range workers {
		l, err := s.labour(ctx, seat{name: "s" + strconv.Itoa(n), apart: w.address != "", flags: append([]string{"--ffmpeg", encoder, "--sandbox", "off", "--local-files"}, w.flags...)})
		if err != nil {
			return 0, err
		}
		defer l.end() //nolint:errcheck // what it did is in the ledger
		if err := b.join(ctx, w, n, l.process.Process.Pid); err != nil {
			return 0, err
		}
	}
	if err := s.attended(ctx, workers); err != nil {
		return 0, err
	}
	return s.publish(ctx, film, "film")
}

// wires join workers in network namespaces to this one, where the broker is.
type wires struct {
	address string   // of this side; "": workers are processes of one network
	flags   []string // for serve and workers
	made    []string // interfaces
}

// wire makes this side's address, or says why there are no namespaces.
func (b *bench) wire(ctx context.Context) (*wires, error) {
	w := &wires{address: "10.253.77.1"}
	if err := ip(ctx, "addr", "add", w.address+"/32", "dev", "lo"); err != nil {
		b.note("workers are processes without networks of their own: %v", err)
		return &wires{}, nil
	}
	b.note("each worker is in a network of its own")
	key := filepath.Join(b.dir, "fleet.key")
	if _, err := os.Stat(key); err != nil {
		if _, err := b.call(ctx, b.spool, "keys", "fleet", key); err != nil {
			w.Close()
			return nil, err
		}
	}
	w.flags = []string{"--fleet-key", key}
	return w, nil
}

// Close takes all of it away; the namespaces have ended with their workers.
func (w *wires) Close() {
	for _, name := range w.made {
		_ = ip(context.Background(), "link", "del", name) // one whose other end is gone is gone
	}
	if w.address != "" {
		_ = ip(context.Background(), "addr", "del", w.address+"/32", "dev", "lo")
	}
}

// join connects a worker, which begins in a namespace of its own and waits for
// its queue.
func (b *bench) join(ctx context.Context, w *wires, number, pid int) error {
	if w.address == "" {
		return nil
	}
	name, here, there := fmt.Sprintf("spoolbench%d", number), fmt.Sprintf("10.253.78.%d", 4*number+1), fmt.Sprintf("10.253.78.%d", 4*number+2)
	space := strconv.Itoa(pid)
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return err
	}
	err = b.await(ctx, func() (bool, error) {
		theirs, err := os.Readlink("/proc/" + space + "/ns/net")
		return theirs != ours, err
	})
	if err != nil {
		return fmt.Errorf("wait for the network of worker %d: %w", number, err)
	}
	for _, command := range [][]string{
		{"link", "add", name, "type", "veth", "peer", "name", "up0", "netns", space},
		{"addr", "add", here + "/30", "dev", name},
		{"link", "set", name, "up"},
	} {
		if err := ip(ctx, command...); err != nil {
			return err
		}
	}
	w.made = append(w.made, name)
	inside := "ip link set lo up; ip addr add " + there + "/30 dev up0; ip link set up0 up; ip route add default via " + here
	said, err := exec.CommandContext(ctx, "nsenter", "-t", space, "-n", "sh", "-ec", inside).CombinedOutput()
	if err != nil {
		return fmt.Errorf("set up the network of worker %d: %w: %s", number, err, tail(string(said)))
	}
	return nil
}

func ip(ctx context.Context, args ...string) error {
	said, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, tail(string(said)))
	}
	return nil
}
