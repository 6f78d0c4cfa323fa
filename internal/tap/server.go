package tap

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Server gives sources that are no complete files here to the programs of this
// machine, by HTTP on the loopback interface. Each job has an address of its
// own that nobody can guess; nothing else can be reached. The zero value is
// ready to Start.
type Server struct {
	listener net.Listener // set by Start
	server   *http.Server
	done     chan struct{} // closed when the server has ended

	mu    sync.Mutex
	jobs  map[string]*job // by path; guarded by mu
	ended bool            // guarded by mu
}

// sendBuffer keeps the kernel from taking far more than a program reads: where
// the server has come to says what the program wants.
const sendBuffer = 64 << 10

// piece is how many bytes are handed on at once.
const piece = 32 << 10

// Start begins to listen on a free port of 127.0.0.1.
func (s *Server) Start() error {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for readers of arriving sources: %w", err)
	}
	s.listener, s.done = l, make(chan struct{})
	s.server = &http.Server{
		Handler: http.HandlerFunc(s.serve),
		// Programs are quick to ask and slow to read: there is no write timeout.
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // a reader that went away is not news
	}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(narrow{l}) // always an error: that it was closed
	}()
	return nil
}

// Stop ends all readers and the server, and waits until they have ended.
func (s *Server) Stop() {
	s.mu.Lock()
	s.ended = true
	var left []*job
	for _, j := range s.jobs {
		left = append(left, j)
	}
	s.mu.Unlock()
	for _, j := range left {
		s.close(j)
	}
	if s.server == nil {
		return
	}
	_ = s.server.Close() // what is left are connections that nobody reads from
	<-s.done
}

// served is a source that a Server gives to programs.
type served interface {
	Reader
	Err() error
}

// Open gives a source an address, until close is called; close ends all who
// read from it and waits for them. It may be called more than once.
func (s *Server) Open(src served) (url string, close func()) {
	j := &job{path: "/" + rand.Text(), source: src, readers: map[*reader]bool{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jobs == nil {
		s.jobs = map[string]*job{}
	}
	if !s.ended { // after Stop the address leads nowhere
		s.jobs[j.path] = j
	}
	return "http://" + s.listener.Addr().String() + j.path, func() { s.close(j) }
}

func (s *Server) close(j *job) {
	s.mu.Lock()
	delete(s.jobs, j.path)
	s.mu.Unlock()
	j.end()
}

func (s *Server) find(path string) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jobs[path]
}

// narrow accepts connections whose send buffer is small.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok && err == nil {
		_ = tcp.SetWriteBuffer(sendBuffer) // without it only more is read ahead
	}
	return c, err
}

// job is one address: a source, and who reads it.
type job struct {
	path   string
	source served

	mu      sync.Mutex
	readers map[*reader]bool // guarded by mu
	ended   bool             // guarded by mu
	running sync.WaitGroup   // of readers; added to under mu while not ended
}

// reader is one request that is being answered.
type reader struct {
	stop context.CancelFunc
	conn *http.ResponseController
}

// enter counts a request in, false when the job has ended.
func (j *job) enter(r *reader) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ended {
		return false
	}
	j.readers[r] = true
	j.running.Add(1)
	return true
}

func (j *job) leave(r *reader) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.readers, r)
	j.running.Done()
}

// end stops all readers, also those whose program does not read any more.
func (j *job) end() {
	j.mu.Lock()
	j.ended = true
	for r := range j.readers {
		r.stop()
		_ = r.conn.SetWriteDeadline(time.Unix(1, 0)) // the connection may be gone
	}
	j.mu.Unlock()
	j.running.Wait()
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	j := s.find(r.URL.Path)
	if j == nil {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	me := &reader{stop, http.NewResponseController(w)}
	if !j.enter(me) {
		http.NotFound(w, r)
		return
	}
	defer j.leave(me)
	j.answer(ctx, w, r)
}

// answer sends what a request asks for, as it arrives.
func (j *job) answer(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	if err := j.source.Err(); err != nil {
		http.Error(w, "the source did not arrive", http.StatusBadGateway)
		return
	}
	size := j.source.Size()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Cache-Control", "no-store")
	status, from, to := http.StatusOK, int64(0), size
	if size < 0 {
		h.Set("Accept-Ranges", "none")
	} else {
		h.Set("Accept-Ranges", "bytes")
		wanted, ok := parseRange(r.Header.Get("Range"), size)
		switch {
		case ok && wanted.Len() == 0:
			h.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
			http.Error(w, "beyond the end", http.StatusRequestedRangeNotSatisfiable)
			return
		case ok:
			status, from, to = http.StatusPartialContent, wanted.From, wanted.To
			h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, size))
		}
		h.Set("Content-Length", strconv.FormatInt(to-from, 10))
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if err := j.send(ctx, w, from, to); err != nil {
		cut(w)
	}
}

// send copies bytes [from, to), or to the end of the source when to is
// negative, as they arrive.
func (j *job) send(ctx context.Context, w http.ResponseWriter, from, to int64) error {
	conn := http.NewResponseController(w)
	if err := conn.Flush(); err != nil { // the header, before the first byte is here
		return err
	}
	buffer := make([]byte, piece)
	for to < 0 || from < to {
		p := buffer
		if to >= 0 {
			p = p[:min(to-from, piece)]
		}
		n, err := j.source.ReadAtContext(ctx, p, from)
		if errors.Is(err, io.EOF) && to < 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := w.Write(p[:n]); err != nil {
			return err
		}
		if err := conn.Flush(); err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

// cut ends a response so that its reader cannot take it for a whole one: the
// connection is reset. A body without a length would look complete to ffmpeg
// if it were merely closed.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // how net/http is told to drop a connection
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // at worst it is closed and not reset
	}
	_ = conn.Close()
}
