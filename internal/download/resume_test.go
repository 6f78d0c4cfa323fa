package download

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// childMain is the test binary as a downloader that is going to be killed: it
// prints how many bytes it holds.
func childMain() bool {
	url := os.Getenv("SPOOL_TEST_GET")
	if url == "" {
		return false
	}
	if os.Getenv("SPOOL_TEST_JUMP") != "" {
		jumpMain(url, os.Getenv("SPOOL_TEST_PATH"))
		return true
	}
	c := &Client{Guard: here, Checkpoint: 64 << 10}
	_, err := c.Get(context.Background(), Request{URL: url, Path: os.Getenv("SPOOL_TEST_PATH")}, func(done, _ int64) {
		fmt.Println(done)
	})
	fmt.Println("ended:", err)
	return true
}

// half serves half of the body and then nothing, until it is told otherwise.
func half() *hostile {
	return &hostile{trick: func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
		at := h.head(w, r)
		if n == 1 {
			h.send(w, at, len(h.body)/2)
			<-r.Context().Done()
			return
		}
		h.send(w, at, len(h.body))
	}}
}

// What came before a server fell silent is durable soon, although nothing
// follows it.
func TestSilenceIsDurable(t *testing.T) {
	h := half()
	path := filepath.Join(t.TempDir(), "source")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := (&Client{Guard: here}).Get(ctx, Request{URL: start(t, h), Path: path}, nil)
		ended <- err
	}()
	late := time.After(time.Minute)
	for look := time.Tick(5 * time.Millisecond); ; <-look {
		var rec record
		if readJSON(PartPath(path)+".json", &rec) == nil && rec.Have.Len() == int64(len(h.body)/2) {
			break
		}
		select {
		case <-late:
			t.Fatalf("%d bytes are durable of %d", rec.Have.Len(), len(h.body)/2)
		default:
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestKilledDownloadGoesOn(t *testing.T) {
	h := half()
	url := start(t, h)
	path := filepath.Join(t.TempDir(), "source")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SPOOL_TEST_GET="+url, "SPOOL_TEST_PATH="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != fmt.Sprint(len(h.body)/2) {
		if strings.HasPrefix(lines.Text(), "ended") {
			t.Fatal(lines.Text())
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	var rec record
	if err := readJSON(PartPath(path)+".json", &rec); err != nil || rec.Have.Len() < int64(len(h.body)/2-64<<10) {
		t.Fatalf("the killed download left %d durable bytes of %d (%v)", rec.Have.Len(), len(h.body)/2, err)
	}
	h.served.Store(0)
	c := quick()
	defer c.Close()
	res, err := c.Get(t.Context(), Request{URL: url, Path: path, SHA256: sum(h.body)}, nil)
	if err != nil || res.SHA256 != sum(h.body) {
		t.Fatalf("Get = %+v, %v", res, err)
	}
	if want := int64(len(h.body)) - rec.Have.Len(); h.served.Load() != want {
		t.Errorf("%d bytes were sent again, want the %d that were not durable", h.served.Load(), want)
	}
}

func TestCancelledDownloadGoesOn(t *testing.T) {
	h := half()
	url := start(t, h)
	path := filepath.Join(t.TempDir(), "source")
	c := quick()
	c.Stall = time.Minute
	defer c.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	drained := errors.New("drained")
	_, err := c.Get(ctx, Request{URL: url, Path: path}, func(done, _ int64) {
		if done == int64(len(h.body)/2) {
			cancel(drained)
		}
	})
	if !errors.Is(err, drained) {
		t.Fatalf("Get = %v, want the cause of the cancel", err)
	}
	h.served.Store(0)
	res, err := c.Get(t.Context(), Request{URL: url + "#fragment", Path: path}, nil)
	if err != nil || res.SHA256 != sum(h.body) {
		t.Fatalf("Get = %+v, %v", res, err)
	}
	if got := h.served.Load(); got != int64(len(h.body)/2) {
		t.Errorf("%d bytes were sent for the second half", got)
	}
	before := h.requests.Load()
	again, err := c.Get(t.Context(), Request{URL: url, Path: path}, nil)
	if err != nil || again != res || h.requests.Load() != before {
		t.Errorf("a finished download: %+v, %v, %d requests", again, err, h.requests.Load()-before)
	}
}

// All bytes were durable, and the power went before the rename.
func TestCompletePartNeedsNoNetwork(t *testing.T) {
	h := half()
	url := start(t, h)
	path := filepath.Join(t.TempDir(), "source")
	u, err := quick().parse(url)
	if err != nil {
		t.Fatal(err)
	}
	p, err := openNamed(path, identity(u), u)
	if err != nil {
		t.Fatal(err)
	}
	p.Length = int64(len(h.body))
	if _, err := p.put(h.body, 0); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.checkpoint(), p.close()); err != nil {
		t.Fatal(err)
	}
	c := quick()
	defer c.Close()
	res, err := c.Get(t.Context(), Request{URL: url, Path: path}, nil)
	if err != nil || res.SHA256 != sum(h.body) || h.requests.Load() != 0 {
		t.Errorf("Get = %+v, %v with %d requests", res, err, h.requests.Load())
	}
}

// A side-file that does not fit to its part is not believed.
func TestDamagedRecords(t *testing.T) {
	damage := map[string]func(path string) error{
		"no record":        func(p string) error { return os.Remove(PartPath(p) + ".json") },
		"no JSON":          func(p string) error { return os.WriteFile(PartPath(p)+".json", []byte("{"), 0o600) },
		"part is shorter":  func(p string) error { return os.Truncate(PartPath(p), 10) },
		"part is longer":   func(p string) error { return appendTo(PartPath(p), "garbage after the checkpoint") },
		"hash is no hash":  func(p string) error { return rewrite(p, func(r *record) { r.Hash = []byte("x") }) },
		"another URL":      func(p string) error { return rewrite(p, func(r *record) { r.Key = "other" }) },
		"another format":   func(p string) error { return rewrite(p, func(r *record) { r.V = 99 }) },
		"more than it is":  func(p string) error { return rewrite(p, func(r *record) { r.Length = 3 }) },
		"negative span":    func(p string) error { return rewrite(p, func(r *record) { r.Have[0].From = -1 }) },
		"spans that touch": func(p string) error { return rewrite(p, func(r *record) { r.Have = append(r.Have, r.Have...) }) },
		"too much hashed":  func(p string) error { return rewrite(p, func(r *record) { r.Hashed = r.Have[0].To + 1 }) },
		"nothing hashed":   func(p string) error { return rewrite(p, func(r *record) { r.Hashed, r.Hash = 0, nil }) },
	}
	for name, do := range damage {
		t.Run(name, func(t *testing.T) {
			h := &hostile{trick: func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
				if n == 1 {
					h.cut(w, r, size/2)
				}
				h.good(w, r)
			}}
			url := start(t, h)
			path := filepath.Join(t.TempDir(), "source")
			c := quick()
			c.Attempts = 1
			defer c.Close()
			_, err := c.Get(t.Context(), Request{URL: url, Path: path}, nil)
			wantFault(t, err, "connection-lost")
			if err := do(path); err != nil {
				t.Fatal(err)
			}
			res, err := c.Get(t.Context(), Request{URL: url, Path: path}, nil)
			if err != nil || res.SHA256 != sum(h.body) {
				t.Errorf("Get = %+v, %v", res, err)
			}
		})
	}
}

func appendTo(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func rewrite(path string, edit func(*record)) error {
	var r record
	if err := readJSON(PartPath(path)+".json", &r); err != nil {
		return err
	}
	edit(&r)
	return writeJSON(PartPath(path)+".json", r)
}

// A changed file at the server never gives a spliced one.
func TestChangedFile(t *testing.T) {
	two := source(size)
	for i := range two[100:] {
		two[100+i] ^= 0x55
	}
	h := &hostile{}
	h.trick = func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			h.cut(w, r, size/2)
		}
		w.Header().Set("ETag", `"two"`)
		http.ServeContent(w, r, "v.mp4", time.Time{}, strings.NewReader(string(two)))
	}
	url := start(t, h)
	c := quick()
	c.Checkpoint = 10 << 10
	res, _, err := fetchTo(t, c, url)
	if err != nil || res.SHA256 != sum(two) || res.ETag != `"two"` {
		t.Errorf("Get = %+v, %v; want the new file whole", res, err)
	}
}
