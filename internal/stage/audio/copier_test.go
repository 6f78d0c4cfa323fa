package audio_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/publish"
	"github.com/spool-video/spool/internal/stage/audio"
	"github.com/spool-video/spool/internal/store/folder"
)

// packets are the SHA-256 sums of a file's packets of sound.
func packets(t *testing.T, path string) []string {
	t.Helper()
	var found struct {
		Packets []struct {
			Hash string `json:"data_hash"`
		}
	}
	out := mediatest.FFprobe(t, "-select_streams", "a:0", "-show_data_hash", "sha256", "-show_entries", "packet=data_hash", "-of", "json", "file:"+path)
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range found.Packets {
		all = append(all, p.Hash)
	}
	return all
}

// The source's own packets are heard when they are in the source, wherever
// these begin.
func TestCopiedSoundIsInItsPlace(t *testing.T) {
	for _, c := range []struct {
		name   string
		source mediatest.FlashBeep
		want   []float64
	}{
		{"as ffmpeg writes it", mediatest.FlashBeep{Seconds: 8}, []float64{0.52, 1.52, 2.52, 3.52, 4.52, 5.52, 6.52, 7.52}},
		{"mono in a mov", mediatest.FlashBeep{Name: "s.mov", Seconds: 3, Args: []string{"-ac", "1"}}, []float64{0.52, 1.52, 2.52}},
		{"begins before the pictures", mediatest.FlashBeep{Seconds: 3, Delay: -0.32}, []float64{0.2, 1.2, 2.2}},
		{"begins a part of a packet before", mediatest.FlashBeep{Seconds: 3, Rate: 30, Delay: -0.1}, []float64{0.4, 1.4, 2.4}},
		{"goes on after the pictures", mediatest.FlashBeep{Seconds: 3, Args: []string{"-vf", "trim=end_frame=74"}}, []float64{0.52, 1.52, 2.52}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := planned(t, c.source.Make(t))
			if !s.plan.Sounds[0].Copied || !strings.HasPrefix(s.plan.Sounds[0].Why, "good as it is: AAC-LC of") {
				t.Fatalf("%+v", s.plan.Sounds[0])
			}
			file, made := s.encode(t)
			got := mediatest.Beeps(t, file)
			if len(got) != len(c.want) {
				t.Fatalf("beeps at %.3f, want %.3f", got, c.want)
			}
			for i := range got {
				if off := got[i] - c.want[i]; off > 0.002 || off < -0.002 {
					t.Errorf("beep %d at %.4f s, want %.4f", i, got[i], c.want[i])
				}
			}
			own, all := packets(t, file), packets(t, s.path)
			if first := s.plan.Sounds[0].First; len(own) < 100 || first+len(own) > len(all) || !slices.Equal(own, all[first:first+len(own)]) {
				t.Errorf("%d packets are not those of the source, of %d, from %d on", len(own), len(all), first)
			}
			t.Logf("%d segments of %v, priming %d, first %d: %s", len(made.Segments), s.plan.Sounds[0].Packets, s.plan.Sounds[0].PrimingSamples, s.plan.Sounds[0].First, s.plan.Sounds[0].Why)
		})
	}
}

func TestSoundThatIsEncoded(t *testing.T) {
	for _, c := range []struct {
		source mediatest.FlashBeep
		why    string
	}{
		{mediatest.FlashBeep{Seconds: 2, Delay: 0.5}, "encoded: it begins later than the pictures"},
		{mediatest.FlashBeep{Seconds: 2, Args: []string{"-use_editlist", "0"}}, "encoded: its packets do not follow each other without a gap"},
		{mediatest.FlashBeep{Seconds: 3, Hole: [2]float64{1, 1.5}}, ""},
		{mediatest.FlashBeep{Seconds: 2, Args: []string{"-ar", "44100"}}, ""},
		{mediatest.FlashBeep{Seconds: 2, Args: []string{"-ac", "6"}}, ""},
		{mediatest.FlashBeep{Seconds: 2, Args: []string{"-c:a", "libmp3lame"}}, ""},
		{mediatest.FlashBeep{Seconds: 2, Name: "s.mkv"}, ""},
		{mediatest.FlashBeep{Seconds: 3, Args: []string{"-af", "atrim=end=2"}}, "encoded: it ends before the pictures"},
	} {
		s := planned(t, c.source.Make(t))
		if s.plan.Sounds[0].Copied || c.why != "" && s.plan.Sounds[0].Why != c.why || s.plan.Grid.PrimingSamples != 1024 || s.plan.Sounds[0].Channels != 2 {
			t.Errorf("%+v: %+v, %q", c.source, s.plan.Sounds[0], s.plan.Sounds[0].Why)
		}
	}
}

// A source that ends before its index says.
func TestCopiedSoundThatIsNotThere(t *testing.T) {
	s := planned(t, mediatest.FlashBeep{Seconds: 2, Args: []string{"-movflags", "+faststart"}}.Make(t))
	if !s.plan.Sounds[0].Copied {
		t.Fatalf("%+v", s.plan.Sounds[0])
	}
	info, err := os.Stat(s.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(s.path, info.Size()*3/4); err != nil {
		t.Fatal(err)
	}
	bucket, err := folder.Open(t.TempDir(), folder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(t.TempDir(), "work")
	stage := audio.Stage{
		Publisher: publish.Publisher{Store: bucket, Uploads: flow.NewSlots(2)},
		Work:      func(spool.JobKey) string { return work },
	}
	_, err = stage.Run(t.Context(), s.job[0], nil)
	var e *spool.Error
	if !errors.As(err, &e) || e.Class != spool.Replan || e.Code != "copy-not-as-planned" {
		t.Errorf("%v", err)
	}
}
