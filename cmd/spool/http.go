package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/metrics"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/webapi"
)

// reception is the HTTP side of a serve. It answers for as long as the process
// lives: when nothing can be worked on, with what is waited for.
type reception struct {
	server *http.Server
	url    string
	ended  chan struct{}

	// Requests hold gate for reading. Who changes what follows waits for them,
	// and ends them first.
	gate sync.RWMutex
	desk webapi.Desk
	why  error // why there is no desk
	end  context.CancelFunc
	open context.Context //nolint:containedctx // it is the desk's: requests end with it
}

// How long a caller may take to say what it wants, and the last answers take
// when a serve ends.
const (
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	lastWords  = 5 * time.Second
)

// receive begins to answer; stop must be called. Without an address to answer
// at, nil is returned, which is of use, too.
func receive(ctx context.Context, cfg config.Config, to *metrics.Metrics) (*reception, func(), error) {
	if cfg.HTTP == "off" {
		return nil, func() {}, nil
	}
	token, err := webapi.OpenToken(cfg.APIToken())
	if err != nil {
		return nil, nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.HTTP)
	if err != nil {
		return nil, nil, &spool.Error{
			Class: spool.Environment, Code: "address-taken", Err: err, Reason: "the API cannot be answered at " + plaintext.Sanitize(cfg.HTTP),
			Hint: "another program may answer there: choose another address with --http, or 127.0.0.1:0 for any free one",
		}
	}
	open, end := context.WithCancel(ctx)
	r := &reception{open: open, end: end, url: "http://" + listener.Addr().String(), ended: make(chan struct{}), why: &spool.Error{
		Class: spool.Environment, Code: webapi.CodeStarting, Reason: "the serve has not begun yet", Hint: "ask again in a moment",
	}}
	r.server = &http.Server{
		Handler:           r.pass(to.HTTP(webapi.New(webapi.Options{Desk: r.current, Token: token, Version: version, OpenKeys: cfg.OpenKeys}))),
		ReadHeaderTimeout: headerTime, IdleTimeout: idleTime,
	}
	forget, err := keepAddress(cfg, r.url)
	if err != nil {
		end()
		return nil, nil, errors.Join(err, listener.Close())
	}
	go func() {
		defer close(r.ended)
		_ = r.server.Serve(listener) // it ends when it is told to
	}()
	return r, func() {
		forget()
		r.end()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		if r.server.Shutdown(last) != nil {
			_ = r.server.Close()
		}
		<-r.ended
	}, nil
}

// opened lets a desk answer, until closed says why there is none any more.
// Then nobody uses it.
func (r *reception) opened(ctx context.Context, d webapi.Desk) {
	if r == nil {
		return
	}
	r.gate.Lock()
	defer r.gate.Unlock()
	r.desk, r.why = d, nil
	r.open, r.end = context.WithCancel(ctx)
}

func (r *reception) closed(why error) {
	if r == nil {
		return
	}
	r.end()
	r.gate.Lock()
	defer r.gate.Unlock()
	r.desk, r.why = nil, why
}

// current is who does what is asked for now. The caller holds gate.
func (r *reception) current() (webapi.Desk, error) {
	if r.desk == nil {
		return nil, r.why
	}
	return r.desk, nil
}

// pass lets requests through, each for as long as the desk is open.
func (r *reception) pass(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/livez" {
			next.ServeHTTP(w, q)
			return
		}
		r.gate.RLock()
		defer r.gate.RUnlock()
		ctx, cancel := context.WithCancel(q.Context())
		defer cancel()
		defer context.AfterFunc(r.open, cancel)()
		next.ServeHTTP(w, q.WithContext(ctx))
	})
}
