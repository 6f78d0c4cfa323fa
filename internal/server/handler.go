package server

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/web"
)

// handler routes by hand: http.ServeMux answers a path like /media/../x with a
// redirect, and the promise here is that such a path is simply not found.
type handler struct {
	preview Preview
	root    place
	files   http.Handler // the page's own files, below /static/
	details *details
}

func newHandler(root place, p Preview) http.Handler {
	if p.Command == "" {
		p.Command = "spool run https://example.com/video.mp4 --to " + p.Dir
	}
	if p.KeysAt == "" {
		p.KeysAt = "no place: no key folder and no ledger was given"
	}
	return &handler{
		preview: p, root: root, details: newDetails(root),
		files: http.StripPrefix("/static/", http.FileServerFS(web.Files())),
	}
}

// ServeHTTP lets only harmless requests through: for this host, to read, with
// a path that means the same to everyone.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", web.Policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cache-Control", "no-cache")
	switch {
	case !localHost(r.Host):
		http.Error(w, "the preview answers to localhost, 127.0.0.1 and [::1] only", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "the preview only reads", http.StatusMethodNotAllowed)
	case !plainPath(r):
		notFound(w)
	default:
		h.route(w, r)
	}
}

func (h *handler) route(w http.ResponseWriter, r *http.Request) {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/":
		http.ServeFileFS(w, r, web.Files(), "index.html")
	case kind == "static" && isFile(rest):
		h.files.ServeHTTP(w, r)
	case r.URL.Path == "/favicon.ico":
		http.Redirect(w, r, "/static/reel.svg", http.StatusFound)
	case r.URL.Path == "/api/videos":
		h.videos(w, r)
	case kind == "media":
		h.media(w, r, rest)
	case kind == "keys":
		h.key(w, r, rest)
	default:
		notFound(w)
	}
}

// isFile keeps listings and the redirect from index.html to ./ out.
func isFile(name string) bool {
	info, err := fs.Stat(web.Files(), name)
	return err == nil && info.Mode().IsRegular() && name != "index.html"
}

// localHost reports whether a Host header names this machine.
func localHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	switch strings.ToLower(host) {
	case "localhost", "127.0.0.1", "::1", "[::1]":
		return true
	}
	return false
}

// plainPath reports whether a path has one reading only: no dots, empty
// elements, back slashes, control characters, nor separators that were
// encoded. Dot files are nobody's business.
func plainPath(r *http.Request) bool {
	p := r.URL.Path
	raw := strings.ToLower(r.URL.EscapedPath())
	if strings.Contains(raw, "%2f") || strings.Contains(raw, "%5c") || path.Clean(p) != p {
		return false
	}
	if strings.ContainsFunc(p, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }) {
		return false
	}
	return !strings.Contains(p, "/.")
}

// fromHere reports whether a request comes from this machine.
func fromHere(r *http.Request) bool {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && at.Addr().Unmap().IsLoopback()
}

func notFound(w http.ResponseWriter) {
	http.Error(w, "not found", http.StatusNotFound)
}

// fail is the one door from an error to an answer.
func fail(w http.ResponseWriter, err error) {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoKey) {
		notFound(w)
		return
	}
	known := spool.AsError(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusInternalServerError)
	answer := map[string]string{"code": known.Code, "reason": known.Reason, "hint": known.Hint}
	_ = json.NewEncoder(w).Encode(answer) // an error means that nobody listens any more
}

func reply(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer) // an error means that nobody listens any more
}
