package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// labourer is one spool worker.
type labourer struct {
	name    string
	process *exec.Cmd
	said    *strings.Builder
}

// bothCores are the machine of the figures below, however many this one has.
const bothCores = "0,1"

// fleetFlags are what serve and each spool worker get.
var fleetFlags = []string{"--nice", "0"}

// seat is where a spool worker works.
type seat struct {
	name  string
	core  string   // the one that it may use; "": all
	apart bool     // in a network of its own
	flags []string // more of them
}

// labour starts a spool worker with one encoder.
func (s *service) labour(ctx context.Context, at seat) (*labourer, error) {
	args := []string{
		s.bench.spool, "worker", "--queue", s.url, "--name", at.name, "--to", s.to(), "--work", filepath.Join(s.home, "work"),
		"--encodes", "1", "--progress", "plain", "--allow-private",
	}
	args = pinned(at.core, append(append(args, fleetFlags...), at.flags...))
	if at.apart {
		args = append([]string{"unshare", "--net"}, args...)
	}
	l := &labourer{name: at.name, process: s.bench.command(ctx, args[0], args[1:]...), said: &strings.Builder{}}
	l.process.Stderr = l.said
	return l, l.process.Start()
}

// end stops a worker; what it said is in the error.
func (l *labourer) end() error {
	_ = l.process.Process.Signal(os.Interrupt) // it may have ended
	if err := l.process.Wait(); err != nil {
		return fmt.Errorf("spool worker %s: %w: %s", l.name, err, tail(l.said.String()))
	}
	return nil
}

// attended waits until so many workers may be given work.
func (s *service) attended(ctx context.Context, count int) error {
	return s.bench.await(ctx, func() (bool, error) {
		var answer struct{ Workers []struct{ State string } }
		err := s.ask(ctx, http.MethodGet, "/workers", nil, &answer)
		idle := 0
		for _, w := range answer.Workers {
			if w.State == "idle" {
				idle++
			}
		}
		return idle == count, err
	})
}

// publish hands a video in and gives how long it takes until it is ready, as
// serve has noted it: to ask all the time would take from the two cores what is
// measured.
func (s *service) publish(ctx context.Context, source, id string) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.bench.limit, errStuck)
	defer cancel()
	began, rested := time.Now(), idle()
	if err := s.ask(ctx, http.MethodPost, "/videos", submission{Source: source, ID: id}, nil); err != nil {
		return 0, err
	}
	err = every(ctx, time.Second, func() (bool, error) {
		v, err := s.video(ctx, id)
		if err == nil && (v.Status == "failed" || v.Status == "paused") {
			err = fmt.Errorf("%s is %s", id, v.Status)
		}
		took = v.Changed.Sub(began)
		return v.Status == "ready", err
	})
	s.bench.note("the two cores had nothing to do for %.1f s of %.1f s, and a second more at most", idle()-rested, took.Seconds())
	return took, err
}

// idle is for how many seconds the cores of bothCores have had nothing to do;
// 0 where that cannot be told.
func idle() (seconds float64) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	const ticks = 100 // a second, on every Linux
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 5 && (f[0] == "cpu0" || f[0] == "cpu1") {
			for _, field := range f[4:6] { // idle, and waiting for disks
				n, _ := strconv.ParseFloat(field, 64)
				seconds += n / ticks
			}
		}
	}
	return seconds
}

// spread lets a worker that began on one core, and so has one thread, use all
// that the others may.
func (l *labourer) spread(ctx context.Context) error {
	said, err := exec.CommandContext(ctx, "taskset", "-a", "-p", "-c", bothCores, strconv.Itoa(l.process.Process.Pid)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("taskset: %w: %s", err, tail(string(said)))
	}
	return nil
}

// together is how long a video takes with so many workers of one thread each.
func (b *bench) together(ctx context.Context, engine, film, segment string, workers int) (took time.Duration, err error) {
	s, err := b.openService(ctx, serving{engine: engine, cores: bothCores, flags: b.encoding(segment)})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var crew []*labourer
	for n := range workers {
		l, err := s.labour(ctx, seat{name: "w" + strconv.Itoa(n), core: "0"})
		if err != nil {
			return 0, err
		}
		defer l.end() //nolint:errcheck // what it did is in the ledger
		crew = append(crew, l)
	}
	if err := s.attended(ctx, workers); err != nil {
		return 0, err
	}
	for _, l := range crew {
		if err := l.spread(ctx); err != nil {
			return 0, err
		}
	}
	return s.publish(ctx, film, "film")
}

// equal are segments of which each is a chunk, all of one length: two of them
// are longer than a chunk may be. usual ones make chunks of 12 s, and shorter
// ones at the beginning and the end.
const equal, usual = "10s", "6s"

// encoding are the flags of serve for videos that are encoded wholly.
func (b *bench) encoding(segment string) []string {
	return append([]string{"--allow-source", b.dir, "--preset", b.quick, "--copy", "never", "--segment", segment}, fleetFlags...)
}

// makeEven makes a video without sound, of that many seconds or a little more,
// of which all parts are the same work.
func (b *bench) makeEven(ctx context.Context, name string, seconds int) (string, error) {
	const reel = 10
	pictures, path := filepath.Join(b.dir, "even.mp4"), filepath.Join(b.dir, name)
	if _, err := os.Stat(pictures); err != nil {
		args := []string{"-f", "lavfi", "-i", "testsrc2=size=" + b.even + ":rate=24,noise=alls=6:allf=t:all_seed=1", "-t", strconv.Itoa(reel)}
		if _, err := b.ffmpeg(ctx, append(append(args, clipEncoder(3000)...), pictures)...); err != nil {
			return "", err
		}
	}
	times := (seconds + reel - 1) / reel
	_, err := b.ffmpeg(ctx, append([]string{"-stream_loop", strconv.Itoa(times - 1), "-i", pictures, "-c", "copy"}, append(indexFirst, path)...)...)
	return path, err
}

// handOver compares two workers with one process that has as many encoders, in
// turns; the best of each counts.
func (b *bench) handOver(ctx context.Context) (figures []figure, err error) {
	film, err := b.makeEven(ctx, "film.mp4", b.film)
	if err != nil {
		return nil, err
	}
	const alone = "one process"
	engines := strings.Split(b.engines, ",")
	best := map[string]time.Duration{}
	for range b.tries {
		for _, way := range append([]string{alone}, engines...) {
			var took time.Duration
			if way == alone {
				took, err = b.aloneWithTwo(ctx, film)
			} else {
				took, err = b.together(ctx, way, film, usual, 2)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", way, err)
			}
			best[way] = shorter(best[way], took)
			b.note("%s of film, two encoders, %s: %.1f s", length(b.film), way, took.Seconds())
		}
	}
	for _, engine := range engines {
		figures = append(figures, figure{"two workers over " + engine + " / one process with two encoders", ratio(best[engine], best[alone]), 1.05, ""})
	}
	return figures, nil
}

// aloneWithTwo is how long a video takes in one process with two encoders of
// one thread each.
func (b *bench) aloneWithTwo(ctx context.Context, film string) (took time.Duration, err error) {
	s, err := b.openService(ctx, serving{cores: bothCores, flags: append(b.encoding(usual), "--encodes", "2")})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.publish(ctx, film, "film")
}

// split is what a second worker brings, beside what a second ffmpeg does. They
// are measured in turns; the best of each counts.
func (b *bench) split(ctx context.Context) ([]figure, error) {
	film, err := b.makeEven(ctx, "film.mp4", b.film)
	if err != nil {
		return nil, err
	}
	half, err := b.makeEven(ctx, "half.mp4", b.film/2)
	if err != nil {
		return nil, err
	}
	var bare, own [2]time.Duration // one, and two side by side
	for range b.tries {
		for i, films := range [2][]string{{film}, {half, half}} {
			took, err := b.bareSide(ctx, films...)
			if err != nil {
				return nil, err
			}
			bare[i] = shorter(bare[i], took)
		}
		for i := range own {
			took, err := b.together(ctx, "redis", film, equal, i+1)
			if err != nil {
				return nil, err
			}
			own[i] = shorter(own[i], took)
		}
		b.note("%s of film, so far: on one worker %.1f s, on two %.1f s; by one bare ffmpeg %.1f s, by two %.1f s",
			length(b.film), own[0].Seconds(), own[1].Seconds(), bare[0].Seconds(), bare[1].Seconds())
	}
	return []figure{{"two ffmpegs' speed-up / two workers'", ratio(bare[0], bare[1]) / ratio(own[0], own[1]), 1 / 0.95, ""}}, nil
}

// bareSide encodes films side by side.
func (b *bench) bareSide(ctx context.Context, films ...string) (time.Duration, error) {
	began := time.Now()
	failed := make(chan error, len(films))
	for n, film := range films {
		args := []string{"ffmpeg", "-nostdin", "-v", "error", "-y", "-threads", "1", "-i", film}
		args = append(append(args, rung{1280, 720, 3000}.encoder(b.quick)...), "-threads", "1", filepath.Join(b.dir, fmt.Sprintf("bare-%d.mp4", n)))
		args = pinned(bothCores, args)
		go func() {
			_, err := b.call(ctx, args[0], args[1:]...)
			failed <- err
		}()
	}
	var all []error
	for range films {
		all = append(all, <-failed)
	}
	return time.Since(began), errors.Join(all...)
}
