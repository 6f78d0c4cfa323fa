package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hosttest"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/remote"
)

// cellar is a bucket called far:films/in that sources lie in, and what
// goes wrong with its server.
type cellar struct {
	*remote.Store
	wrong atomic.Value // of answering: answers in the server's place
}

type answering = func(w http.ResponseWriter, r *http.Request, serve http.Handler)

// sourcesIn gives a home a bucket to take sources from.
func (h *home) sourcesIn(t *testing.T) *cellar {
	t.Helper()
	options := hosttest.S3(t)
	server, err := url.Parse(options["endpoint"])
	if err != nil {
		t.Fatal(err)
	}
	b := &cellar{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = server.Scheme, server.Host, r.In.Host // which is signed
	}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wrong, ok := b.wrong.Load().(answering); ok {
			wrong(w, r, proxy)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	options["endpoint"] = front.URL
	text := "[far]\n"
	for name, value := range options {
		text += name + " = " + value + "\n"
	}
	if err := os.WriteFile(h.path("rclone.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.env = append(h.env, "SPOOL_RCLONE_CONFIG=rclone.conf")
	b.Store, err = remote.Open(t.Context(), spool.RemotePath{Remote: "far", Path: hosttest.Bucket + "/in"}, remote.Options{Remotes: func() (remote.Remotes, error) {
		return remote.Remotes{"far": options}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *cellar) put(t *testing.T, name, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := b.Put(t.Context(), name, file, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// remux writes the streams of a film into another container, or a part of them.
func (h *home) remux(t *testing.T, from, to string, more ...string) {
	t.Helper()
	mediatest.FFmpeg(t, append(append([]string{"-i", "file:" + from, "-c", "copy"}, more...), "file:"+to)...)
}

// What lies in a bucket is encoded from there: nothing of it is copied, and
// what is made is what is made of a file that is here.
func TestEncodesFromABucket(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	b := h.sourcesIn(t)
	stream := h.path("film.ts")
	h.remux(t, h.clip, stream)
	b.put(t, "film.mp4", h.clip)
	b.put(t, "film.ts", stream)
	h.stub(t, `find $home/work -path '*/source/*' -type f -size +9k >> $home/copies`)
	for _, name := range []string{"film.mp4", "film.ts"} {
		id := strings.ReplaceAll(name, ".", "-")
		h.do(t, exitReady, "run", h.publishAs(t, id, "far:films/in/"+name))
	}
	h.do(t, exitReady, "run", h.publishAs(t, "here", h.clip))
	if d := cmp.Diff(plain(t, h.path("bucket", "here")), plain(t, h.path("bucket", "film-mp4"))); d != "" {
		t.Errorf("other segments than of a file here (-here +far):\n%s", d)
	}
	h.good(t, 3)
	if copies, err := os.ReadFile(h.path("copies")); err != nil || len(copies) > 0 {
		t.Errorf("copies of the sources: %q, %v", copies, err)
	}
}

// A source that is replaced in mid-read is read anew; one that is deleted is
// told of in a sentence.
func TestSourceInABucketChanges(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"replaced": "was replaced", "deleted": "there is no file far:films/in/film.mp4"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			b := h.sourcesIn(t)
			b.put(t, "film.mp4", h.clip)
			h.gate(t)
			c := h.start(t, "run", h.publishAs(t, "film", "far:films/in/film.mp4"))
			h.held(t, c)
			code := exitReady
			if name == "replaced" {
				other := h.path("other.mp4")
				h.remux(t, h.clip, other, "-t", "9")
				b.put(t, "film.mp4", other)
			} else {
				code = exitSomeFailed
				if err := b.Delete(t.Context(), "film.mp4"); err != nil {
					t.Fatal(err)
				}
			}
			h.open(t)
			if said := c.end(t, code); !strings.Contains(said, want) {
				t.Errorf("no %q in\n%s", want, said)
			}
			h.good(t, map[string]int{"replaced": 1, "deleted": 0}[name])
		})
	}
}

// A fifth of all ranges are refused, a fifth are cut in the middle, and a fifth
// come in drops: nothing comes of it.
func TestBucketWithFaults(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	b := h.sourcesIn(t)
	b.put(t, "film.mp4", h.clip)
	var ranges atomic.Int64
	b.wrong.Store(func(w http.ResponseWriter, r *http.Request, serve http.Handler) {
		n := int64(0)
		if r.Method == http.MethodGet && r.Header.Get("Range") != "" {
			n = ranges.Add(1)
		}
		switch n % 5 {
		case 1:
			serve.ServeHTTP(&drops{w, r.Context()}, r)
		case 2:
			http.Error(w, "<Error><Code>SlowDown</Code></Error>", http.StatusServiceUnavailable)
		case 4:
			serve.ServeHTTP(&cut{ResponseWriter: w, left: 20_000}, r)
		default:
			serve.ServeHTTP(w, r)
		}
	})
	h.do(t, exitReady, "run", h.publishAs(t, "film", "far:films/in/film.mp4"))
	h.good(t, 1)
	h.blameless(t)
	if n := ranges.Load(); n < 5 {
		t.Errorf("%d ranges", n)
	}
}

// drops is an answer that comes slowly.
type drops struct {
	http.ResponseWriter
	ctx context.Context //nolint:containedctx // that of the request
}

func (d *drops) Write(p []byte) (n int, err error) {
	for part := range slices.Chunk(p, 4<<10) {
		select {
		case <-time.After(time.Millisecond):
		case <-d.ctx.Done():
			return n, d.ctx.Err()
		}
		m, err := d.ResponseWriter.Write(part)
		if n += m; err == nil {
			err = http.NewResponseController(d.ResponseWriter).Flush()
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// cut is an answer whose connection ends early.
type cut struct {
	http.ResponseWriter
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p[:min(len(p), c.left)])
	if c.left -= n; c.left == 0 {
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}
