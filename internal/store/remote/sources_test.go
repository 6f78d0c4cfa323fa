package remote_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store/remote"
)

func TestSources(t *testing.T) {
	t.Parallel()
	f := serve(t)
	s := open(t, f.options(), bucket, remote.Options{})
	for name, body := range map[string]string{"in/one.mp4": "0123456789", "in/deep/two.mp4": "two", "three.mp4": "three"} {
		if err := put(t, s, name, body); err != nil {
			t.Fatal(err)
		}
	}
	sources := &remote.Sources{Remotes: func() (remote.Remotes, error) { return remote.Remotes{"there": f.options()}, nil }}
	t.Cleanup(func() {
		if err := sources.Close(); err != nil {
			t.Error(err)
		}
	})
	for at, want := range map[string][]string{
		"bucket":            {"there:bucket/in/deep/two.mp4", "there:bucket/in/one.mp4", "there:bucket/three.mp4"},
		"bucket/in":         {"there:bucket/in/deep/two.mp4", "there:bucket/in/one.mp4"},
		"bucket/in/one.mp4": {"there:bucket/in/one.mp4"},
		"bucket/none":       nil,
	} {
		files, folder, err := sources.Look(t.Context(), spool.RemotePath{Remote: "there", Path: at})
		var got []string
		for _, file := range files {
			got = append(got, file.At.String())
			if file.Stamp.Size == 0 || file.Stamp.Tag == "" {
				t.Errorf("%s: %+v", file.At, file.Stamp)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil || folder == (at == "bucket/in/one.mp4") {
			t.Errorf("%s: %v, %v\n%s", at, folder, err, diff)
		}
	}
	_, _, err := sources.Look(t.Context(), spool.RemotePath{Remote: "other", Path: "x"})
	wantError(t, err, spool.Permanent, "unknown-remote")

	tag := ranged{"", "", http.StatusOK, "0123456789"}.hold(t, sources)
	for _, r := range []ranged{
		{"bytes=2-4", tag, http.StatusPartialContent, "234"},
		{"bytes=7-", "", http.StatusPartialContent, "789"},
		{"bytes=7-99", "", http.StatusPartialContent, "789"},
		{"bytes=10-", "", http.StatusRequestedRangeNotSatisfiable, ""},
		{"bytes=2-4", `"other"`, http.StatusOK, "0123456789"},
	} {
		r.hold(t, sources)
	}
	if err := s.Delete(t.Context(), "in/one.mp4"); err != nil {
		t.Fatal(err)
	}
	_, err = sources.RoundTrip(asked(t, "bytes=2-4", tag)) //nolint:bodyclose // there is none
	wantError(t, err, spool.Permanent, "source-missing")
}

func asked(t *testing.T, part, tag string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://there/bucket/in/one.mp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Range", part)
	r.Header.Set("If-Range", tag)
	return r
}

// ranged is what is to be answered to one request.
type ranged struct {
	part, tag string
	status    int
	want      string
}

// hold asks, compares, and gives the file's ETag.
func (r ranged) hold(t *testing.T, s *remote.Sources) string {
	t.Helper()
	a, err := s.RoundTrip(asked(t, r.part, r.tag))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(a.Body)
	if err = errors.Join(err, a.Body.Close()); err != nil || string(got) != r.want || a.StatusCode != r.status || a.ContentLength != int64(len(r.want)) {
		t.Errorf("%q: %d, %q of %d bytes, %v", r.part, a.StatusCode, got, a.ContentLength, err)
	}
	return a.Header.Get("ETag")
}
