// Package demo is a small video website on this machine, for trying Spool
// without one elsewhere: three clips that ffmpeg makes out of nothing, each
// offered in one of the ways in which the web offers videos.
package demo

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/time/rate"

	"github.com/spool-video/spool"
)

const (
	// bandwidth is what all downloads share, in bytes a second: a quick line,
	// yet slow enough to see that downloads and encoders work side by side.
	bandwidth = 2 << 20
	// sip is how much is sent at a time, in bytes.
	sip = 32 << 10
)

// Options say what the site is made with.
type Options struct {
	FFmpeg    string // program; "ffmpeg" when ""
	Bandwidth int    // bytes a second for all downloads together; 2 MiB/s when 0
	// Port is a file that keeps the site's port, so that its videos have the same
	// addresses the next time. "": none is kept.
	Port string
}

// Clip is one video of the site.
type Clip struct {
	ID    string // to publish it under
	Title string
	URL   string
	Page  bool // URL is a web page, and not the file itself
}

// Site is a website that answers. Stop must be called.
type Site struct {
	base  string
	http  *http.Server
	ended chan error // the end of Serve; one value
}

// Start makes the clips in dir, some seconds of work unless they are there,
// and serves them on 127.0.0.1, on the port that is kept or else a free one.
func Start(ctx context.Context, dir string, o Options) (*Site, error) {
	if o.FFmpeg == "" {
		o.FFmpeg = "ffmpeg"
	}
	if o.Bandwidth <= 0 {
		o.Bandwidth = bandwidth
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make demo site: %w", err)
	}
	if err := makeClips(ctx, dir, o.FFmpeg); err != nil {
		return nil, fmt.Errorf("make demo site: %w", err)
	}
	listener, err := listen(ctx, o.Port)
	if err != nil {
		return nil, err
	}
	s := &Site{
		base: "http://" + listener.Addr().String(), ended: make(chan error, 1),
		http: &http.Server{Handler: newHandler(dir, o.Bandwidth), ReadHeaderTimeout: 10 * time.Second},
	}
	go func() { s.ended <- s.http.Serve(listener) }()
	return s, nil
}

// listen takes the port that a file keeps, if it can be had, or a free one, and
// keeps that.
func listen(ctx context.Context, file string) (net.Listener, error) {
	var config net.ListenConfig
	if kept, err := os.ReadFile(file); err == nil { // or it is the first time
		if l, err := config.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", string(kept))); err == nil {
			return l, nil
		}
	}
	l, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "no-port", Reason: "the demo's website finds no port on 127.0.0.1", Err: err,
		}
	}
	if _, err := os.Stat(file); file == "" || err == nil { // what has that port now may end
		return l, nil
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(port), 0o600)); err != nil {
		return nil, errors.Join(fmt.Errorf("keep the demo site's port: %w", err), l.Close())
	}
	return l, nil
}

// Clips lists what the site offers: a file, a file whose index is at its end,
// and a page that shows a video.
func (s *Site) Clips() []Clip {
	return []Clip{
		{ID: "demo-pearls", Title: "A string of pearls", URL: s.base + "/files/pearls.mp4"},
		{ID: "demo-abyss", Title: "Into the abyss", URL: s.base + "/files/abyss.mp4"},
		{ID: "demo-garden", Title: pageTitle, URL: s.base + "/watch/garden.html", Page: true},
	}
}

// Stop lets running answers end until ctx does, then cuts them off. It
// returns when nothing runs any more.
func (s *Site) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	if ended := <-s.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve demo site: %w", ended))
	}
	return err
}

const pageTitle = "The garden of life"

var watchPage = template.Must(template.New("watch").Parse(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{{.}}</title></head>
<body>
<h1>{{.}}</h1>
<video controls width="1280" height="720" src="/files/garden.mp4"></video>
<p>Conway's game of life, with moss where cells have died.</p>
</body>
</html>
`))

func newHandler(dir string, perSecond int) http.Handler {
	limit := rate.NewLimiter(rate.Limit(perSecond), sip)
	mux := http.NewServeMux()
	for _, r := range recipes {
		mux.HandleFunc("GET /files/"+r.file, func(w http.ResponseWriter, q *http.Request) {
			serveClip(slow{w, q, limit}, q, filepath.Join(dir, r.file))
		})
	}
	mux.HandleFunc("GET /watch/garden.html", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = watchPage.Execute(w, pageTitle) // an error means that nobody listens any more
	})
	return mux
}

// serveClip answers as a good web server does: with ranges, and an ETag by
// which a resumed download knows that it is the same file.
func serveClip(w http.ResponseWriter, r *http.Request, name string) {
	file, err := os.Open(name)
	if err != nil {
		http.Error(w, "this clip is gone", http.StatusNotFound)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		http.Error(w, "this clip cannot be read", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "video/mp4")
	w.Header().Set("ETag", fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size()))
	http.ServeContent(w, r, "", info.ModTime(), file)
}

// slow sends no faster than its limit, which all answers share.
type slow struct {
	http.ResponseWriter
	request *http.Request
	limit   *rate.Limiter
}

func (s slow) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		piece := p[sent:min(sent+sip, len(p))]
		if err := s.limit.WaitN(s.request.Context(), len(piece)); err != nil {
			return sent, fmt.Errorf("send clip: %w", err)
		}
		n, err := s.ResponseWriter.Write(piece)
		sent += n
		if err != nil {
			return sent, fmt.Errorf("send clip: %w", err)
		}
	}
	return sent, nil
}
