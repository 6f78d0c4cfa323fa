package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

//go:embed watch.html
var watchPage []byte

// word is what the viewer's page tells.
type word struct {
	What string `json:"what"` // "waiting", "listed", "frame" or "error"
	Text string `json:"text"`
	at   time.Time
}

// viewer is a browser that opens a video's early list as soon as it is there.
type viewer struct {
	words   chan word
	server  *http.Server
	served  chan struct{} // closed when the server has returned
	browser *exec.Cmd
	gone    chan struct{} // closed when the browser has ended
	profile string
}

// openViewer starts a browser with a page that waits for the early list of the
// video in that folder, which need not be there yet.
func (b *bench) openViewer(ctx context.Context, folder string) (*viewer, error) {
	players, err := filepath.Glob(b.player)
	if err != nil || len(players) == 0 {
		return nil, fmt.Errorf("no hls.js at %s: %w", b.player, errors.Join(err, os.ErrNotExist))
	}
	profile, err := os.MkdirTemp(b.dir, "browser-")
	if err != nil {
		return nil, err
	}
	v := &viewer{words: make(chan word, 16), served: make(chan struct{}), gone: make(chan struct{}), profile: profile}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	v.server = &http.Server{Handler: v.routes(folder, players[0]), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(v.served)
		_ = v.server.Serve(listener) // always ErrServerClosed: Close ends it
	}()
	v.browser = exec.CommandContext(ctx, b.chromium, browserFlags(profile, "http://"+listener.Addr().String()+"/")...)
	v.browser.Env = append(os.Environ(), "HOME="+profile, "XDG_CONFIG_HOME="+profile, "XDG_CACHE_HOME="+profile)
	v.browser.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it is many processes, and all are to end
	v.browser.Cancel = v.killBrowser
	if err := v.browser.Start(); err != nil {
		v.closeServer()
		return nil, err
	}
	go func() {
		defer close(v.gone)
		_ = v.browser.Wait() // whoever still listens to it says so
	}()
	return v, nil
}

// browserFlags make Chromium quiet, alone, and willing to play unasked.
func browserFlags(profile, address string) []string {
	return []string{
		"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions", "--disable-breakpad",
		"--disable-dev-shm-usage", "--mute-audio", "--autoplay-policy=no-user-gesture-required",
		// Without a port to talk to it, headless Chromium opens the page and ends.
		"--remote-debugging-port=0", "--user-data-dir=" + profile, address,
	}
}

// routes serve the page, the player, and the video's folder, and take the
// page's words.
func (v *viewer) routes(folder, player string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(watchPage) // an error means that the page is gone
	})
	mux.HandleFunc("GET /player.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, player) })
	mux.Handle("GET /video/", http.StripPrefix("/video/", http.FileServer(http.Dir(folder))))
	mux.HandleFunc("POST /told", func(w http.ResponseWriter, r *http.Request) {
		said := word{at: time.Now()}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&said); err != nil {
			http.Error(w, "not a word", http.StatusBadRequest)
			return
		}
		select {
		case v.words <- said:
		default: // nobody listens to so many
		}
	})
	return mux
}

// errBrowser says that nobody is watching any more.
var errBrowser = errors.New("the viewer's browser ended")

// hear waits for a word of that name.
func (v *viewer) hear(ctx context.Context, what string) (word, error) {
	for {
		select {
		case said := <-v.words:
			switch said.What {
			case what:
				return said, nil
			case "error":
				return word{}, fmt.Errorf("the viewer's player: %s", said.Text)
			}
		case <-v.gone:
			return word{}, errors.Join(errBrowser, context.Cause(ctx))
		case <-ctx.Done():
			return word{}, context.Cause(ctx)
		}
	}
}

func (v *viewer) killBrowser() error { return syscall.Kill(-v.browser.Process.Pid, syscall.SIGKILL) }

func (v *viewer) closeServer() {
	_ = v.server.Close()
	<-v.served
}

// Close ends the browser and its server.
func (v *viewer) Close() {
	_ = v.killBrowser() // an error means that it has ended
	<-v.gone
	v.closeServer()
	_ = os.RemoveAll(v.profile) // scratch goes at the end in any case
}
