package remote_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store/remote"
)

// A body that is cut short is read on from there; one that always is, is the
// store's trouble.
func TestBodyIsCutShort(t *testing.T) {
	t.Parallel()
	f := serve(t)
	s := open(t, f.options(), bucket, remote.Options{})
	body := strings.Repeat("0123456789", 1000)
	if err := put(t, s, "v/a", body); err != nil {
		t.Fatal(err)
	}
	var cuts, most atomic.Int32
	f.with(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || cuts.Add(1) > most.Load() {
			return false
		}
		whole := httptest.NewRecorder()
		f.server.ServeHTTP(whole, r)
		for key, values := range whole.Header() {
			w.Header()[key] = values
		}
		w.WriteHeader(whole.Code)
		_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	for _, span := range []struct{ from, length int64 }{{0, -1}, {0, 5000}, {100, 5000}, {9000, -1}} {
		want := body[span.from:]
		if span.length >= 0 {
			want = want[:span.length]
		}
		for _, n := range []int32{2, 1000} {
			cuts.Store(0)
			most.Store(n)
			r, err := s.Open(t.Context(), "v/a", span.from, span.length)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			_ = r.Close()
			switch {
			case n > 2:
				wantError(t, err, spool.Transient, "store-trouble")
			case err != nil || string(got) != want:
				t.Errorf("from %d, cut %d times: %d bytes, %v; want %d", span.from, n, len(got), err, len(want))
			}
		}
	}
}
