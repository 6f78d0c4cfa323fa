package download

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spool-video/spool"
)

func TestBadRequests(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ url, code string }{
		{"ftp://127.0.0.1/CANARY-x", "bad-scheme"},
		{"file:///etc/passwd", "bad-scheme"},
		{"-v.mp4", "bad-scheme"},
		{"http://", "bad-url"},
		{"http://a b/?s=CANARY-x", "bad-url"},
		{"http://%zz/?s=CANARY-x", "bad-url"},
		{"http://" + closed + "/v.mp4?s=CANARY-x", "refused"},
		{"http://no-such-host.invalid/v.mp4?s=CANARY-x", "no-such-host"},
	} {
		_, _, err := fetchTo(t, quick(), tc.url)
		wantFault(t, err, tc.code)
	}
	c := quick()
	_, err = c.Get(t.Context(), Request{URL: "http://127.0.0.1/v", Path: filepath.Join(t.TempDir(), "no", "v")}, nil)
	wantFault(t, err, "folder-missing")
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-7": 0, "soon": 0, "7.5": 0,
		"99999999": time.Hour, "99999999999999999999999": time.Hour,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute,
		"Fri, 02 Jan 2026 03:00:05 GMT": 0,
		"Fri, 02 Jan 2099 03:00:05 GMT": time.Hour,
	} {
		h := http.Header{"Retry-After": {text}}
		if got := retryAfter(h, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", text, got, want)
		}
	}
}

// A short Retry-After is waited for, a long one is handed to the caller.
func TestRetryAfterIsObeyed(t *testing.T) {
	var waits []time.Duration
	h := &hostile{trick: func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		h.good(w, r)
	}}
	c := quick()
	c.Wait = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
	if _, _, err := fetchTo(t, c, start(t, h)); err != nil {
		t.Fatal(err)
	}
	if len(waits) != 1 || waits[0] != 2*time.Second {
		t.Errorf("waits = %v, want one of 2 s", waits)
	}
	busy := &hostile{trick: func(_ *hostile, w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Retry-After", "123456789")
		w.WriteHeader(http.StatusServiceUnavailable)
	}}
	_, _, err := fetchTo(t, quick(), start(t, busy))
	wantFault(t, err, "http-503")
	if e := spool.AsError(err); e.After != time.Hour || e.Class != spool.Transient || busy.requests.Load() != 1 {
		t.Errorf("error %+v after %d requests, want After = 1 h after one", e, busy.requests.Load())
	}
}

func TestBackoffGrowsAndEnds(t *testing.T) {
	for tries := 1; tries < 200; tries++ {
		want := min(time.Second<<min(tries-1, 20), longestBackoff)
		if d := backoff(time.Second, tries); d < want/2 || d > want {
			t.Errorf("backoff after %d tries = %v, want %v to %v", tries, d, want/2, want)
		}
	}
}

func TestSizeAndChecksum(t *testing.T) {
	h := &hostile{trick: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) { h.good(w, r) }}
	url := start(t, h)
	c := quick()
	defer c.Close()
	get := func(r Request) error {
		r.URL, r.Path = url, filepath.Join(t.TempDir(), "v")
		_, err := c.Get(t.Context(), r, nil)
		return err
	}
	wantFault(t, get(Request{Size: 5}), "wrong-size")
	wantFault(t, get(Request{SHA256: strings.Repeat("0", 64)}), "checksum")
	if err := get(Request{Size: size, SHA256: strings.ToUpper(sum(h.body))}); err != nil {
		t.Error(err)
	}
	// A file of several answers is fetched once more before it is given up.
	want := sum(source(size))
	cut := &hostile{trick: func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			spoilt := &hostile{body: append([]byte("\x00\x01"), h.body[2:]...)}
			spoilt.cut(w, r, size/2)
		}
		h.good(w, r)
	}}
	cutURL := start(t, cut)
	res, err := c.Get(t.Context(), Request{URL: cutURL, Path: filepath.Join(t.TempDir(), "v"), SHA256: want}, nil)
	if err != nil || res.SHA256 != want || cut.requests.Load() != 3 {
		t.Errorf("a spliced file: %+v, %v after %d requests", res, err, cut.requests.Load())
	}

	full := &spool.Error{Class: spool.Environment, Code: "scratch-full", Reason: "full"}
	c2 := quick()
	c2.Room = func(_ string, missing int64) error {
		if missing != size {
			t.Errorf("Room is asked for %d bytes", missing)
		}
		return full
	}
	_, _, err = fetchTo(t, c2, url)
	wantFault(t, err, "scratch-full")
}

// Credentials go to the host that they are for, and to no other.
func TestCredentialsStayAtTheirHost(t *testing.T) {
	secret := []string{"Authorization", "Cookie", "X-Api-Key"}
	seen := make(chan http.Header, 1)
	other := start(t, &hostile{trick: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
		seen <- r.Header.Clone()
		h.good(w, r)
	}})
	var first http.Header
	home := start(t, &hostile{trick: func(_ *hostile, w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			first = r.Header.Clone()
			http.Redirect(w, r, "/again", http.StatusFound)
			return
		}
		if r.Header.Get("Cookie") == "" || r.Header.Get("Authorization") == "" {
			t.Errorf("credentials are lost at their own host: %v", r.Header)
		}
		http.Redirect(w, r, other+"/v.mp4", http.StatusFound)
	}})
	c := quick()
	defer c.Close()
	_, err := c.Get(t.Context(), Request{
		URL:    strings.Replace(home, "http://", "http://me:secret@", 1),
		Header: http.Header{"Cookie": {"s=1"}, "X-Api-Key": {"k"}, "Accept": {"video/*"}},
		Path:   filepath.Join(t.TempDir(), "v"),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := <-seen
	for _, name := range secret {
		if first.Get(name) == "" || got.Get(name) != "" {
			t.Errorf("%s: %q at home, %q at the other host", name, first.Get(name), got.Get(name))
		}
	}
	if got.Get("Accept") != "video/*" || got.Get("Accept-Encoding") != "identity" || got.Get("Referer") != "" {
		t.Errorf("headers at the other host: %v", got)
	}
}

func TestPerHostLimit(t *testing.T) {
	const gets = 6
	var now, most atomic.Int64
	full := make(chan struct{})
	var once sync.Once
	h := &hostile{trick: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if n == 2 {
			once.Do(func() { close(full) })
		}
		<-full // the first waits until there are two
		h.head(w, r)
		h.send(w, 0, len(h.body)-1)
		now.Add(-1)
		h.send(w, len(h.body)-1, len(h.body))
	}}
	url := start(t, h)
	c := &Client{Guard: here, PerHost: 2}
	defer c.Close()
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range gets {
		group.Go(func() {
			_, err := c.Get(t.Context(), Request{URL: url, Path: filepath.Join(dir, string(rune('a'+i)))}, nil)
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if most.Load() != 2 {
		t.Errorf("%d downloads at a time, want 2", most.Load())
	}
}

func TestWaitingForAHostCanBeCancelled(t *testing.T) {
	h := hosts{limit: 1}
	release, err := h.acquire(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.acquire(ctx, "a"); err == nil {
		t.Error("a busy host was given away")
	}
	release()
	if _, err := h.acquire(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

func TestIdentity(t *testing.T) {
	id := func(s string) string {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return identity(u)
	}
	base := id("https://h/v.mp4?id=1")
	for _, same := range []string{
		"https://u:p@h/v.mp4?id=1", "https://H/v.mp4?id=1#t=3",
		"https://h/v.mp4?X-Amz-Signature=a&id=1&X-Amz-Date=b", "https://h/v.mp4?id=1&sig=x&se=y&sp=r",
	} {
		if id(same) != base {
			t.Errorf("%s is taken for another file", same)
		}
	}
	for _, other := range []string{"https://h/v.mp4?id=2", "http://h/v.mp4?id=1", "https://h/w.mp4?id=1", "https://h/v.mp4?id=1&part=2"} {
		if id(other) == base {
			t.Errorf("%s is taken for the same file", other)
		}
	}
	secret, err := url.Parse("https://u:p@h/v.mp4?sig=s#x")
	if err != nil {
		t.Fatal(err)
	}
	if got := redact(secret); got != "https://h/v.mp4?…" {
		t.Errorf("redact = %q", got)
	}
}

func TestNotWritable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("root writes everywhere: judged by the error alone")
	}
	wantFault(t, diskFault("open", "/x/y.part", &os.PathError{Op: "open", Path: "/x/y.part", Err: os.ErrPermission}), "not-writable")
}

func FuzzSniff(f *testing.F) {
	for _, s := range []string{"<html>", "\xef\xbb\xbf{}", "\xff\xfe<\x00h\x00", "#EXTM3U", "\x47\x40", "plain", "", "\x1f\x8b", "<?xml ?><MPD>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := Sniff(b); n != nil && (n.Name == "" || n.Kind == "") {
			t.Errorf("Sniff(%q) = %+v", b, n)
		}
	})
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-4/5", "bytes */5", "bytes 0-4/*", "bytes 4-0/5", "bytes 0-9/5", "items 0-4/5", "bytes +1-4/5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := parseContentRange(s)
		if ok && r.first >= 0 && (r.last < r.first || r.total >= 0 && r.last >= r.total) {
			t.Errorf("parseContentRange(%q) = %+v", s, r)
		}
	})
}

func TestSniff(t *testing.T) {
	for body, want := range map[string]string{
		"<!DOCTYPE html>": "html", "  \n<HTML>": "html", "<div>x": "html", "\xef\xbb\xbf<html>": "html",
		"<!doctype html>caf\xe9": "html", "\xff\xfe<\x00h\x00t\x00m\x00l\x00>\x00": "html",
		"<?xml version='1.0'?><rss>": "xml", "<Error><Code>": "xml", `<?xml version="1.0"?><MPD xmlns="x">`: "dash",
		`{"a":1}`: "json", "[1]": "json", "#EXTM3U\n": "hls", "ffconcat version 1.0\nfile x": "text", "v=0\r\no=-": "text",
		"PK\x03\x04": "archive", "\x1f\x8b\x08": "archive", "%PDF-1.4\n\x00": "document",
		"\x00\x00\x00\x18ftyp": "", "\x1aE\xdf\xa3": "", "G@\x00\x10\x00": "", "RIFF\x00\x10\x00\x00AVI ": "", "FLV\x01": "", "OggS\x00": "",
		"ID3\x04\x00": "", "fLaC\x00\x00\x00\x22": "", "\xff\xfb\x90\x00": "", "\xff\xf1\x50\x80": "",
	} {
		got := ""
		if n := Sniff([]byte(body)); n != nil {
			got = n.Kind
		}
		if got != want {
			t.Errorf("Sniff(%q) = %q, want %q", body, got, want)
		}
	}
}

// Time that our own disk takes is not held against the server.
func TestSlowDiskIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, w := newWatch(t.Context(), &Client{MinRate: 1 << 40})
		defer w.stop()
		w.hold()
		for range 3 {
			<-time.After(time.Hour) // we are busy
			w.came(1, 0)
		}
		if err := context.Cause(ctx); err != nil {
			t.Errorf("the watch ended the request: %v", err)
		}
		w.came(1, time.Hour)
		if !errors.Is(context.Cause(ctx), errSlow) {
			t.Errorf("the cause is %v, want %v", context.Cause(ctx), errSlow)
		}
	})
}

func TestStallEndsARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, w := newWatch(t.Context(), &Client{})
		defer w.stop()
		w.expect()
		<-time.After(defaultStall - time.Second)
		if err := context.Cause(ctx); err != nil {
			t.Errorf("the watch ended the request early: %v", err)
		}
		<-time.After(2 * time.Second)
		if !errors.Is(context.Cause(ctx), errStalled) {
			t.Errorf("the cause is %v, want %v", context.Cause(ctx), errStalled)
		}
	})
}
