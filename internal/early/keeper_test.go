package early

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hls"
)

// after lets the clock go on, and everybody do what is due.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// inBubble runs a test with a clock of its own.
func inBubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

// A video that is made at twice the speed is offered with three segments, and
// then gets one every six seconds, whatever comes; when it is ready, it gets
// the rest at once.
func TestAuto(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := plan(20)
		k, stop := w.keeper(Auto)
		defer stop()
		k.Planned(making("r1"), p, nil)
		for n := range 20 {
			after(3 * time.Second)
			k.Made(video, "r1", w.whole("r1", p, n))
			synctest.Wait()
			shown := len(w.list("r1", "v1-720p").Segments)
			want := 0
			if n >= 2 {
				want = 3 + (n-2)*3/6
			}
			if shown != want {
				t.Fatalf("%d segments are made, %d are shown, want %d", n+1, shown, want)
			}
		}
		if w.offered() != 1 || len(w.notes) != 1 || w.notes[0].URL != "/out/vid/early.m3u8" {
			t.Errorf("offered %d times, said %+v", w.offered(), w.notes)
		}
		k.Changed(w.finish("r1", p))
		synctest.Wait()
		for _, r := range renditionsOf(p) {
			if l := w.list("r1", r); len(l.Segments) != 20 || !l.Ended {
				t.Errorf("%s: %d segments, ended %v", r, len(l.Segments), l.Ended)
			}
		}
		if !w.there(Name) {
			t.Error("who opens it now finds nothing")
		}
		k.Changed(w.finish("r1", p)) // told again: nothing happens
		synctest.Wait()
	})
}

// The early master says what the final one will, with rates that are bounds.
func TestMaster(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := plan(20)
		k, stop := w.keeper(Soon)
		defer stop()
		k.Planned(making("r1"), p, nil)
		k.Made(video, "r1", w.whole("r1", p, 0))
		synctest.Wait()
		got, err := hls.ParseMaster(w.Bytes("vid/early.m3u8"))
		if err != nil {
			t.Fatal(err)
		}
		v := got.Variants[1] // 2 Mbit/s is nearer to the smaller size
		want := hls.Variant{
			URI: "live-r1/v1-720p.m3u8", Bandwidth: 3_440_800, Average: 3_128_000, Codecs: []string{"avc1.64001f", "mp4a.40.2"},
			Width: 640, Height: 360, FrameRate: 25, VideoRange: "SDR", Audio: "audio", NoCaptions: true,
		}
		if v.URI == "live-r1/v0-360p.m3u8" {
			v = got.Variants[0]
		}
		if diff := compareVariants(v, want); diff != "" {
			t.Error(diff)
		}
		if len(got.Audio) != 1 || got.Audio[0].Language != "en" || got.Audio[0].URI != "live-r1/a0-eng.m3u8" {
			t.Errorf("sound %+v", got.Audio)
		}
		if o := w.Headers("vid/early.m3u8"); o.CacheControl != growing || o.ContentType != hls.ContentType {
			t.Errorf("headers %+v", o)
		}
	})
}

func compareVariants(got, want hls.Variant) string {
	if got.URI == want.URI && got.Bandwidth == want.Bandwidth && got.Average == want.Average && slices.Equal(got.Codecs, want.Codecs) &&
		got.Width == want.Width && got.FrameRate == want.FrameRate && got.NoCaptions && got.Audio == want.Audio && got.VideoRange == want.VideoRange {
		return ""
	}
	return strings.Join([]string{"variant differs", got.URI}, ": ")
}

// Soon offers with one segment, as soon as every rendition has it.
func TestSoonAndOff(t *testing.T) {
	for _, mode := range []Mode{Soon, Off} {
		inBubble(t, func(t *testing.T, w *world) {
			p := plan(3)
			k, stop := w.keeper(mode)
			defer stop()
			k.Planned(making("r1"), p, nil)
			k.Made(video, "r1", w.make("r1", p, 0, "v0-360p", "v1-720p"))
			k.Made(video, "r1", w.make("r1", p, 1, "a0-eng"))
			synctest.Wait()
			if w.there(Name) {
				t.Error("offered without sound")
			}
			k.Made(video, "r1", w.make("r1", p, 0, "a0-eng"))
			synctest.Wait()
			if w.there(Name) != (mode == Soon) {
				t.Errorf("%s: with the first segment, there is %v", mode, w.Names())
			}
			after(time.Second)
			k.Made(video, "r1", w.whole("r1", p, 2))
			k.Made(video, "r1", w.whole("r1", p, 1))
			synctest.Wait()
			// Three are enough to begin with, and they are all.
			if l := w.list("r1", "v0-360p"); mode == Soon && (len(l.Segments) != 3 || !l.Ended) {
				t.Errorf("all is made: %d segments are shown, ended %v", len(l.Segments), l.Ended)
			}
			k.Changed(w.finish("r1", p))
			synctest.Wait()
			if mode == Off && slices.ContainsFunc(w.Names(), func(n string) bool { return strings.Contains(n, "live") }) {
				t.Errorf("off: %v", w.Names())
			}
		})
	}
}

// However a video ends that is not ready, its lists end as they are, and
// nobody new is let in.
func TestWithdrawn(t *testing.T) {
	for name, v := range map[string]spool.Video{
		"failed":    {ID: video, Revision: "r1", Status: spool.Failed},
		"cancelled": {ID: video, Revision: "r1", Status: spool.Cancelled},
		"anew":      {ID: video, Revision: "r2", Status: spool.Waiting},
	} {
		inBubble(t, func(t *testing.T, w *world) {
			p := plan(20)
			k, stop := w.keeper(Soon)
			defer stop()
			k.Planned(making("r1"), p, nil)
			k.Made(video, "r1", w.whole("r1", p, 0))
			k.Made(video, "r1", w.whole("r1", p, 1))
			synctest.Wait()
			k.Changed(v)
			synctest.Wait()
			if l := w.list("r1", "a0-eng"); w.there(Name) || !l.Ended || len(l.Segments) != 2 || !w.said("no longer") {
				t.Errorf("%s: %v, list %+v, said %+v", name, w.Names(), l, w.notes)
			}
			// The failed one is tried again: lists that ended do not go on.
			k.Planned(making("r1"), p, nil)
			k.Made(video, "r1", w.whole("r1", p, 2))
			synctest.Wait()
			if w.there(Name) {
				t.Errorf("%s: offered again", name)
			}
			k.Planned(making("r3"), p, nil)
			k.Made(video, "r3", w.whole("r3", p, 0))
			synctest.Wait()
			if l := w.list("r3", "a0-eng"); !w.there(Name) || len(l.Segments) != 1 {
				t.Errorf("%s: a new revision is not offered: %v", name, w.Names())
			}
		})
	}
}

// A plan that grows grows the lists; its target does not change, and the end
// is written when the plan is whole.
func TestOpenPlan(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		whole := plan(8)
		open := *whole
		open.Open = true
		open.Grid.Frames, open.Grid.Packets = whole.Grid.Frames[:3], whole.Grid.Packets[:3]
		k, stop := w.keeper(Auto)
		defer stop()
		k.Planned(making("r1"), &open, nil)
		for n := range 8 {
			after(2 * time.Second)
			k.Made(video, "r1", w.whole("r1", whole, n)) // told before the plan is
			synctest.Wait()
		}
		if l := w.list("r1", "v1-720p"); len(l.Segments) != 3 || l.Ended {
			t.Errorf("%d segments, ended %v", len(l.Segments), l.Ended)
		}
		w.refuse(nil) // the plan is late, and nobody is to blame
		grown := *whole
		grown.Grid.Target = 10
		k.Planned(making("r1"), &grown, nil)
		k.Planned(making("r1"), &open, nil) // told late
		after(5 * target)
		l := w.list("r1", "v1-720p")
		if len(l.Segments) != 8 || !l.Ended || l.Target != 6 {
			t.Errorf("%d segments, ended %v, target %d", len(l.Segments), l.Ended, l.Target)
		}
	})
}

// A source of unknown length that is made slowly is not promised to anyone;
// what it says of its length is believed as long as it can be true.
func TestOpenAndSlow(t *testing.T) {
	for _, told := range []time.Duration{0, 20 * time.Minute} {
		inBubble(t, func(t *testing.T, w *world) {
			p := plan(100)
			p.Open, p.Facts.Duration = true, told
			k, stop := w.keeper(Auto)
			defer stop()
			k.Planned(making("r1"), p, nil)
			for n := range 100 {
				after(8 * time.Second)
				k.Made(video, "r1", w.whole("r1", p, n))
				synctest.Wait()
			}
			if told == 0 && (w.offered() > 0 || len(w.notes) != 1 || !w.said("more slowly than it plays")) {
				t.Errorf("no length: offered %d times, said %+v", w.offered(), w.notes)
			}
			if told > 0 && (w.offered() != 1 || w.notes[0].In < time.Minute) {
				t.Errorf("a length: offered %d times, said %+v", w.offered(), w.notes)
			}
		})
	}
}

// Sound alone is a variant, and pictures need no sound.
func TestSoundAndPicturesAlone(t *testing.T) {
	for name, change := range map[string]func(p *spool.Plan){
		"a0-eng":  func(p *spool.Plan) { p.Rungs, p.Grid.Frames, p.Chunks = nil, nil, nil },
		"v0-360p": func(p *spool.Plan) { p.Sounds, p.Grid.Packets = nil, nil },
		"v1-720p": func(p *spool.Plan) { p.Rungs[1].Action = spool.SkipRung },
	} {
		inBubble(t, func(t *testing.T, w *world) {
			p := plan(6)
			change(p)
			k, stop := w.keeper(Auto)
			defer stop()
			k.Planned(making("r1"), p, nil)
			for n := range 6 {
				after(2 * time.Second)
				k.Made(video, "r1", w.whole("r1", p, n))
			}
			after(time.Minute)
			if l := w.list("r1", name); len(l.Segments) != 6 || !l.Ended || l.Length().Round(100*time.Millisecond) != 34*time.Second {
				t.Errorf("%s: %d segments, %v, ended %v", name, len(l.Segments), l.Length(), l.Ended)
			}
			if lists := len(renditionsOf(p)); len(w.lists) != lists || w.offered() != 1 {
				t.Errorf("%s: %d lists of %d, offered %d times", name, len(w.lists), lists, w.offered())
			}
		})
	}
}

// Where Spool must not or cannot publish early, it does not.
func TestNotOffered(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(w *world, v *spool.Video)
		says    string
	}{
		"no atomic put":        {func(w *world, _ *spool.Video) { w.flawed = true }, "one step"},
		"a stranger's file":    {func(w *world, _ *spool.Video) { w.Set("vid/early.m3u8", []byte("#EXTM3U\nmine\n")) }, "did not write"},
		"a published revision": {func(_ *world, v *spool.Video) { v.Published = "r0" }, ""},
		"a master":             {func(w *world, _ *spool.Video) { w.Set("vid/master.m3u8", []byte("#EXTM3U\n")) }, ""},
		"a video that ended":   {func(_ *world, v *spool.Video) { v.Status = spool.Failed }, ""},
	} {
		inBubble(t, func(t *testing.T, w *world) {
			v := making("r1")
			c.prepare(w, &v)
			before := w.Bytes("vid/early.m3u8")
			p := plan(5)
			k, stop := w.keeper(Soon)
			defer stop()
			k.Planned(v, p, nil)
			k.Made(video, "r1", w.whole("r1", p, 0))
			synctest.Wait()
			if string(w.Bytes("vid/early.m3u8")) != string(before) || w.there("live-r1/v0-360p.m3u8") {
				t.Errorf("%s: %v", name, w.Names())
			}
			if c.says != "" && !w.said(c.says) {
				t.Errorf("%s: said %+v", name, w.notes)
			}
			k.Changed(spool.Video{ID: video, Revision: "r1", Status: spool.Failed})
			synctest.Wait()
			if string(w.Bytes("vid/early.m3u8")) != string(before) {
				t.Errorf("%s: a file that is not ours is gone", name)
			}
		})
	}
}
