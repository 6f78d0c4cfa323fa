package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

// farPath is where a source lies on another worker's disk.
const farPath = "/work/of/another/source"

// fetchedAgain fetches the clip after a try whose bytes are not here.
func fetchedAgain(t *testing.T, before spool.Fetched, early bool) (spool.Result, *told, error) {
	t.Helper()
	site, stage := newSite(t), readableStage(t)
	if !early {
		stage.Sources = nil
	}
	job := filmJob(site.url + "/clip.mp4")
	job.Epoch, job.Fetched = 2, &before
	seen := &told{readable: make(chan struct{})}
	r, err := stage.Run(t.Context(), job, seen.progress)
	return r, seen, err
}

// A source whose worker is lost is fetched again, and what was made of it stays,
// when it can be told that it is the same one; else the revision ends, before
// anything is made of what may be another.
func TestFetchedAgainElsewhere(t *testing.T) {
	media, err := clip()
	if err != nil {
		t.Fatal(err)
	}
	sum, size := sha256.Sum256(media), int64(len(media))
	whole := spool.Fetched{Path: farPath, Size: size, SHA256: hex.EncodeToString(sum[:]), Tag: `"clip"`, Scratch: true}
	part := spool.Fetched{Path: farPath, Size: size, Tag: `"clip"`, Scratch: true, Arriving: true}
	with := func(f spool.Fetched, change func(*spool.Fetched)) spool.Fetched {
		change(&f)
		return f
	}
	for name, c := range map[string]struct {
		before spool.Fetched
		code   string
	}{
		"whole":                        {whole, ""},
		"whole, without a tag":         {with(whole, func(f *spool.Fetched) { f.Tag = "" }), ""},
		"whole, of a version that may": {with(whole, func(f *spool.Fetched) { f.Tag = `W/"old"` }), ""},
		"whole, and passed through":    {with(whole, func(f *spool.Fetched) { f.Arriving = true }), ""},
		"whole, of another size":       {with(whole, func(f *spool.Fetched) { f.Size++ }), spool.SourceChanged},
		"part":                         {part, ""},
		"part, of unknown size":        {with(part, func(f *spool.Fetched) { f.Size = 0 }), ""},
		"part, of another size":        {with(part, func(f *spool.Fetched) { f.Size++ }), spool.SourceChanged},
		"part, of another version":     {with(part, func(f *spool.Fetched) { f.Tag = `"old"` }), spool.SourceChanged},
		"part, without a tag":          {with(part, func(f *spool.Fetched) { f.Tag = "" }), spool.SourceGone},
		"part, of a version that may":  {with(part, func(f *spool.Fetched) { f.Tag = `W/"clip"` }), spool.SourceGone},
		"page":                         {with(whole, func(f *spool.Fetched) { f.Page = &spool.Page{} }), spool.SourceGone},
	} {
		for _, early := range []bool{true, false} {
			r, seen, err := fetchedAgain(t, c.before, early)
			if e := spool.AsError(err); c.code != "" && (err == nil || e.Class != spool.Replan || e.Code != c.code || len(seen.arrived) > 0) {
				if early || c.before.SHA256 == "" { // what the sums say of the others, the scheduler says
					t.Errorf("%s, early %v: %v, and told %+v", name, early, err, seen.arrived)
				}
			}
			if c.code != "" {
				continue
			}
			if c.before.Tag != whole.Tag && len(seen.arrived) > 0 {
				t.Errorf("%s: told %+v", name, seen.arrived)
			}
			if err != nil || r.Fetched.SHA256 != whole.SHA256 || r.Fetched.Path == farPath {
				t.Errorf("%s, early %v: %+v, %v", name, early, r.Fetched, err)
			}
		}
	}
}

// A source that has come to its end and is called otherwise now may be another
// one, of which nothing is to be made meanwhile.
func TestFetchedAgainUnderAnotherName(t *testing.T) {
	media, err := clip()
	if err != nil {
		t.Fatal(err)
	}
	_, seen, err := fetchedAgain(t, spool.Fetched{Path: farPath, Size: int64(len(media)), SHA256: "x", Tag: `"old"`}, true)
	if e := spool.AsError(err); err == nil || e.Code != spool.SourceChanged || len(seen.arrived) > 0 {
		t.Errorf("%v, and told %+v", err, seen.arrived)
	}
}

// What another worker on this machine has of a source is not this one's.
func TestAnothersFileIsNotGoneOnWith(t *testing.T) {
	path := filepath.Join(t.TempDir(), sourceName)
	if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := fetchedAgain(t, spool.Fetched{Path: path, Arriving: true}, true); spool.AsError(err).Code != spool.SourceGone {
		t.Errorf("got %v", err)
	}
}

// What lies here of an earlier try is held against what others use since.
func TestKeptIsComparedToo(t *testing.T) {
	site, stage := newSite(t), readableStage(t)
	job := filmJob(site.url + "/clip.mp4")
	if _, err := stage.Run(t.Context(), job, nil); err != nil {
		t.Fatal(err)
	}
	for tag, code := range map[string]string{`"clip"`: "", `"new"`: spool.SourceChanged} {
		job.Fetched = &spool.Fetched{Path: farPath, Size: int64(len(site.clip)), Tag: tag, Arriving: true}
		_, err := stage.Run(t.Context(), job, nil)
		if (err != nil) != (code != "") || err != nil && spool.AsError(err).Code != code {
			t.Errorf("%s: %v", tag, err)
		}
	}
}

// A download that begins anew before anything was told of it is no other
// source than the one that another worker had.
func TestFetchedAgainBeginsAnew(t *testing.T) {
	media, err := clip()
	if err != nil {
		t.Fatal(err)
	}
	var requests atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "video/mp4")
		w.Header().Set("ETag", `"clip"`)
		if requests.Add(1) == 1 {
			_, _ = w.Write(media[:len(media)*3/4])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(media)
	}))
	t.Cleanup(srv.Close)
	stage, job := readableStage(t), filmJob(srv.URL+"/film.mp4")
	stage.Client.Attempts = 5
	stage.Client.Wait = func(context.Context, time.Duration) error { return nil }
	job.Epoch, job.Fetched = 2, &spool.Fetched{Path: farPath, Size: int64(len(media)), SHA256: "x", Tag: `"clip"`}
	if _, err := stage.Run(t.Context(), job, nil); err != nil || requests.Load() != 2 {
		t.Errorf("after %d requests: %v", requests.Load(), err)
	}
}
