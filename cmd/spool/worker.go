package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/lock"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/process"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/scratch"
	"github.com/spool-video/spool/internal/store/remote"
	"github.com/spool-video/spool/internal/worker"
)

func newWorker() *cobra.Command {
	cmd := &cobra.Command{
		Use: "worker", Short: "work for a spool serve on another machine, for ever", Args: none,
		Long: `Takes work from the queue of a spool serve: downloads, encodes and publishes to
the same destination (--to), as many at a time as its slots say. It keeps
nothing that could not be made again; it may come, go and die at any time. When
the queue or the destination is away, it waits, and says so.

Links are judged where they are fetched, too: those on the private network need
--allow-private (or --allow-cidr) here as at serve.

Ctrl-C or SIGTERM lets what is being encoded end (--grace), and gives the rest
back; spool drain NAME on the serve's machine does so without a limit.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadService(cmd)
			if err != nil {
				return err
			}
			if cfg.Queue == "" {
				return usage("no-queue", "a worker needs the queue of a serve", "add --queue URL: spool serve says which when it starts with --listen")
			}
			return work(cmd.Context(), request{cfg: cfg, out: cmd.OutOrStdout(), err: cmd.ErrOrStderr()})
		},
	}
	bindService(cmd, config.WorkerKeys())
	return cmd
}

// mostWorkers is how many workers of one name are looked for on a machine.
const mostWorkers = 64

// bench is where a worker works: a name, and a folder that is its own.
type bench struct {
	name string
	dir  string
	lock *lock.Lock
}

// takeBench takes a folder that no other worker has. A worker that was not
// given a name has the machine's, with a number when that is taken.
func takeBench(ctx context.Context, cfg config.Config) (bench, error) {
	names := []string{cfg.Name}
	if cfg.Name == "" {
		names[0] = hostName()
		for n := 2; n <= mostWorkers; n++ {
			names = append(names, hostName()+"-"+strconv.Itoa(n))
		}
	}
	var err error
	for _, name := range names {
		dir := cfg.Work + "-worker-" + name
		var l *lock.Lock
		if l, err = lock.Acquire(ctx, dir, "worker"); err == nil {
			return bench{name, dir, l}, nil
		}
		if !errors.Is(err, lock.ErrHeld) {
			return bench{}, err
		}
	}
	if cfg.Name != "" {
		return bench{}, usage("worker-name-taken", "another worker on this machine has the name "+cfg.Name, "choose another one with --name")
	}
	return bench{}, err
}

// work works until it is told to stop.
func work(ctx context.Context, q request) (err error) {
	b, err := takeBench(ctx, q.cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.lock.Release()) }()
	q.cfg.State, q.cfg.Work = b.dir, filepath.Join(b.dir, "scratch")
	s := &service{request: q, signals: make(chan os.Signal, 2)}
	if s.show, s.log, err = shows(q.cfg, plainly(q.cfg.Progress), q.err); err != nil {
		return err
	}
	s.show.Start()
	defer s.show.Close(progress.Summary{})
	if s.post, err = watchOver(ctx, q.cfg); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.post.Close()) }()
	s.noteMetrics()
	signal.Notify(s.signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(s.signals)
	s.note(fmt.Sprintf("worker %s, for %s", b.name, plaintext.Show(q.cfg.Queue)))
	err = s.forever(ctx, func(ctx context.Context) (bool, error) { return s.serveQueue(ctx, b) })
	notify(daemon.SdNotifyStopping)
	return err
}

// plainly: a worker has nothing to show that moves.
func plainly(mode string) string {
	if mode == "auto" || mode == "tty" {
		return "plain"
	}
	return mode
}

// serveQueue works until an error, a signal, or a word of the scheduler.
func (s *service) serveQueue(ctx context.Context, b bench) (stopped bool, err error) {
	h, c, stopped, err := s.equip(ctx)
	if err != nil || stopped {
		return stopped, err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	defer h.sources.Server.Stop()
	c.Name = b.name
	c.Away = func(err error) {
		if err != nil {
			s.hears(spool.AsError(err).Reason)
		} else {
			s.hears("")
		}
		s.post.closed(spool.AsError(err))
	}
	key, err := sharedKey(s.cfg)
	if err != nil {
		return false, err
	}
	opening, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	q, err := openQueue(opening, s.cfg.Queue, queueOptions{Fleet: key, Worker: b.name, Says: inWords(s.hears), Warns: warned(s.warns)})
	if err != nil {
		return opening.Err() != nil, quietly(opening, err)
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	c.Queue = q
	s.note("works for " + plaintext.Show(s.cfg.Queue) + ", publishes to " + plaintext.Sanitize(s.cfg.To))
	notify(daemon.SdNotifyReady + "\nSTATUS=works as " + b.name)
	s.look(h, nil)
	defer s.post.counts().Look(nil)
	s.post.opened()
	return s.labour(ctx, worker.New(c))
}

// labour runs the worker. The first signal lets what is encoded end, the
// second stops it.
func (s *service) labour(ctx context.Context, w *worker.Worker) (stopped bool, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var watchdog sync.WaitGroup
	defer watchdog.Wait()
	watched, done := context.WithCancel(ctx)
	defer done()
	watchdog.Go(func() { guarded(watched, func(context.Context) error { return nil }) })
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	select {
	case err := <-ended:
		return err == nil, err // without an error it was drained
	case <-s.signals:
	case <-ctx.Done():
	}
	s.note("stopping: running jobs may end; press Ctrl-C again to stop at once")
	s.post.closed(&spool.Error{Class: spool.Environment, Code: "stopping", Reason: "the worker ends"})
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Grace)
	defer cancel()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		w.Drain(draining)
	}()
	select {
	case <-drained:
	case <-s.signals:
		cancel()
		<-drained
	}
	stop()
	return true, <-ended
}

// equip opens all that a worker needs but the queue.
func (s *service) equip(ctx context.Context) (h *house, c worker.Config, stopped bool, err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if _, err := process.KillLeftovers(tag(s.cfg)); err != nil {
		s.note("what a worker that was killed left running could not be ended: " + plaintext.Sanitize(err.Error()))
	}
	h, err = settle(ctx, s.cfg)
	if err != nil {
		return nil, c, ctx.Err() != nil, quietly(ctx, err)
	}
	h.metrics = s.post.counts()
	h.store = storeTimed(h.store, h.metrics)
	h.log = s.logs(h.log)
	if h.scratch, err = scratch.Open(s.cfg.Work, s.cfg.ScratchLimit.Bytes, s.cfg.ScratchLimit.Share); err == nil {
		err = h.scratch.Sweep(nil) // nobody knows what it was for
	}
	if err == nil {
		h.staging, err = openStaging(ctx, s.cfg)
	}
	if err == nil {
		c, err = h.workshop(ctx)
	}
	if err != nil || ctx.Err() != nil {
		return nil, c, ctx.Err() != nil, errors.Join(quietly(ctx, err), h.close())
	}
	c.Stages = toldOf(c.Stages, h.log)
	if s.cfg.LocalFiles || !needsFleetKey(s.cfg.Queue) {
		c.Reach = append(c.Reach, spool.LocalFiles)
	}
	return h, c, false, nil
}

// settle opens a destination for a worker: without a ledger.
func settle(ctx context.Context, cfg config.Config) (*house, error) {
	store, _, err := destination(ctx, cfg)
	if err != nil {
		return nil, err
	}
	h := &house{cfg: cfg, log: slog.New(slog.DiscardHandler), store: store, stores: &remote.Sources{Remotes: remotes(cfg)}}
	h.pages = pageTool(cfg)
	h.close = func() error {
		return errors.Join(h.staging.Close(), h.far.Close(), h.pages.Close(), store.Close(), h.stores.Close())
	}
	return h, nil
}

// saying keeps one sentence from being said again and again.
type saying struct {
	mu   sync.Mutex
	last string    // guarded by mu
	when time.Time // guarded by mu
}

// sayAgain is how often what has not changed is said.
const sayAgain = 10 * time.Minute

// news reports whether a text is to be said.
func (s *saying) news(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text == s.last && time.Since(s.when) < sayAgain {
		return false
	}
	s.last, s.when = text, time.Now()
	return true
}
