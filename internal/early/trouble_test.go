package early

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spool-video/spool"
)

// Every segment has its key, and the key is out before anything names it; when
// it cannot be, there is no list, and it is tried again.
func TestEncrypted(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := plan(5)
		all := spool.ContentKeys{
			{ID: "k1", Bytes: []byte("0123456789abcdef"), URI: "https://keys.example.com/k1"},
			{ID: "k2", Bytes: []byte("fedcba9876543210"), URI: "https://keys.example.com/k2", First: 2},
		}
		k, stop := w.keeper(Soon)
		defer stop()
		export, out := k.Export, ""
		fails := 3
		k.Export = func(v string, key spool.ContentKey) error {
			if fails--; fails >= 0 {
				return &spool.Error{Class: spool.Environment, Reason: "the keys folder is away"}
			}
			out += key.ID
			return export(v, key)
		}
		k.Planned(making("r1"), p, all)
		k.Made(video, "r1", w.whole("r1", p, 0))
		synctest.Wait()
		if w.there("live-r1/v0-360p.m3u8") {
			t.Fatal("a list names a key that nobody has")
		}
		after(8 * time.Second)
		l := w.list("r1", "v0-360p")
		if len(l.Segments) != 1 || l.Segments[0].Key == nil || l.Segments[0].Key.IV == nil || l.Segments[0].Key.URI != all[0].URI || !w.said("keys folder is away") || out != "k1" {
			t.Errorf("%+v; said %+v; out %s", l, w.notes, out)
		}
		for n := 1; n < 5; n++ {
			k.Made(video, "r1", w.whole("r1", p, n))
		}
		after(time.Minute)
		var uris []string
		for _, s := range w.list("r1", "a0-eng").Segments {
			uris = append(uris, s.Key.URI[len(s.Key.URI)-2:])
		}
		if got := strings.Join(uris, ""); got != "k1k1k2k2k2" || out != "k1k2" {
			t.Errorf("keys of segments %s, out are %s", got, out)
		}
	})
}

// A store that refuses is asked again, and nothing is lost meanwhile.
func TestStoreAway(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := plan(6)
		k, stop := w.keeper(Soon)
		defer stop()
		k.Planned(making("r1"), p, nil)
		k.Made(video, "r1", w.whole("r1", p, 0))
		synctest.Wait()
		w.refuse(&spool.Error{Class: spool.Environment, Reason: "the bucket is away"})
		for n := 1; n < 6; n++ {
			k.Made(video, "r1", w.whole("r1", p, n))
			after(6 * time.Second)
		}
		w.refuse(nil)
		after(time.Minute)
		if l := w.list("r1", "v0-360p"); len(l.Segments) != 6 || !l.Ended || !w.said("the bucket is away") {
			t.Errorf("%+v; said %+v", l, w.notes)
		}
	})
}

// Run ends the lists of what has ended before it returns, and leaves others.
func TestRunEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := plan(6)
		k, stop := w.keeper(Soon)
		k.Planned(making("r1"), p, nil)
		k.Made(video, "r1", w.whole("r1", p, 0))
		synctest.Wait()
		k.Changed(w.finish("r1", p))
		stop()
		if l := w.list("r1", "v0-360p"); len(l.Segments) != 6 || !l.Ended {
			t.Errorf("%+v", l)
		}
		// READY was told, and the process killed: the next one is told again.
		again := newWorld(t)
		k, stop = again.keeper(Soon)
		k.Planned(making("r1"), p, nil)
		k.Made(video, "r1", again.whole("r1", p, 0))
		synctest.Wait()
		stop()
		if l := again.list("r1", "v0-360p"); l.Ended {
			t.Error("a list ends with the process")
		}
		ready := again.finish("r1", p)
		k, stop = again.keeper(Auto)
		defer stop()
		k.Changed(ready)
		synctest.Wait()
		if l := again.list("r1", "v0-360p"); len(l.Segments) != 6 || !l.Ended {
			t.Errorf("%+v", l)
		}
	})
}

// A segment that is not what was planned, or lies elsewhere, is not named.
func TestOddSegments(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := plan(6)
		k, stop := w.keeper(Soon)
		defer stop()
		k.Planned(making("r1"), p, nil)
		short := w.whole("r1", p, 0)
		short.Segments[2].Units--
		foreign := w.whole("r1", p, 0)
		for i := range foreign.Segments {
			foreign.Segments[i].Name = "../other/" + foreign.Segments[i].Name
		}
		k.Made(video, "r1", foreign)
		k.Made(video, "r1", short)
		k.Made(video, "r1", w.make("r1", p, 0, "v7-4320p"))
		k.Made(video, "r0", w.whole("r0", p, 0))
		k.Made("other", "r1", w.whole("r1", p, 0))
		synctest.Wait()
		if w.there(Name) || len(w.notes) > 0 {
			t.Errorf("offered: %v, said %+v", w.Names(), w.notes)
		}
	})
}

// What stands in the destination and does not fit the plan is withdrawn, not
// mended.
func TestStandingListsThatDoNotFit(t *testing.T) {
	for name, spoil := range map[string]func(text string) string{
		"another target": func(s string) string { return strings.Replace(s, "DURATION:6", "DURATION:7", 1) },
		"another init":   func(s string) string { return strings.Replace(s, "init-00000000", "init-11111111", 1) },
		"no playlist":    func(string) string { return "<html>" },
		"not growing":    func(s string) string { return strings.Replace(s, "EVENT", "VOD", 1) },
		"ended":          func(s string) string { return s + "#EXT-X-ENDLIST\n" },
	} {
		inBubble(t, func(t *testing.T, w *world) {
			p := plan(6)
			k, stop := w.keeper(Soon)
			k.Planned(making("r1"), p, nil)
			first := w.whole("r1", p, 0)
			k.Made(video, "r1", first)
			synctest.Wait()
			stop()
			list := "vid/live-r1/v0-360p.m3u8"
			w.Set(list, []byte(spoil(string(w.Bytes(list)))))
			w.Set("vid/r1/v0-360p/init-11111111.mp4", []byte("init"))
			delete(w.lists, list)
			k, stop = w.keeper(Soon)
			defer stop()
			k.Planned(making("r1"), p, nil, first)
			k.Made(video, "r1", w.whole("r1", p, 1))
			after(time.Minute)
			k.Made(video, "r1", w.whole("r1", p, 2))
			after(time.Minute)
			if l := w.list("r1", "v1-720p"); w.there(Name) || !l.Ended || !w.said("no longer") {
				t.Errorf("%s: %v, ended %v, said %+v", name, w.Names(), l.Ended, w.notes)
			}
		})
	}
}

var errRefused = errors.New("refused")

// Withdrawing is tried until it is done.
func TestWithdrawnInTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := plan(20)
		k, stop := w.keeper(Soon)
		defer stop()
		k.Planned(making("r1"), p, nil)
		k.Made(video, "r1", w.whole("r1", p, 0))
		synctest.Wait()
		w.refuse(errRefused)
		k.Changed(spool.Video{ID: video, Revision: "r1", Status: spool.Failed})
		after(20 * time.Second)
		w.refuse(nil)
		after(time.Minute)
		if l := w.list("r1", "v1-720p"); w.there(Name) || !l.Ended {
			t.Errorf("%v, ended %v", w.Names(), l.Ended)
		}
	})
}
