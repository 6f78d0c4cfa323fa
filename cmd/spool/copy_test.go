package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/playtest"
)

// TestCopiedPackagesPlay publishes a source whose own pictures are good as they
// are: they are its top size, the smaller one is cut at the same times, and a
// player goes from one to the other at every segment.
func TestCopiedPackagesPlay(t *testing.T) {
	s := newStudio(t)
	film := programme{
		"film", "-f lavfi -i testsrc2=s=320x180:r=25:d=14 -f lavfi -i sine=f=440:r=48000:d=14 -c:v libx264 -preset veryfast -pix_fmt yuv420p " +
			"-bf 3 -g 250 -force_key_frames expr:eq(n,117)+eq(n,230) -c:a aac",
		14, 350,
		[][2]int{{160, 90}, {320, 180}},
	}
	source := s.path("film.mp4")
	mediatest.FFmpeg(t, append(strings.Fields(film.args), source)...)

	out, errs, code := s.spool(t, "plan", source, "--sizes", "90,180", "--to", s.path("copied"))
	if code != exitReady || !strings.Contains(out, "180p   copy   320×180    good as it is: H.264 of at most") || !strings.Contains(out, "3 segments in 3 chunks") {
		t.Errorf("spool plan ends with %d:\n%s%s", code, out, errs)
	}
	if !strings.Contains(out, "sound  copy   mono       Audio: good as it is: AAC-LC of") {
		t.Errorf("spool plan says of the sound:\n%s", out)
	}
	out, errs, code = s.spool(t, "plan", source, "--sizes", "90,180", "--to", s.path("copied"), "--copy", "never")
	if code != exitReady || strings.Contains(out, "good as it is") || !strings.Contains(out, "180p   encode 320×180    the source's own size; encoded: as asked for") {
		t.Errorf("spool plan --copy never ends with %d:\n%s%s", code, out, errs)
	}

	s.publish(t, "copied", map[string]string{film.id: source}, "--sizes", "90,180", "--keys", s.path("keys"))
	s.publish(t, "clear", map[string]string{film.id: source}, "--sizes", "90,180")
	for _, to := range []string{"copied", "clear"} {
		if out, errs, code := s.spool(t, "verify", film.id, "--to", s.path(to)); code != exitReady {
			t.Errorf("spool verify of %s ends with %d:\n%s%s", to, code, out, errs)
		}
	}
	list := filepath.Base(filepath.Dir(filepath.Dir(s.find(t, "clear", film.id, "r*", "v1-180p", "index.m3u8")[0]))) + "/v1-180p/index.m3u8"
	if want, got := s.packets(t, "v:0", source), s.packets(t, "v:0", s.join(t, "clear", film.id, list)); !slices.Equal(got, want) || len(got) != film.frames {
		t.Errorf("%d packets of the source, %d others are published", len(want), len(got))
	}
	list = filepath.Base(filepath.Dir(filepath.Dir(s.find(t, "clear", film.id, "r*", "a0-und", "index.m3u8")[0]))) + "/a0-und/index.m3u8"
	if want, got := s.packets(t, "a:0", source), s.packets(t, "a:0", s.join(t, "clear", film.id, list)); !slices.Equal(got, want) || len(got) < 600 {
		t.Errorf("%d packets of the source's sound, %d others are published", len(want), len(got))
	}

	address := s.preview(t, "copied", "--keys", s.path("keys"))
	s.countByFFmpeg(t, "copied", address, film)
	browser := playtest.Start(t)
	film.play(t, browser, address, playtest.Options{Level: 1, SeekTo: 8, Rate: 4, Limit: 90 * time.Second})
	r := browser.Play(t, address, "media/film/master.m3u8", playtest.Options{Level: 1, Alternate: true, Rate: 4, Limit: 90 * time.Second})
	if !r.Ended || len(r.Errors) > 0 || !slices.Equal(r.Shown, []int{0, 1}) || len(r.Buffered) != 1 || r.Buffered[0][0] > 0.005 {
		t.Errorf("from size to size: %+v", r)
	}
}

// packets are the SHA-256 sums of the packets of a file's stream.
func (s studio) packets(t *testing.T, stream, path string) []string {
	t.Helper()
	var found struct {
		Packets []struct {
			Hash string `json:"data_hash"`
		}
	}
	out := mediatest.FFprobe(t, "-select_streams", stream, "-show_data_hash", "sha256", "-show_entries", "packet=data_hash", "-of", "json", "file:"+path)
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	var hashes []string
	for _, p := range found.Packets {
		hashes = append(hashes, p.Hash)
	}
	return hashes
}
