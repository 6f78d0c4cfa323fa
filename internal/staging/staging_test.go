package staging_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ranges"
	"github.com/spool-video/spool/internal/staging"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/folder"
	"github.com/spool-video/spool/internal/tap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, at string) *staging.Place {
	t.Helper()
	s, err := folder.Open(at, folder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &staging.Place{Store: s, At: at}
}

func begin(t *testing.T, p *staging.Place, revision, tag string, size int64) *staging.Source {
	t.Helper()
	s, err := p.Begin(t.Context(), spool.JobKey{Video: "film", Revision: revision, Kind: spool.Fetch}, size, tag)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *staging.Source, number int, film []byte) {
	t.Helper()
	part := s.Part(number)
	if err := s.Put(t.Context(), number, bytes.NewReader(film[part.From:part.To])); err != nil {
		t.Fatal(err)
	}
}

// names are the objects of a place, sorted.
func names(t *testing.T, s store.Store) []string {
	t.Helper()
	var all []string
	for o, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o.Name)
	}
	slices.Sort(all)
	return all
}

// What is staged is read by another machine, which waits for parts that are not
// there yet; who stages goes on where another was; and all of it goes.
func TestStagedSource(t *testing.T) {
	t.Parallel()
	film := make([]byte, 2*staging.PartSize+1000)
	seeded := rand.NewChaCha8([32]byte{2})
	_, _ = seeded.Read(film)
	size := int64(len(film))
	place := open(t, filepath.Join(t.TempDir(), "shared"))
	first := begin(t, place, "r1", "a", size)
	put(t, first, 2, film)

	at, below := staging.Split(first.Remote().Staged)
	if at != place.At || below != "film/r1/source" {
		t.Errorf("%s is split into %s and %s", first.Remote().Staged, at, below)
	}
	pool := &ranges.Pool{Origin: func(f *spool.Fetched) (ranges.Origin, error) {
		return staging.Origin{Store: place.Store, Folder: below, Size: f.Size, Look: time.Millisecond}, nil
	}}
	told := &spool.Fetched{Size: size, Tag: "a", Remote: first.Remote()}
	far, err := pool.Open(told, spool.Span{})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	got := make([]byte, size)
	read := make(chan error, 1)
	go func() { read <- tap.ReadFull(t.Context(), far, got, 0) }()

	again := begin(t, place, "r1", "a", size)
	if have := again.Have(); !have.Has(again.Part(2)) || have.Has(again.Part(0)) {
		t.Errorf("of what was put there is %v", have)
	}
	put(t, again, 0, film)
	put(t, again, 1, film)
	if err := <-read; err != nil || !bytes.Equal(got, film) {
		t.Errorf("read: %v; the same: %v", err, bytes.Equal(got, film))
	}
	if err := pool.Confirm(t.Context(), told, time.Now()); err != nil {
		t.Error(err)
	}

	begin(t, place, "r2", "b", size)
	if left := names(t, place.Store); !slices.Equal(left, []string{"film/r2/source/index.json"}) {
		t.Errorf("after another revision began: %v", left)
	}
	if e := spool.AsError(pool.Confirm(t.Context(), told, time.Now())); e.Class != spool.Replan || e.Code != spool.SourceGone {
		t.Errorf("what is not there is confirmed: %+v", e)
	}
	if all, err := place.Videos(t.Context()); err != nil || !all["film"] {
		t.Errorf("videos: %v, %v", all, err)
	}
	if err := errors.Join(place.Remove(t.Context(), "film"), place.Remove(t.Context(), "none")); err != nil {
		t.Error(err)
	}
	if left := strings.Join(names(t, place.Store), " "); left != "" {
		t.Errorf("left: %s", left)
	}
}
