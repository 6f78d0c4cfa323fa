package progress

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
)

// house drives a Tracker by a clock of its own and keeps what it shows.
type house struct {
	Tracker
	clock time.Time
	shown []Event
}

func newHouse() *house {
	h := &house{clock: start}
	h.Now = func() time.Time { return h.clock }
	h.Show = func(ev Event) { h.shown = append(h.shown, ev) }
	h.Master = func(v spool.Video) string { return "/cdn/" + v.ID + "/master.m3u8" }
	return h
}

func (h *house) beat(after time.Duration, running ...spool.Running) Event {
	h.clock = h.clock.Add(after)
	h.shown = nil
	h.Beat(spool.Beat{Worker: "w", Running: running})
	if len(h.shown) == 0 {
		return Event{}
	}
	return h.shown[0]
}

func job(kind spool.Kind, number int, p spool.Progress) spool.Running {
	return spool.Running{JobKey: spool.JobKey{Video: "v", Revision: "r1", Kind: kind, Number: number}, Progress: p}
}

func plan() *spool.Plan {
	p := &spool.Plan{Timeline: spool.Timeline{Frames: 400, Rate: spool.Ratio{Num: 25, Den: 1}}}
	for i := range 4 {
		p.Chunks = append(p.Chunks, spool.Chunk{Number: i, Frames: 100})
	}
	return p
}

func TestTrackerAddsJobsUp(t *testing.T) {
	h := newHouse()
	ev := h.beat(time.Second, job(spool.Fetch, 0, spool.Progress{Phase: spool.Downloading, Done: 10, Total: 100}))
	if ev.Snapshot.Download != (Count{10, 100}) || ev.Snapshot.Encode.Total != 0 {
		t.Errorf("%+v", ev.Snapshot)
	}
	h.Plan("v", "r1", plan(), spool.JobKey{Video: "v", Revision: "r1", Kind: spool.Encode, Number: 3})
	ev = h.beat(time.Second,
		job(spool.Encode, 0, spool.Progress{Phase: spool.Publishing, Done: 7}),
		job(spool.Encode, 1, spool.Progress{Phase: spool.Encoding, Done: 30, Total: 100}),
		job(spool.Audio, 0, spool.Progress{Phase: spool.Encoding, Done: 9, Total: 50}),
	)
	want := &Snapshot{
		Phases: []spool.Phase{spool.Encoding, spool.Publishing}, Download: Count{100, 100}, Encode: Count{230, 400},
		Publish: Count{Done: 7}, Length: 16 * time.Second, Chunks: 4, ChunksDone: 1,
	}
	if diff := cmp.Diff(want, ev.Snapshot); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Chunk 0 is done; chunk 1 was given back, and is taken for nothing.
	ev = h.beat(time.Second, job(spool.Encode, 2, spool.Progress{Phase: spool.Encoding, Done: 1, Note: "waits for an upload"}))
	want = &Snapshot{
		Download: Count{100, 100}, Encode: Count{201, 400}, Publish: Count{Done: 7},
		Length: 16 * time.Second, Chunks: 4, ChunksDone: 2, Note: "waits for an upload",
	}
	if diff := cmp.Diff(want, ev.Snapshot); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if ev = h.beat(time.Second); ev.Type != Moved || len(ev.Snapshot.Phases) != 0 {
		t.Errorf("the end of all work is not told: %+v", ev)
	}
	if ev = h.beat(time.Second); ev.Type != "" {
		t.Errorf("nothing happened, and it is told: %+v", ev)
	}
	if want := 3 * time.Second; h.Busy() != want {
		t.Errorf("busy %v, want %v", h.Busy(), want)
	}
}

func TestTrackerTellsStatusOnce(t *testing.T) {
	h := newHouse()
	failure := &spool.Failure{Code: "no-space", Reason: "full"}
	told := func(v spool.Video) string {
		h.shown = nil
		v.ID = "v"
		h.Video(v)
		text := ""
		for _, ev := range h.shown {
			text += string(ev.Type) + " "
		}
		return text
	}
	for i, c := range []struct {
		v    spool.Video
		want string
	}{
		{spool.Video{Status: spool.Waiting}, ""},
		{spool.Video{Status: spool.Working}, ""},
		{spool.Video{Status: spool.Paused, Failure: failure}, "paused "},
		{spool.Video{Status: spool.Paused, Failure: failure}, ""},
		{spool.Video{Status: spool.Paused, Failure: &spool.Failure{Reason: "other"}}, "paused "},
		{spool.Video{Status: spool.Working}, "resumed "},
		{spool.Video{Status: spool.Paused, Failure: failure}, "paused "},
		{spool.Video{Status: spool.Ready, Sizes: []string{"360p"}}, "ready "},
		{spool.Video{Status: spool.Ready}, ""},
	} {
		if got := told(c.v); got != c.want {
			t.Errorf("step %d: %q, want %q", i, got, c.want)
		}
		h.clock = h.clock.Add(time.Second)
	}
	h.shown = nil
	h.Video(spool.Video{ID: "w", Status: spool.Cancelled})
	if len(h.shown) != 1 || h.shown[0].Type != Failed || h.shown[0].Failure == nil {
		t.Errorf("%+v", h.shown)
	}
}

func TestTrackerTellsWhereAndHowLong(t *testing.T) {
	h := newHouse()
	h.Video(spool.Video{ID: "v", Status: spool.Working})
	h.clock = h.clock.Add(time.Minute)
	h.Video(spool.Video{ID: "v", Status: spool.Ready, Sizes: []string{"360p"}, LeftOut: []string{"subtitles (eng)"}})
	want := []Event{{
		Type: Ready, Time: h.clock, Video: "v", Status: spool.Ready, Sizes: []string{"360p"}, LeftOut: []string{"subtitles (eng)"},
		Path: "/cdn/v/master.m3u8", Took: time.Minute,
	}}
	if diff := cmp.Diff(want, h.shown); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnotherRevisionCountsAnew(t *testing.T) {
	h := newHouse()
	h.Plan("v", "r1", plan(), spool.JobKey{Video: "v", Revision: "r1", Kind: spool.Encode, Number: 0})
	next := job(spool.Encode, 1, spool.Progress{Phase: spool.Encoding, Done: 5, Total: 100})
	next.Revision = "r2"
	ev := h.beat(time.Second, next)
	if ev.Snapshot.Chunks != 0 || ev.Snapshot.ChunksDone != 0 {
		t.Errorf("%+v", ev.Snapshot)
	}
}

func TestSoundAloneCountsPackets(t *testing.T) {
	h := newHouse()
	h.Plan("v", "r1", &spool.Plan{
		Sound: &spool.Sound{SampleRate: 48000}, Timeline: spool.Timeline{Samples: 480_000},
		Pieces: []spool.AudioPiece{{Packets: 300}, {Number: 1, Packets: 170}},
	})
	ev := h.beat(time.Second, job(spool.Audio, 1, spool.Progress{Phase: spool.Encoding, Done: 70, Total: 170}))
	if ev.Snapshot.Encode != (Count{70, 470}) || ev.Snapshot.Length != 10*time.Second {
		t.Errorf("%+v", ev.Snapshot)
	}
}
