package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/metrics"
	"github.com/spool-video/spool/internal/plaintext"
)

// watchpost is where whoever looks after a process asks how it is: metrics,
// whether it lives, and whether it does what it is there for.
type watchpost struct {
	metrics *metrics.Metrics
	url     string
	server  *http.Server
	ended   chan struct{}

	mu  sync.Mutex
	why *spool.Error // owned by mu: what is waited for; nil: nothing
}

// watchOver begins to answer at --metrics; Close must be called. Without an
// address nil is returned, which is of use, too.
func watchOver(ctx context.Context, cfg config.Config) (*watchpost, error) {
	if cfg.Metrics == "" {
		return nil, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Metrics)
	if err != nil {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "address-taken", Err: err, Reason: "metrics cannot be answered at " + plaintext.Sanitize(cfg.Metrics),
			Hint: "another program may answer there: choose another address with --metrics",
		}
	}
	p := &watchpost{metrics: metrics.New(version), url: "http://" + listener.Addr().String() + "/metrics", ended: make(chan struct{})}
	p.closed(&spool.Error{Class: spool.Environment, Code: "starting", Reason: "it has not begun yet"})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.metrics.Handler())
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", p.ready)
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime}
	go func() {
		defer close(p.ended)
		_ = p.server.Serve(listener) // it ends when it is told to
	}()
	return p, nil
}

// ready answers 200 while nothing is waited for.
func (p *watchpost) ready(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	why := p.why
	p.mu.Unlock()
	if why != nil {
		http.Error(w, why.Code+": "+plaintext.Sanitize(why.Reason), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// opened: it does now what it is there for.
func (p *watchpost) opened() { p.closed(nil) }

// closed says what is waited for.
func (p *watchpost) closed(why *spool.Error) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.why = why
}

// opened lets a desk answer, and whoever scrapes see what there is.
func (s *service) opened(ctx context.Context, h *house, d *desk) {
	s.desk.opened(ctx, d)
	s.look(h, d)
	s.post.opened()
}

// closed says that nothing is taken in, and why.
func (s *service) closed(why *spool.Error) {
	s.desk.closed(why)
	s.post.closed(why)
	s.post.counts().Look(nil)
}

// look has whoever scrapes see a house, and what its scheduler knows where
// there is one.
func (s *service) look(h *house, d *desk) {
	s.post.counts().Look(func(ctx context.Context) metrics.Standing { return h.stands(ctx, d) })
}

func (s *service) noteMetrics() {
	if s.post != nil {
		s.note("metrics are at " + s.post.url)
	}
}

// counts are the metrics; nil when nobody asks for them.
func (p *watchpost) counts() *metrics.Metrics {
	if p == nil {
		return nil
	}
	return p.metrics
}

// Close ends the answering.
func (p *watchpost) Close() error {
	if p == nil {
		return nil
	}
	err := p.server.Close()
	<-p.ended
	return err
}
