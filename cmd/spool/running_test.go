package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/intake"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/progress"
)

// narrow is a ledger that has no room for one video.
type narrow struct {
	ledger.Ledger
	without string
}

var errNarrow = errors.New("no room")

func (n *narrow) Update(ctx context.Context, id string, change func(*ledger.Record) error) error {
	if id == n.without {
		return errNarrow
	}
	return n.Ledger.Update(ctx, id, change)
}

// openRun opens a run of a home without starting it.
func openRun(t *testing.T, h *home, args ...string) *running {
	t.Helper()
	cmd := newRun()
	flags := []string{"--to", h.path("bucket"), "--state", h.path("state"), "--work", h.path("work"), "--ffmpeg", h.ffmpeg, "--sandbox", "off", "--preset", "ultrafast"}
	if err := cmd.ParseFlags(append(flags, args...)); err != nil {
		t.Fatal(err)
	}
	cfg, err := load(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(cfg.State, 0o700); err != nil {
		t.Fatal(err)
	}
	house, err := build(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := house.close(); err != nil {
			t.Error(err)
		}
	})
	show, err := progress.New(progress.Options{Mode: "none", Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return &running{house: house, out: io.Discard, err: io.Discard, show: show, results: map[string]int{}}
}

// An intake that fails ends what is at work already: the ledger is closed next.
func TestFailedIntakeLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	r := openRun(t, h)
	other := h.path("other.mp4")
	if err := os.WriteFile(other, []byte("never opened"), 0o600); err != nil {
		t.Fatal(err)
	}
	failed := ledger.Record{Video: spool.Video{ID: "other", Source: other, Canonical: other, Status: spool.Failed}}
	if err := r.ledger.Accept(t.Context(), failed); err != nil {
		t.Fatal(err)
	}
	r.ledger = &narrow{r.ledger, "other"}
	r.lines = intake.Arguments([]string{h.clip, other})
	if err := r.run(t.Context(), r.all); !errors.Is(err, errNarrow) {
		t.Errorf("the run ended with: %v", err)
	}
	if r.engine == nil {
		t.Fatal("the first video was not accepted")
	}
	select {
	case <-r.engine.ended:
	default:
		t.Error("the engine is still at work")
	}
}

// An engine that has ended, because the ledger is away, ends the intake with
// its reason.
func TestIntakeNoticesThatNobodyWorks(t *testing.T) {
	t.Parallel()
	broken := errors.New("the ledger is away")
	e := &engine{ended: make(chan struct{}), err: broken}
	close(e.ended)
	r := &running{house: &house{}, engine: e}
	if err := r.need(t.Context()); !errors.Is(err, broken) {
		t.Errorf("need: %v", err)
	}
}

// An encrypted video that was interrupted goes on in a run that asks for no
// encryption, even without the master key; it never crashes.
func TestEncryptedGoesOnWithoutKeyFlags(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	r := openRun(t, h)
	unfinished := []spool.Video{{ID: "v", Status: spool.Waiting, Settings: spool.Settings{Encrypt: true}}}
	v := spool.Video{ID: "v", Revision: "r1", Settings: spool.Settings{KeyURI: "/{key}"}}
	if _, err := r.keys.Content(t.Context(), v, 0, 1); spool.AsError(err).Code != "no-master-key" {
		t.Errorf("a key without a master key: %v", err)
	}
	if err := r.prepareKeys(unfinished); err != nil {
		t.Fatal(err)
	}
	if r.keys.master == nil {
		t.Error("there is no master key for the video that needs it")
	}
}

// Every part of a video gets the keys of its segments, and whoever asks again,
// after a crash too, gets the same ones.
func TestKeysOfParts(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	r := openRun(t, h)
	v := spool.Video{ID: "v", Revision: "r1", Status: spool.Waiting, Settings: spool.Settings{Encrypt: true, KeyURI: "/{key}", KeyRotation: 3}}
	if err := r.prepareKeys([]spool.Video{v}); err != nil {
		t.Fatal(err)
	}
	part, err := r.keys.Content(t.Context(), v, 5, 9)
	if err != nil || part.IDs() != "r1-00001,r1-00002" || part.Of(5).ID != "r1-00001" || part.Of(8).ID != "r1-00002" || part.Of(2) != nil {
		t.Fatalf("a part has %+v, %v", part, err)
	}
	all, err := r.keys.Content(t.Context(), v, 0, 10)
	if err != nil || len(all) != 4 || !slices.EqualFunc(all[1:3], part, func(a, b spool.ContentKey) bool { return bytes.Equal(a.Bytes, b.Bytes) }) {
		t.Fatalf("the whole has %+v, %v", all, err)
	}
	for i, k := range all {
		if k.First != 3*i || k.URI != "/"+k.ID || bytes.Equal(k.Bytes, all[(i+1)%4].Bytes) {
			t.Errorf("key %d: %+v", i, k)
		}
	}
}

// The keys of what is published are named: not those of a revision that was
// before it, or is being made.
func TestKeysOfWhatIsPublished(t *testing.T) {
	t.Parallel()
	r := openRun(t, newHome(t))
	v := spool.Video{ID: "v", Revision: "r1", Status: spool.Waiting, Settings: spool.Settings{Encrypt: true, KeyURI: "/{key}"}}
	if err := r.prepareKeys([]spool.Video{v}); err != nil {
		t.Fatal(err)
	}
	for revision, each := range map[string]int{"r1": 0, "r10": 5, "r2": 3} {
		v.Revision, v.Settings.KeyRotation = revision, each
		if _, err := r.keys.Content(t.Context(), v, 0, 10); err != nil {
			t.Fatal(err)
		}
	}
	for published, want := range map[string]string{"": "", "r1": "r1", "r10": "r10-00000 r10-00001", "r2": "r2-00000 r2-00001 r2-00002 r2-00003"} {
		v.Published = published
		if ids, err := r.keyIDs(t.Context(), v); err != nil || strings.Join(ids, " ") != want {
			t.Errorf("of %q: %q (%v), want %q", published, ids, err, want)
		}
	}
}

// A source that vanished from scratch is fetched again: that says nothing
// against it, and it is not read more carefully.
func TestSourceThatVanishedIsFetchedAgain(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.gate(t)
	site := httptest.NewServer(http.FileServer(http.Dir(h.dir)))
	t.Cleanup(site.Close)
	c := h.start(t, "run", site.URL+"/film.mp4")
	h.held(t, c)
	stopAtOnce(t, c)
	if err := os.Remove(h.one(t, "work", "*", "*", "source", "source")); err != nil {
		t.Fatal(err)
	}
	h.open(t)
	if said := h.do(t, exitReady, "run"); strings.Contains(said, "damaged") || !strings.Contains(said, "downloading") {
		t.Errorf("the run says:\n%s", said)
	}
	h.good(t, 1)
}
