package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// block is what a connection sends at a time, in bytes: small, so that
	// connections share the link evenly.
	block = 16 << 10
	// catchUp is how much unused time the link gives back, so that a timer that
	// rings late costs no bandwidth.
	catchUp = 20 * time.Millisecond
)

// link is a line of limited bandwidth that all connections share.
type link struct {
	rate float64 // bytes per second

	mu   sync.Mutex
	free time.Time // when all that was let through will have passed; under mu
}

// pass waits until n more bytes have gone through.
func (l *link) pass(ctx context.Context, n int) error {
	l.mu.Lock()
	if earliest := time.Now().Add(-catchUp); l.free.Before(earliest) {
		l.free = earliest
	}
	l.free = l.free.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	until := l.free
	l.mu.Unlock()

	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// site serves clips on 127.0.0.1 through one link.
type site struct {
	link   *link
	sent   atomic.Int64 // bytes of clips that went through
	clips  []string
	bytes  int64
	server *http.Server
	base   string
	ended  chan struct{} // closed when the server has returned
}

// openSite serves the clips on a link on which all of them together take as
// long as said.
func openSite(ctx context.Context, clips []string, takes time.Duration) (*site, error) {
	bytes, err := sizes(clips)
	if err != nil {
		return nil, err
	}
	return openSiteAt(ctx, clips, float64(bytes)/takes.Seconds())
}

// sizes adds up the bytes of files.
func sizes(files []string) (int64, error) {
	var bytes int64
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return 0, err
		}
		bytes += info.Size()
	}
	return bytes, nil
}

// openSiteAt serves the clips on a link of that many bytes per second.
func openSiteAt(ctx context.Context, clips []string, rate float64) (*site, error) {
	bytes, err := sizes(clips)
	if err != nil {
		return nil, err
	}
	s := &site{clips: clips, bytes: bytes, link: &link{rate: rate}, ended: make(chan struct{})}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.base = "http://" + listener.Addr().String()
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ConnState: shallow}
	go func() {
		defer close(s.ended)
		_ = s.server.Serve(listener) // always ErrServerClosed: Close ends it
	}()
	return s, nil
}

// shallow keeps the system from buffering megabytes of a connection: a link
// has no such depth, and bytes nobody has read would count as having crossed it.
func shallow(conn net.Conn, state http.ConnState) {
	if tcp, ok := conn.(*net.TCPConn); ok && state == http.StateNew {
		_ = tcp.SetWriteBuffer(64 << 10) // without it the figure is only less exact
	}
}

// Close ends the server and its connections.
func (s *site) Close() {
	_ = s.server.Close()
	<-s.ended
}

// Rate is the link's, in bytes per second.
func (s *site) Rate() float64 { return s.link.rate }

// Takes is how long all clips need on the link, nothing else on it.
func (s *site) Takes() time.Duration {
	return time.Duration(float64(s.bytes) / s.link.rate * float64(time.Second))
}

// Sent is how many bytes of the clips were sent, however often.
func (s *site) Sent() int64 { return s.sent.Load() }

// URLs are the clips' addresses.
func (s *site) URLs() []string {
	var urls []string
	for i := range s.clips {
		urls = append(urls, s.base+"/"+strconv.Itoa(i)+"/"+filepath.Base(s.clips[i]))
	}
	return urls
}

// ServeHTTP answers with a clip, whole or a range of it.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for i, clip := range s.clips {
		if r.URL.Path != "/"+strconv.Itoa(i)+"/"+filepath.Base(clip) {
			continue
		}
		file, err := os.Open(clip)
		if err != nil {
			http.Error(w, "the clip is gone", http.StatusInternalServerError)
			return
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			http.Error(w, "the clip is gone", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "video/mp4")
		w.Header().Set("ETag", `"`+strconv.FormatInt(info.Size(), 16)+`"`)
		http.ServeContent(w, r, clip, info.ModTime(), &slowFile{file, s, r})
		return
	}
	http.NotFound(w, r)
}

// slowFile is read no faster than the link lets it. It hides all else that a
// file can do: the server would send a file it recognises past the link.
type slowFile struct {
	file    *os.File
	site    *site
	request *http.Request
}

// Read gives at most one block, once the link has room for it.
func (f *slowFile) Read(p []byte) (int, error) {
	n, err := f.file.Read(p[:min(len(p), block)])
	if n > 0 {
		err = errors.Join(err, f.site.link.pass(f.request.Context(), n))
	}
	if err == nil {
		f.site.sent.Add(int64(n))
	}
	return n, err
}

// Seek goes to where the next Read begins.
func (f *slowFile) Seek(offset int64, whence int) (int64, error) { return f.file.Seek(offset, whence) }
