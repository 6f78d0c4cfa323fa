package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool/internal/mediatest"
)

// shown is what of a published video a player sees.
type shown struct {
	Width, Height int
	Rate          string // frames per second
	Frames        string
	Pixels        string
	Transfer      string
	Sound         bool
}

const (
	odd160  = "-f lavfi -i testsrc2=s=160x90:r=25"
	x264    = " -c:v libx264 -preset ultrafast -pix_fmt yuv420p"
	tone    = " -f lavfi -i sine=f=440"
	mpeg2   = " -c:v mpeg2video -q:v 3"
	twoSecs = " -t 2"
)

// ordinary is what unusual sources become. The frames are those of the
// source's time, not of its file.
var ordinary = map[string]struct {
	args string
	want shown
}{
	"one-frame.mp4":    {odd160 + x264 + " -frames:v 1", shown{160, 90, "25/1", "1", "", "", false}},
	"tenth.mp4":        {odd160 + tone + x264 + " -c:a aac -t 0.12", shown{160, 90, "25/1", "3", "", "", true}},
	"odd.mkv":          {"-f lavfi -i testsrc2=s=161x121:r=25 -t 1 -c:v ffv1", shown{160, 120, "25/1", "25", "", "", false}},
	"anamorphic.ts":    {"-f lavfi -i testsrc2=s=180x144:r=25 -vf setsar=64/45" + mpeg2 + twoSecs, shown{256, 144, "25/1", "50", "", "", false}},
	"interlaced.ts":    {"-f lavfi -i testsrc2=s=180x144:r=50 -vf interlace=scan=tff -flags +ilme+ildct" + mpeg2 + twoSecs, shown{180, 144, "25/1", "50", "", "", false}},
	"ten-bit.mkv":      {odd160 + " -c:v libx264 -preset ultrafast -pix_fmt yuv420p10le" + twoSecs, shown{160, 90, "25/1", "50", "", "", false}},
	"hlg.mkv":          {odd160 + " -c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params log-level=none:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc -t 1", shown{160, 90, "25/1", "25", "", "bt709", false}},
	"fast.mp4":         {"-f lavfi -i testsrc2=s=160x90:r=120" + x264 + " -t 1", shown{160, 90, "60/1", "60", "", "", false}},
	"frozen.mp4":       {odd160 + ` -vf setpts=if(gte(N\,25)\,PTS+10/TB\,PTS) -fps_mode vfr` + x264 + " -t 12", shown{160, 90, "25/1", "300", "", "", false}},
	"wrapped.ts":       {odd160 + tone + x264 + " -c:a aac -output_ts_offset 95441.7" + twoSecs, shown{160, 90, "25/1", "50", "", "", true}},
	"sound-longer.mp4": {"-f lavfi -i testsrc2=s=160x90:r=25:d=1 -f lavfi -i sine=d=3" + x264 + " -c:a aac -ac 1 -ar 44100", shown{160, 90, "25/1", "75", "", "", true}},
	"surround.mkv":     {odd160 + " -f lavfi -i anoisesrc=r=48000:a=0.1" + x264 + " -c:a ac3 -ac 6" + twoSecs, shown{160, 90, "25/1", "50", "", "", true}},
}

// TestOddSourcesBecomeOrdinary publishes what is legal but unusual.
func TestOddSourcesBecomeOrdinary(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	sources := map[string]string{}
	for name, o := range ordinary {
		id, _, _ := strings.Cut(name, ".")
		sources[id] = s.path(name)
		mediatest.FFmpeg(t, append(strings.Fields(o.args), sources[id])...)
	}
	s.publish(t, "bucket", sources)
	out, errs, code := s.spool(t, "verify", "--all", "--to", s.path("bucket"))
	if code != exitReady {
		t.Errorf("verify ends with %d:\n%s%s", code, out, errs)
	}
	for name, o := range ordinary {
		id, _, _ := strings.Cut(name, ".")
		o.want.Pixels = "yuv420p"
		got := s.shown(t, id)
		if sounds := s.master(t, "bucket", id).Audio; len(sounds) == 2 != (id == "surround") { // it is there in stereo, too
			t.Errorf("%s: sounds are %+v", id, sounds)
		}
		if o.want.Transfer == "" {
			got.Transfer = ""
		}
		if diff := cmp.Diff(o.want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

// shown looks at the largest size of a video, and at its sound.
func (s studio) shown(t *testing.T, video string) shown {
	t.Helper()
	master := s.master(t, "bucket", video)
	best := master.Variants[0]
	for _, v := range master.Variants {
		if v.Height > best.Height {
			best = v
		}
	}
	var found struct {
		Streams []struct {
			Width, Height int
			Rate          string `json:"r_frame_rate"`
			Frames        string `json:"nb_read_frames"`
			Pixels        string `json:"pix_fmt"`
			Transfer      string `json:"color_transfer"`
			Codec         string `json:"codec_name"`
			Channels      int
			SampleRate    string `json:"sample_rate"`
		}
	}
	probe := func(list string) {
		t.Helper()
		text := mediatest.FFprobe(t, "-count_frames", "-show_streams", "-of", "json", s.join(t, "bucket", video, list))
		if err := json.Unmarshal(text, &found); err != nil || len(found.Streams) != 1 {
			t.Fatalf("%s/%s: %v\n%s", video, list, err, text)
		}
	}
	probe(best.URI)
	v := found.Streams[0]
	for _, a := range master.Audio {
		probe(a.URI)
		channels := 2
		if a.Group == "surround" {
			channels = 6
		}
		if a := found.Streams[0]; a.Codec != "aac" || a.Channels != channels || a.SampleRate != "48000" {
			t.Errorf("%s: sound is %+v", video, a)
		}
	}
	return shown{v.Width, v.Height, v.Rate, v.Frames, v.Pixels, v.Transfer, len(master.Audio) > 0}
}

// TestDamagedSources: what was lost is told, and of what cannot be published
// nothing stays behind.
func TestDamagedSources(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	whole := s.path("whole.mp4")
	mediatest.FFmpeg(t, append(strings.Fields(clipKinds["plain"]+" -movflags +faststart"), whole)...)
	body := s.read(t, "whole.mp4")
	if err := os.Mkdir(s.path("in"), 0o700); err != nil {
		t.Fatal(err)
	}
	ruined := append([]byte(nil), body...)
	for i := len(body) / 4; i < len(body); i += 15 {
		ruined[i] ^= 0x55
	}
	for name, b := range map[string][]byte{"cut.mp4": body[:len(body)*6/10], "ruined.mp4": ruined} {
		if err := os.WriteFile(s.path("in", name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, errs, code := s.spool(t, "run", s.path("in"), "--to", s.path("bucket"))
	if code != exitSomeFailed || strings.Count(out, "\n") != 1 {
		t.Errorf("run ends with %d:\n%s%s", code, out, errs)
	}
	for _, want := range []string{"note on cut-", "the file says that it lasts 2s, but only", "ruined-", "the source is damaged"} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q is not said:\n%s", want, errs)
		}
	}
	if left, err := filepath.Glob(s.path("bucket", "ruined-*", "*", "*", "*")); err != nil || len(left) > 0 {
		t.Errorf("of the source that failed there is %q, %v", left, err)
	}
	if revisions := s.find(t, "bucket", "cut-*", "r*"); len(revisions) != 1 {
		t.Errorf("of plans that were given up there is %q", revisions)
	}
}
