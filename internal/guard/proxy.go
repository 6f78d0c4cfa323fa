package guard

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"github.com/spool-video/spool"
)

// Proxy is an HTTP proxy on the loopback address for a program that fetches by
// itself: what such a program may reach is what Policy allows. It begins when
// its address is asked for, and can be used by every program of this machine:
// it takes nobody where they could not go without it.
type Proxy struct {
	Policy Policy

	mu     sync.Mutex // guards the rest
	server *http.Server
	url    string
	stop   context.CancelFunc // ends what goes through it
	ended  chan struct{}      // closed when no connection comes any more
	open   sync.WaitGroup     // connections; added to before ended is closed
}

// URL is where the proxy is.
func (p *Proxy) URL() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server != nil {
		return p.url, nil
	}
	ctx, stop := context.WithCancel(context.Background())
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		stop()
		return "", &spool.Error{
			Class: spool.Environment, Code: "no-loopback", Err: err,
			Reason: "no port could be opened on 127.0.0.1", Hint: "look at the machine's network and its limits",
		}
	}
	transport := p.Policy.Transport()
	p.server = &http.Server{
		Handler: p.handler(transport), ReadHeaderTimeout: dialTimeout, ErrorLog: silent(), ConnState: p.count,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	p.url, p.stop, p.ended = "http://"+l.Addr().String(), stop, make(chan struct{})
	go func(s *http.Server, ended chan struct{}) {
		defer close(ended)
		_ = s.Serve(l) // it says that it was closed
		transport.CloseIdleConnections()
	}(p.server, p.ended)
	return p.url, nil
}

// Close ends the proxy and the connections through it, if it has begun.
func (p *Proxy) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server == nil {
		return nil
	}
	p.stop()
	err := p.server.Close()
	<-p.ended
	p.open.Wait()
	p.server = nil
	return err
}

// count keeps count of the connections. A hijacked one is counted until join
// has ended.
func (p *Proxy) count(_ net.Conn, is http.ConnState) {
	switch is {
	case http.StateNew:
		p.open.Add(1)
	case http.StateClosed:
		p.open.Done()
	default:
	}
}

func silent() *log.Logger { return log.New(io.Discard, "", 0) }

func (p *Proxy) handler(transport *http.Transport) http.Handler {
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL = r.In.URL
			r.Out.Header.Del("Upgrade") // what follows would be no HTTP any more
		},
		Transport:    checked{p.Policy, transport},
		ErrorLog:     silent(),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { unreached(w, err) },
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			forward.ServeHTTP(w, r)
			return
		}
		if err := p.Policy.Check(&url.URL{Scheme: "https", Host: r.Host}); err != nil {
			unreached(w, err)
			return
		}
		there, err := p.Policy.dial(r.Context(), "tcp", r.Host)
		if err != nil {
			unreached(w, err)
			return
		}
		p.join(w, r, there)
		_ = there.Close() // nobody reads or writes it any more
	})
}

// unreached tells why there is no answer.
func unreached(w http.ResponseWriter, err error) {
	status, text := http.StatusBadGateway, "the host cannot be reached"
	if e, ok := errors.AsType[*spool.Error](err); ok {
		status, text = http.StatusForbidden, e.Reason
	}
	http.Error(w, text, status)
}

// join carries bytes both ways until one side has had enough.
func (p *Proxy) join(w http.ResponseWriter, r *http.Request, there net.Conn) {
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		unreached(w, err)
		return
	}
	defer p.open.Done()
	defer func() { _ = here.Close() }() // likewise
	if _, err := io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	over := func() {
		past := time.Unix(1, 0)
		_, _ = here.SetDeadline(past), there.SetDeadline(past) // a closed one ends, too
	}
	defer context.AfterFunc(r.Context(), over)()
	var out sync.WaitGroup
	out.Go(func() {
		defer over()
		// Of what the program sends, some may have been read already. How it ends
		// is for the two sides to judge.
		_, _ = io.Copy(there, buffered)
	})
	_, _ = io.Copy(here, there)
	over()
	out.Wait()
}
