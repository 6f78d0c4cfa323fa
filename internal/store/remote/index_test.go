package remote_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store/remote"
)

// A web server's lists are folders to take sources from. Servers that give
// ranges are read by them; of others a file is only to be had whole, whatever
// they are asked for.
func TestWebIndex(t *testing.T) {
	t.Parallel()
	for what, ranges := range map[string]bool{"with ranges": true, "without": false} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			files := http.FileServer(http.Dir(dir))
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !ranges {
					r.Header.Del("Range")
				}
				files.ServeHTTP(w, r)
			}))
			t.Cleanup(s.Close)
			browse(t, map[string]string{"type": "http", "url": s.URL}, dir, ranges)
		})
	}
}

// browse looks into a web server's folder, and reads what it finds there.
func browse(t *testing.T, options map[string]string, folder string, ranges bool) {
	t.Helper()
	var text strings.Builder
	for i := range 200 {
		text.WriteByte(byte('!' + i*i%89))
	}
	for _, name := range []string{"one.mp4", "deep/two films.mp4"} {
		at := filepath.Join(folder, "bucket/in", name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text.String()), 0o644); err != nil { //nolint:gosec // everybody may read it
			t.Fatal(err)
		}
	}
	sources := &remote.Sources{Remotes: func() (remote.Remotes, error) { return remote.Remotes{"there": options}, nil }}
	t.Cleanup(func() {
		if err := sources.Close(); err != nil {
			t.Error(err)
		}
	})
	found, _, err := sources.Look(t.Context(), spool.RemotePath{Remote: "there", Path: "bucket"})
	var names []string
	for _, f := range found {
		names = append(names, f.At.String())
		if f.Stamp.Size != int64(text.Len()) || f.Stamp.Tag == "" {
			t.Errorf("%s: %+v", f.At, f.Stamp)
		}
	}
	slices.Sort(names)
	if d := cmp.Diff([]string{"there:bucket/in/deep/two films.mp4", "there:bucket/in/one.mp4"}, names); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	part := ranged{"bytes=70-79", "", http.StatusPartialContent, text.String()[70:80]}
	if !ranges {
		part.status, part.want = http.StatusOK, text.String()
	}
	part.hold(t, sources)
}
