package intake

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
)

// bay is a store by its files' paths; an error for what it does not have.
type bay struct {
	files []string
	err   error
	head  []byte // of each file
	size  int64  // of each file, beside the length of its name

	mu    sync.Mutex
	asked []string // owned by mu
}

func (s *bay) Look(_ context.Context, at spool.RemotePath) (files []StoredFile, folder bool, err error) {
	s.mu.Lock()
	s.asked = append(s.asked, at.String())
	s.mu.Unlock()
	if s.err != nil {
		return nil, false, s.err
	}
	for _, name := range s.files {
		f := StoredFile{At: spool.RemotePath{Remote: at.Remote, Path: name}, Stamp: spool.SourceStamp{Size: s.size + int64(len(name)), Tag: name}}
		switch {
		case name == at.Path:
			return []StoredFile{f}, false, nil
		case strings.HasPrefix(name, at.Path+"/"):
			files = append(files, f)
		}
	}
	return files, true, nil
}

func (s *bay) Head(context.Context, spool.RemotePath, int64) ([]byte, error) { return s.head, s.err }

func TestSourcesInStores(t *testing.T) {
	s := &bay{files: []string{
		"films/b 10.mp4", "films/b 9.mkv", "films/notes.txt", "films/.hidden/x.mp4", "films/.x.mp4",
		"films/site/one/master.m3u8", "films/site/one/video.json", "films/site/one/r1/v0/0.mp4", "films/out/y.mp4", "films/deep/z.mov",
	}}
	in := &Intake{Ledger: shelf{}, Stores: s, Skip: []string{"nas:films/out"}}
	var got []string
	for r := range in.Run(t.Context(), Arguments([]string{"nas:films/", "nas:films/b 9.mkv", "nas:none"})) {
		switch r.Verdict {
		case Accept:
			if r.Video.Stamp.Tag == "" {
				t.Errorf("%s has no stamp", r.Source)
			}
			got = append(got, r.Source)
		case Bad:
			got = append(got, r.Err.Code)
		case Known, Duplicate, Expanded:
			got = append(got, string(r.Verdict))
		}
	}
	want := []string{"expanded", "nas:films/b 9.mkv", "nas:films/b 10.mp4", "nas:films/deep/z.mov", "duplicate", "folder-empty"}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStoresAreNotAskedForHostileSources(t *testing.T) {
	s := &bay{}
	in := &Intake{Ledger: shelf{}, Stores: s}
	for r := range in.Run(t.Context(), Arguments([]string{
		":local:/etc/passwd", `:sftp,ssh="touch tmp/pwned":x`, ":webdav,url='http://127.0.0.1:9/',bearer_token_command='touch tmp/pwned':",
		"remote:../../x", "-vv", "remote:--config=/x",
	})) {
		if r.Verdict != Bad || r.Err.Class != spool.Permanent || r.Err.Hint == "" {
			t.Errorf("%s: %s, %v", r.Line.Source, r.Verdict, r.Err)
		}
	}
	if len(s.asked) > 0 {
		t.Errorf("asked for %q", s.asked)
	}
}
