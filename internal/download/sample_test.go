package download

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

// box is an MP4 box with a payload of n bytes.
func box(kind string, n int) []byte {
	b := make([]byte, 8+n)
	b[0], b[1], b[2], b[3] = byte((8+n)>>24), byte((8+n)>>16), byte((8+n)>>8), byte(8+n)
	copy(b[4:], kind)
	for i := 8; i < len(b); i++ {
		b[i] = byte(i%250) + 1 // no byte is 0: a hole is told from content
	}
	return b
}

func TestSampleFetchesTheIndex(t *testing.T) {
	const big = 9 << 20
	files := map[string][]byte{
		"/first.mp4": bytes.Join([][]byte{box("ftyp", 16), box("moov", 5<<20), box("mdat", big)}, nil),
		"/last.mp4":  bytes.Join([][]byte{box("ftyp", 16), box("mdat", big), box("moov", 1000)}, nil),
		"/small.mp4": bytes.Join([][]byte{box("ftyp", 16), box("moov", 100)}, nil),
		"/other.ts":  bytes.Repeat([]byte{0x47, 1, 2, 3}, big/4),
	}
	var sent atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(&counting{w, &sent}, r, "x", time.Time{}, bytes.NewReader(body))
	}))
	defer srv.Close()
	c := Client{Guard: here}
	defer c.Close()
	for name, body := range files {
		path := filepath.Join(t.TempDir(), "sample")
		size, err := c.Sample(t.Context(), srv.URL+name, path)
		if err != nil || size != int64(len(body)) {
			t.Fatalf("%s: %d bytes, %v", name, size, err)
		}
		got, err := os.ReadFile(path)
		if err != nil || len(got) != len(body) {
			t.Fatalf("%s: sample of %d bytes, %v", name, len(got), err)
		}
		at := bytes.Index(body, []byte("moov"))
		if at < 0 {
			at = len(body) - 1000
		}
		if n := min(len(body)-at, 1000); !bytes.Equal(got[at:at+n], body[at:at+n]) {
			t.Errorf("%s: the index is not in the sample", name)
		}
	}
	size, _, err := c.Ask(t.Context(), srv.URL+"/last.mp4")
	if want := int64(len(files["/last.mp4"])); err != nil || size != want {
		t.Errorf("asked, the server says %d bytes of %d, %v", size, want, err)
	}
	if n := sent.Load(); n > 20<<20 {
		t.Errorf("%d bytes were sent for four samples", n)
	}

	var e *spool.Error
	if _, err := c.Sample(t.Context(), srv.URL+"/nothing", filepath.Join(t.TempDir(), "x")); !errors.As(err, &e) || e.Code != "http-404" {
		t.Errorf("a missing file: %v", err)
	}
}

type counting struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.n.Add(int64(n))
	return n, err
}
