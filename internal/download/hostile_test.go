package download

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/guard"
)

type trick struct {
	name string
	do   func(h *hostile, w http.ResponseWriter, r *http.Request, n int)
	code string // of the error; "" = the file arrives whole
	edit func(c *Client)
	// most bodies' bytes that the server may have to send; 0 = not counted
	most int
}

const size = 600 << 10

func answer(status int) func(*hostile, http.ResponseWriter, *http.Request, int) {
	return func(_ *hostile, w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(status) }
}

func say(kind, body string) func(*hostile, http.ResponseWriter, *http.Request, int) {
	return func(_ *hostile, w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(padded(body))
	}
}

func redirect(to func(r *http.Request) string) func(*hostile, http.ResponseWriter, *http.Request, int) {
	return func(_ *hostile, w http.ResponseWriter, r *http.Request, _ int) {
		w.Header().Set("Location", to(r))
		w.WriteHeader(http.StatusFound)
	}
}

func tricks() []trick {
	first := func(once func(h *hostile, w http.ResponseWriter, r *http.Request)) func(*hostile, http.ResponseWriter, *http.Request, int) {
		return func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
			if n == 1 {
				once(h, w, r)
				return
			}
			h.good(w, r)
		}
	}
	resumed := func(then func(h *hostile, w http.ResponseWriter, r *http.Request)) func(*hostile, http.ResponseWriter, *http.Request, int) {
		return func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
			if n == 1 {
				h.cut(w, r, size/2)
			}
			then(h, w, r)
		}
	}
	status := func(code int) func(*hostile, http.ResponseWriter, *http.Request) {
		return func(_ *hostile, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	return []trick{
		{name: "good", do: first((*hostile).good), most: size},
		{name: "short body", do: first(func(h *hostile, w http.ResponseWriter, r *http.Request) { h.cut(w, r, size/3) }), most: size},
		{name: "short body each time", do: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) { h.cut(w, r, 250<<10) }, most: size},
		{name: "short for ever", do: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) { h.cut(w, r, 5000) }, code: "connection-lost"},
		{name: "reset", do: first(func(h *hostile, w http.ResponseWriter, _ *http.Request) {
			wire(w, append(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nETag: \"one\"\r\nContent-Length: %d\r\n\r\n", size), h.body[:100<<10]...), true)
		})},
		{name: "closed without an answer", do: first(func(_ *hostile, w http.ResponseWriter, _ *http.Request) { wire(w, nil, false) })},
		{name: "stall in mid body", do: first(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			h.send(w, h.head(w, r), size/2)
			<-r.Context().Done()
		}), most: size},
		{name: "stall before the head", do: func(_ *hostile, _ http.ResponseWriter, r *http.Request, _ int) { <-r.Context().Done() }, code: "stalled"},
		{name: "slow-loris", do: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
			h.head(w, r)
			h.drip(w, r)
		}, code: "too-slow", edit: func(c *Client) { c.MinRate = 100 << 10; c.Attempts = 2 }},
		{name: "extra bytes after the length", do: func(h *hostile, w http.ResponseWriter, _ *http.Request, _ int) {
			raw := append(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", size), h.body...)
			wire(w, append(raw, "and more"...), false)
		}},
		{name: "extra bytes in a range", do: resumed(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			if at := from(r); at > 0 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, size-1, size))
				w.WriteHeader(http.StatusPartialContent) // chunked: no length
				h.send(w, at, size)
				_, _ = w.Write([]byte("and more"))
				return
			}
			h.good(w, r)
		})},
		{name: "200 for 206", do: resumed(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			h.good(w, r)
		}), most: size * 3 / 2},
		{name: "never resumes", do: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
			r.Header.Del("Range")
			h.cut(w, r, size/2)
		}, code: "source-unstable", edit: func(c *Client) { c.Attempts = 9 }},
		{name: "wrong Content-Range", do: resumed(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			if at := from(r); at > 0 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at-7, size-8, size))
				w.Header().Set("Content-Length", strconv.Itoa(size-at))
				w.WriteHeader(http.StatusPartialContent)
				h.send(w, at-7, size-7)
				return
			}
			h.good(w, r)
		})},
		{name: "garbage Content-Range", do: resumed(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			if from(r) > 0 {
				w.Header().Set("Content-Range", "bytes all of it")
				w.WriteHeader(http.StatusPartialContent)
				h.send(w, 0, size)
				return
			}
			h.good(w, r)
		})},
		{name: "206 unasked", do: func(h *hostile, w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 100-%d/%d", size-1, size))
			w.WriteHeader(http.StatusPartialContent)
			h.send(w, 100, size)
		}, code: "bad-range"},
		{name: "a smaller part than asked for", do: func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
			at := from(r)
			if n == 1 {
				h.cut(w, r, 100<<10)
			}
			to := min(at+300<<10, size)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, to-1, size))
			w.Header().Set("Content-Length", strconv.Itoa(to-at))
			w.WriteHeader(http.StatusPartialContent)
			h.send(w, at, to)
		}, most: size},
		{name: "ETag changes, 206 all the same", do: resumed(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			if at := from(r); at > 0 {
				w.Header().Set("ETag", `"two"`)
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, size-1, size))
				w.WriteHeader(http.StatusPartialContent)
				h.send(w, at, size)
				return
			}
			h.good(w, r)
		})},
		{name: "length changes", do: resumed(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			if at := from(r); at > 0 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, size+99, size+100))
				w.WriteHeader(http.StatusPartialContent)
				return
			}
			h.good(w, r)
		})},
		{name: "416 for a file that shrank", do: resumed(func(h *hostile, w http.ResponseWriter, r *http.Request) {
			if from(r) > 0 {
				w.Header().Set("Content-Range", "bytes */5")
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			h.good(w, r)
		})},
		{name: "403 on resume", do: resumed(status(403)), code: "link-expired"},
		{name: "404 on resume", do: resumed(status(404)), code: "link-expired"},
		{name: "404", do: answer(404), code: "http-404"},
		{name: "410", do: answer(410), code: "http-410"},
		{name: "401", do: answer(401), code: "http-401"},
		{name: "403", do: answer(403), code: "http-403"},
		{name: "418", do: answer(418), code: "http-418"},
		{name: "204", do: answer(204), code: "http-204"},
		{name: "429", do: answer(429), code: "http-429"},
		{name: "500 for ever", do: answer(500), code: "http-500"},
		{name: "500 then ok", do: first(func(_ *hostile, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }), most: size},
		{name: "503 then ok", do: first(func(_ *hostile, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }), most: size},
		{name: "zero bytes", do: func(_ *hostile, w http.ResponseWriter, _ *http.Request, _ int) { w.Header().Set("Content-Length", "0") }, code: "empty-file"},
		{name: "zero bytes, chunked", do: func(_ *hostile, w http.ResponseWriter, _ *http.Request, _ int) { w.(http.Flusher).Flush() }, code: "empty-file"},
		{name: "no length", do: func(h *hostile, w http.ResponseWriter, _ *http.Request, _ int) { h.send(w, 0, size) }, most: size},
		{name: "no length, cut, resumable", do: func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
			if n == 1 {
				w.Header().Set("ETag", `"one"`)
				h.send(w, 0, size/2)
				panic(http.ErrAbortHandler)
			}
			h.good(w, r)
		}, most: size},
		{name: "no length, cut, no validator", do: func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
			h.send(w, 0, size/2)
			if n == 1 {
				panic(http.ErrAbortHandler)
			}
			h.send(w, size/2, size)
		}, most: size * 3 / 2},
		{name: "chunked and cut for ever", do: func(h *hostile, w http.ResponseWriter, _ *http.Request, _ int) {
			h.send(w, 0, size/2)
			panic(http.ErrAbortHandler)
		}, code: "connection-lost"},
		{name: "HTML", do: say("text/html", "<!DOCTYPE html><html><body>sorry"), code: "not-a-video"},
		{name: "HTML called video/mp4", do: say("video/mp4", "\n <html><title>Login"), code: "not-a-video"},
		{name: "video called text/html", do: func(h *hostile, w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Content-Type", "text/html")
			h.send(w, 0, size)
		}, most: size},
		{name: "JSON", do: say("application/json", `{"error":"quota"}`), code: "not-a-video"},
		{name: "XML", do: say("application/xml", `<?xml version="1.0"?><Error><Code>AccessDenied`), code: "not-a-video"},
		{name: "HLS playlist", do: say("video/mp4", "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"), code: "not-a-video"},
		{name: "gzip coding", do: func(h *hostile, w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(h.body)
			_ = z.Close()
		}, code: "content-encoding"},
		{name: "gzip body", do: func(h *hostile, w http.ResponseWriter, _ *http.Request, _ int) {
			z := gzip.NewWriter(w)
			_, _ = z.Write(h.body)
			_ = z.Close()
		}, code: "not-a-video"},
		{name: "redirect loop", do: redirect(func(r *http.Request) string { return r.URL.Path }), code: "redirect-loop"},
		{name: "20 hops", do: redirect(func(r *http.Request) string { return r.URL.Path + "x" }), code: "redirect-loop"},
		{name: "5 hops", do: func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
			if n <= 5 {
				http.Redirect(w, r, "/"+strings.Repeat("x", n), http.StatusMovedPermanently)
				return
			}
			h.good(w, r)
		}, most: size},
		{name: "redirect to file:", do: redirect(func(*http.Request) string { return "file:///etc/passwd" }), code: "bad-redirect"},
		{name: "redirect to nowhere", do: redirect(func(*http.Request) string { return "" }), code: "bad-redirect"},
		{name: "not HTTP", do: func(_ *hostile, w http.ResponseWriter, _ *http.Request, _ int) {
			wire(w, []byte("SSH-2.0-OpenSSH_9.2\r\n"), false)
		}, code: "connection-lost"},
		{name: "endless header", do: func(_ *hostile, w http.ResponseWriter, _ *http.Request, _ int) {
			wire(w, append([]byte("HTTP/1.1 200 OK\r\nX: "), bytes.Repeat([]byte("a"), 2<<20)...), true)
		}, code: "connection-lost"},
		{name: "endless body", do: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
			for r.Context().Err() == nil {
				h.send(w, 0, size)
			}
		}, code: "too-large", edit: func(c *Client) { c.MaxBytes = 2 << 20 }},
		{name: "announced too large", do: first((*hostile).good), code: "too-large", edit: func(c *Client) { c.MaxBytes = size - 1 }},
	}
}

// drip sends a byte every few milliseconds.
func (h *hostile) drip(w http.ResponseWriter, r *http.Request) {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for i := range h.body {
		h.send(w, i, i+1)
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		}
	}
}

func TestHostileServer(t *testing.T) {
	all := tricks()
	if len(all) < 25 {
		t.Fatalf("%d tricks, want at least 25", len(all))
	}
	for _, tr := range all {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			h := &hostile{trick: tr.do}
			url := start(t, h) + "/CANARY/../v?token=CANARY-q"
			url = strings.Replace(url, "http://", "http://user:CANARY-p@", 1)
			c := quick()
			if tr.edit != nil {
				tr.edit(c)
			}
			res, path, err := fetchTo(t, c, url)
			if tr.code != "" {
				wantFault(t, err, tr.code)
				if _, err := os.Stat(path); !os.IsNotExist(err) {
					t.Errorf("there is a final file after %s", tr.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil || sum(got) != sum(h.body) || res.SHA256 != sum(h.body) || res.Size != int64(len(h.body)) {
				t.Fatalf("got %d bytes (%v), result %+v; not the source", len(got), err, res)
			}
			if served := h.served.Load(); tr.most > 0 && served > int64(tr.most) {
				t.Errorf("the server sent %d bytes, want at most %d", served, tr.most)
			}
			nothingLeft(t, path)
		})
	}
}

func wantFault(t *testing.T, err error, code string) {
	t.Helper()
	e := spool.AsError(err)
	if err == nil || e.Code != code {
		t.Fatalf("error = %v (code %v), want code %q", err, e, code)
	}
	if e.Reason == "" || e.Hint == "" && e.Class == spool.Permanent {
		t.Errorf("error %q has no reason or no hint: %+v", code, e)
	}
	if strings.Contains(err.Error()+e.Hint, "CANARY-") {
		t.Errorf("the error tells a secret: %v", err)
	}
}

// nothingLeft: beside the file there is its record and no more, and no secret
// in it.
func nothingLeft(t *testing.T, path string) {
	t.Helper()
	for _, gone := range []string{PartPath(path), PartPath(path) + ".json", PartPath(path) + ".json.new", RecordPath(path) + ".new"} {
		if _, err := os.Stat(gone); !os.IsNotExist(err) {
			t.Errorf("%s is left", gone)
		}
	}
	b, err := os.ReadFile(RecordPath(path))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "CANARY-") {
		t.Errorf("the record holds a secret: %s", b)
	}
}

func TestTLSFaults(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = discard()
	srv.StartTLS()
	defer srv.Close()
	_, _, err := fetchTo(t, quick(), srv.URL+"/v.mp4")
	wantFault(t, err, "tls")

	shy := httptest.NewUnstartedServer(http.NotFoundHandler())
	shy.Config.ErrorLog = discard()
	shy.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	shy.StartTLS()
	defer shy.Close()
	c := quick()
	c.Transport = shy.Client().Transport
	_, _, err = fetchTo(t, c, shy.URL+"/v.mp4")
	wantFault(t, err, "tls")

	plain := start(t, &hostile{trick: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) { h.good(w, r) }})
	_, _, err = fetchTo(t, quick(), strings.Replace(plain, "http:", "https:", 1))
	wantFault(t, err, "tls")
}

// TestRedirectsAreGuarded: a server that may be asked leads to none that may
// not, and neither does the address itself.
func TestRedirectsAreGuarded(t *testing.T) {
	t.Parallel()
	inside := &hostile{trick: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) { h.good(w, r) }}
	secret := start(t, inside)
	for to, code := range map[string]string{
		secret + "/v.mp4": guard.CodeAddress,
		strings.Replace(secret, "127.0.0.1", "[::ffff:127.0.0.1]", 1) + "/v.mp4": guard.CodeAddress,
		strings.Replace(secret, "127.0.0.1", "localhost", 1) + "/v.mp4":          guard.CodeAddress,
		strings.Replace(secret, "127.0.0.1", "2130706433", 1) + "/v.mp4":         guard.CodeHost,
		"http://169.254.169.254/latest/":                                         guard.CodeAddress,
		"http://127.0.0.1:25/":                                                   guard.CodePort,
	} {
		c := quick()
		c.Guard = guard.Policy{}
		_, _, err := fetchTo(t, c, to)
		wantFault(t, err, code)

		c = quick()
		c.Guard = guard.Policy{}
		c.Transport = hopper{"http://public.example/v.mp4", to, c.Guard.Transport()}
		_, _, err = fetchTo(t, c, "http://public.example/v.mp4")
		wantFault(t, err, code)
	}
	if n := inside.requests.Load(); n > 0 {
		t.Errorf("the server inside was asked %d times", n)
	}
}

// hopper answers one address with a redirect, and asks the network for others.
type hopper struct {
	at, to string
	next   http.RoundTripper
}

func (h hopper) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.String() != h.at {
		return h.next.RoundTrip(r)
	}
	return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {h.to}}, Body: http.NoBody, Request: r}, nil
}
