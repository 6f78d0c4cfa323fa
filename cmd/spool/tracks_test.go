package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/playtest"
)

// spoken are the subtitles of the test's film. One runs over the end of a
// segment, one beyond the end of the film, one is hostile.
const spoken = "1\n00:00:01,000 --> 00:00:02,500\n<i>Hello</i> <img src=x onerror=alert(1)>&\n\n" +
	"2\n00:00:05,500 --> 00:00:06,500\nover the edge\n\n3\n00:00:07,500 --> 00:00:40,000\nto the end\n"

// TestTracks publishes a film with three tracks of sound, one of them in 5.1,
// subtitles of several kinds inside of it and beside it, and holds what players
// make of it against that.
func TestTracks(t *testing.T) {
	s := newStudio(t)
	film, mute, album := s.path("film.mkv"), s.path("mute.mp4"), s.path("album.m4a")
	for name, text := range map[string]string{
		"film.fr.srt": "1\n00:00:01,000 --> 00:00:02,000\nTh\xe9\xe2tre\n", "film.ru.forced.srt": "1\n00:00:01,000 --> 00:00:02,000\n\xcf\xf0\xe8\xe2\xe5\xf2\n",
		"film.srt": "1\n00:00:01,000 --> 00:00:02,000\n\xcf\xf0\xe8\xe2\xe5\xf2\n", "cues.srt": spoken,
	} {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const sine = " -f lavfi -i sine=f=%d:r=48000:d=8"
	mediatest.FFmpeg(t, append(strings.Fields("-f lavfi -i testsrc2=s=160x90:r=25:d=8"+fmt.Sprintf(sine+sine+sine, 440, 880, 1320)+
		" -i "+s.path("cues.srt")+" -map 0 -map 1 -map 2 -map 3 -map 4 -map 4 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50"+
		" -c:a:0 ac3 -ac:a:0 6 -c:a:1 aac -c:a:2 aac -c:s:0 subrip -c:s:1 ass -metadata:s:a:0 language=eng -metadata:s:a:1 language=fre"+
		" -metadata:s:a:2 language=eng -disposition:a:2 comment -metadata:s:s:0 language=eng -metadata:s:s:1 language=ger -disposition:s:1 hearing_impaired"), film)...)
	mediatest.FFmpeg(t, append(strings.Fields("-f lavfi -i testsrc2=s=160x90:r=25:d=2 -i "+s.path("cues.srt")+" -map 0 -map 1 -t 2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:s mov_text"), mute)...)
	mediatest.FFmpeg(t, append(strings.Fields(fmt.Sprintf(sine+sine, 440, 880)+" -map 0 -map 1 -c:a aac -metadata:s:a:0 language=eng -metadata:s:a:1 language=ger"), album)...)
	sources := map[string]string{"film": film, "mute": mute, "album": album}
	s.publish(t, "clear", sources, "--sizes", "90")
	s.publish(t, "coded", map[string]string{"film": film}, "--sizes", "90", "--keys", s.path("keys"))
	for to, more := range map[string][]string{"clear": nil, "coded": {"--keys", s.path("keys")}} {
		out, errs, code := s.spool(t, append([]string{"verify", "--all", "--to", s.path(to)}, more...)...)
		// 69: a film as small as this one has one size; 34: the preset of tests makes no High profile.
		if code != exitReady || strings.Count(out, ": SHOULD ") != strings.Count(out, ": SHOULD 69: ")+strings.Count(out, ": SHOULD 34: ") {
			t.Errorf("spool verify of %s ends with %d:\n%s%s", to, code, out, errs)
		}
	}
	t.Run("offered", s.offersTracks)
	t.Run("sounds", s.hearsTracks)
	t.Run("hls-parser", s.readByHLSParser)
	t.Run("shown", func(t *testing.T) {
		out, _, _ := s.spool(t, "show", "film", "--to", s.path("clear"))
		for _, want := range []string{"English, English in 5.1, French, English (commentary)", "English, German (for the hard of hearing), French, Russian (forced)", "subtitles of film.srt are left out: its encoding is not known"} {
			if !strings.Contains(out, want) {
				t.Errorf("spool show does not say %q:\n%s", want, out)
			}
		}
	})
	places := map[string]string{"clear": s.preview(t, "clear"), "coded": s.preview(t, "coded", "--keys", s.path("keys"))}
	t.Run("chromium", func(t *testing.T) { playTracks(t, places) })
}

// offersTracks reads the master playlist of the film.
func (s studio) offersTracks(t *testing.T) {
	m := s.master(t, "clear", "film")
	var got []string
	for _, r := range slices.Concat(m.Audio, m.Subtitles) {
		got = append(got, fmt.Sprintf("%s %s %s %d %v %v %v %v", r.Group, r.Language, r.Name, r.Channels, r.Default, r.Autoselect, r.Forced, r.Characteristics != ""))
	}
	want := []string{
		"audio en English 2 true true false false", "audio fr French 2 false true false false", "audio en English (commentary) 2 false false false false",
		"surround en English 6 true true false false", "surround fr French 2 false true false false", "surround en English (commentary) 2 false false false false",
		"subtitles en English 0 false true false false", "subtitles de German (for the hard of hearing) 0 false true false true",
		"subtitles fr French 0 false true false false", "subtitles ru Russian (forced) 0 false true true false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(m.Variants) != 2 || m.Variants[0].Audio != "audio" || m.Variants[1].Audio != "surround" || m.Variants[1].Subtitles != "subtitles" {
		t.Errorf("variants %+v", m.Variants)
	}
	for name, text := range map[string]string{"French": "Théâtre", "Russian (forced)": "Привет", "English": "<i>Hello</i> &amp;\n"} {
		i := slices.IndexFunc(m.Subtitles, func(r hls.Rendition) bool { return r.Name == name })
		list, err := hls.ParseMedia(s.read(t, "clear", "film", m.Subtitles[i].URI))
		if err != nil || len(list.Segments) != 2 {
			t.Fatalf("%s: %+v, %v", name, list, err)
		}
		if first := s.read(t, "clear", "film", m.Subtitles[i].URI[:strings.LastIndex(m.Subtitles[i].URI, "/")], list.Segments[0].URI); !strings.Contains(string(first), text) {
			t.Errorf("%s: %s", name, first)
		}
	}
}

// hearsTracks decodes each sound of the film, and tells the tones apart.
func (s studio) hearsTracks(t *testing.T) {
	m := s.master(t, "clear", "film")
	for i, want := range []float64{440, 880, 1320, 440, 880, 1320} {
		samples := mediatest.Sound(t, s.join(t, "clear", "film", m.Audio[i].URI))
		crossings := 0
		part := samples[48000 : 3*48000]
		for n := range part[1:] {
			if part[n] < 0 && part[n+1] >= 0 {
				crossings++
			}
		}
		if got := float64(crossings) / 2; math.Abs(got-want) > 2 {
			t.Errorf("%+v: a tone of %g Hz, want %g", m.Audio[i], got, want)
		}
		if got := float64(len(samples)) / 48000; math.Abs(got-8) > 0.03 {
			t.Errorf("%+v lasts %g s", m.Audio[i], got)
		}
	}
}

// playTracks plays in a browser, with another sound and subtitles.
func playTracks(t *testing.T, places map[string]string) {
	browser := playtest.Start(t)
	for level, to := range []string{"clear", "coded"} { // with stereo, and with 5.1
		r := browser.Play(t, places[to], "media/film/master.m3u8", playtest.Options{Level: level, Sound: "French", Text: "English", Rate: 2, Limit: 90 * time.Second})
		if !r.Ended || len(r.Errors) > 0 || len(r.Buffered) != 1 || math.Abs(r.Buffered[0][1]-8) > 0.05 {
			t.Errorf("%s: ended %v at %.2f, buffered %v, errors %q", to, r.Ended, r.Position, r.Buffered, r.Errors)
		}
		if !slices.Equal(r.Sounds, []string{"English", "French", "English (commentary)"}) || len(r.Texts) != 4 {
			t.Errorf("%s: sounds %q, texts %q", to, r.Sounds, r.Texts)
		}
		for n := range 2 {
			if !slices.ContainsFunc(r.Requests, func(uri string) bool { return strings.Contains(uri, fmt.Sprintf("/a2-fre/%05d-", n)) }) {
				t.Errorf("%s: segment %d of the chosen sound was not asked for: %q", to, n, r.Requests)
			}
		}
		checkCues(t, to, r.Cues, r.Requests)
	}
	r := browser.Play(t, places["clear"], "media/album/master.m3u8", playtest.Options{Sound: "German", Rate: 4, Limit: 90 * time.Second})
	heard := slices.ContainsFunc(r.Requests, func(uri string) bool { return strings.Contains(uri, "/a1-ger/00000-") })
	// hls.js looks in the playlist of the variant for pictures, says that there
	// are none, and goes on.
	r.Errors = slices.DeleteFunc(r.Errors, func(e string) bool {
		return strings.Contains(e, "Found no media in main playlist") && !strings.Contains(e, "fatal")
	})
	if !r.Ended || len(r.Errors) > 0 || len(r.Sounds) != 2 || !heard {
		t.Errorf("album: ended %v at %.2f, sounds %q, errors %q, asked for %q", r.Ended, r.Position, r.Sounds, r.Errors, r.Requests)
	}
}

// checkCues holds what was shown against what is spoken: each once, at its
// time, and of what is hostile the text alone.
func checkCues(t *testing.T, what string, cues []playtest.Cue, requests []string) {
	t.Helper()
	want := []playtest.Cue{
		{Start: 1, End: 2.5, Text: "<i>Hello</i> &amp;", Markup: 1}, {Start: 5.5, End: 6.5, Text: "over the edge"}, {Start: 7.5, End: 8, Text: "to the end"},
	}
	if len(cues) != len(want) {
		t.Errorf("%s: cues %+v, asked for %q", what, cues, requests)
		return
	}
	for i, c := range cues {
		w := want[i]
		// A picture is shown for 40 ms, and times in Matroska are whole milliseconds.
		if c.Text != w.Text || c.Markup != w.Markup || math.Abs(c.Start-w.Start) > 0.03 || math.Abs(c.End-w.End) > 0.03 || c.At < c.Start-0.05 || c.At > c.End {
			t.Errorf("%s: got %+v, want %+v", what, c, w)
		}
	}
}
