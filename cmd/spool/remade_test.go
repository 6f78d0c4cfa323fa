package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/schedule"
)

// stopAtOnce ends a run without waiting for its jobs.
func stopAtOnce(t *testing.T, c *child) {
	t.Helper()
	c.signal(t, os.Interrupt)
	c.await(t, "press Ctrl-C again")
	c.signal(t, os.Interrupt)
	c.end(t, exitInterrupted)
}

// An unfinished video that is given again with other settings goes on with its
// own and says so; --remake lets it begin anew.
func TestOtherSettingsOfAnUnfinishedVideo(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.gate(t)
	c := h.start(t, "run", h.clip)
	h.held(t, c)
	stopAtOnce(t, c)
	c = h.start(t, "run", h.clip, "--preset", "superfast")
	c.await(t, "goes on with the settings that it began with; --remake, or spool rm film-[0-9a-f]*, lets it begin anew")
	stopAtOnce(t, c)
	h.open(t)
	if said := h.do(t, exitReady, "run", h.clip, "--preset", "superfast", "--remake"); !strings.Contains(said, "made anew: other settings are asked for") {
		t.Errorf("the run says:\n%s", said)
	}
	if said := h.do(t, exitReady, "show", h.id(t), "--json"); !strings.Contains(said, `"preset": "superfast"`) {
		t.Errorf("it was made with other settings:\n%s", said)
	}
	h.good(t, 1)
}

// A video that waits has something in scratch, too: it goes with the video.
func TestRemoveFreesScratch(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	r := openRun(t, h)
	v := spool.Video{ID: "film", Source: h.clip, Canonical: h.clip, Status: spool.Waiting, Settings: spool.Settings{Ladder: "default", Preset: "medium"}}
	if err := r.ledger.Accept(t.Context(), schedule.NewRecord(v, time.Now())); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(r.cfg.Work, "film", "source", "source.part")
	if err := os.MkdirAll(filepath.Dir(source), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(source, []byte("a beginning"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.do(t, exitReady, "rm", "film")
	if left, err := os.ReadDir(r.cfg.Work); err != nil || len(left) > 0 {
		t.Errorf("left in scratch: %v, %v", left, err)
	}
}
