package download

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

func TestDiskFull(t *testing.T) {
	h := &hostile{trick: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) { h.send(w, 0, size) }}
	url := start(t, h)
	path := filepath.Join(t.TempDir(), "source")
	// The device cannot be truncated or sought in, so the part is opened by hand.
	u, _ := quick().parse(url)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &part{path: path, file: full, record: record{Length: -1}, digest: newDigest(), saved: time.Now()}
	c := quick()
	c.once.Do(c.start)
	defer c.Close()
	tr := newTransfer(c, Request{URL: url, Path: path}, u, p, func(int64, int64) {})
	_, err = tr.run(t.Context())
	wantFault(t, err, "no-space")
	e := spool.AsError(err)
	if e.Class != spool.Environment || !strings.Contains(e.Reason, "/dev") || !strings.Contains(e.Reason, "free") {
		t.Errorf("the error does not say where and how much is free: %+v", e)
	}
	_ = full.Close()
}
