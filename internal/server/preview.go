// Package server answers HTTP on this machine: the preview, which shows what
// lies in a destination folder and plays it.
//
// The preview is for the eyes of the person at this machine. It listens on
// 127.0.0.1, answers only requests that name this machine as their host (so
// that no web page elsewhere can read it through a name that resolves to
// here), only reads, and gives keys to nobody but programs on this machine.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
)

// Listing is one published video as the preview lists it. What is not given
// is read from the video's folder, where it is there.
type Listing struct {
	ID        string    `json:"id"`
	Title     string    `json:"title,omitempty"`
	Seconds   float64   `json:"seconds,omitempty"`
	Sizes     []string  `json:"sizes,omitempty"` // "360p"
	Encrypted bool      `json:"encrypted"`
	Published time.Time `json:"published,omitzero"`
	// Storyboard is the name of the pictures' index, below the video; always read
	// from the folder.
	Storyboard string `json:"storyboard,omitempty"`
	Poster     bool   `json:"poster"`            // there is a poster.jpg; always read from the folder
	Missing    bool   `json:"missing,omitempty"` // there is no master playlist; always read from the folder
	// Master is the master playlist: early.m3u8 of a video that is still being
	// made; always read from the folder.
	Master string `json:"master"`
}

// KeyRequest asks for the AES-128 key that a playlist names.
type KeyRequest struct {
	Video string
	// Name is the revision whose playlist names the key or, when a player asks
	// at /keys/{video}/{key}.key by itself, the name of the key.
	Name string
	// URI is the key's URI as it stands in the playlist.
	URI string
}

// ErrNoKey is wrapped by the error of Preview.Keys when there is no such key.
var ErrNoKey = errors.New("no such key")

// Preview says what to show. Dir is the only field that must be set.
type Preview struct {
	// Dir is the destination folder.
	Dir string
	// Store is a destination that is no folder; Dir is then what it is called.
	Store store.Store
	// Keys gives the 16 bytes of a key. Nil: no key is found.
	Keys func(ctx context.Context, ask KeyRequest) ([]byte, error)
	// KeysAt says in words where Keys looks, for the person whose key is not
	// found: "the folder /home/ann/keys".
	KeysAt string
	// Videos gives the published videos, newest first. Nil: the folders of Dir
	// that hold a master playlist.
	Videos func(ctx context.Context) ([]Listing, error)
	// Command is what an empty page tells the person to type; a useful one
	// when "".
	Command string
	// Port on 127.0.0.1; 0 is any free one.
	Port int
}

// Running is a preview that answers. Stop must be called.
type Running struct {
	url   string
	http  *http.Server
	root  place
	ended chan error // the end of Serve; one value
}

// Start opens the folder and the port, and answers until Stop.
func Start(ctx context.Context, p Preview) (*Running, error) {
	root, err := p.place()
	if err != nil {
		return nil, err
	}
	listener, err := listen(ctx, p.Port)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	r := &Running{
		url: "http://" + listener.Addr().String() + "/", root: root, ended: make(chan error, 1),
		http: &http.Server{
			Handler: newHandler(root, p), ReadHeaderTimeout: 10 * time.Second,
			IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		},
	}
	go func() { r.ended <- r.http.Serve(listener) }()
	return r, nil
}

func (p Preview) place() (place, error) {
	if p.Store != nil {
		return inStore{p.Store}, nil
	}
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "no-destination",
			Reason: "the folder to preview cannot be opened", Hint: "name the folder that videos were published to with --to", Err: err,
		}
	}
	return folder{root}, nil
}

func listen(ctx context.Context, port int) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "port-taken",
			Reason: fmt.Sprintf("port %d on 127.0.0.1 is taken by another program", port),
			Hint:   "choose another one with --port, or --port 0 for any free one", Err: err,
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listen 127.0.0.1:%d: %w", port, err)
	}
	return listener, nil
}

// URL is the address of the page, with a slash at its end.
func (r *Running) URL() string { return r.url }

// Stop lets running answers end until ctx does, then cuts them off. It
// returns when nothing runs any more.
func (r *Running) Stop(ctx context.Context) error {
	err := r.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, r.http.Close())
	}
	if ended := <-r.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve preview: %w", ended))
	}
	return errors.Join(err, r.root.Close())
}
