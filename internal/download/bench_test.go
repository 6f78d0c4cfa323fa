package download

import (
	"net/http"
	"path/filepath"
	"testing"
)

// BenchmarkGet is a download over loopback, hashed and made durable.
func BenchmarkGet(b *testing.B) {
	h := &hostile{body: source(64 << 20), trick: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) { h.good(w, r) }}
	url := start(b, h)
	c := &Client{Guard: here}
	defer c.Close()
	dir := b.TempDir()
	b.SetBytes(int64(len(h.body)))
	for b.Loop() {
		path := filepath.Join(dir, "source")
		if _, err := c.Get(b.Context(), Request{URL: url, Path: path}, nil); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := removeAll(path, RecordPath(path)); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
