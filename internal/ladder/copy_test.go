package ladder

import (
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

const furthest = 10490 * time.Millisecond

// good is a source of 1920x1080 that can be copied.
func good() (spool.Facts, Coded) {
	facts := source(1920, 1080)
	facts.Video.Codec, facts.Video.Profile, facts.Video.PixFmt, facts.Video.BitDepth = "h264", "High", "yuv420p", 8
	return facts, Coded{
		Profile: 100, Level: 40, Chroma: 1, BitDepth: 8, Progressive: true,
		Constant: true, Gap: 4 * time.Second, Peak: 6_200_000,
	}
}

func TestCopySaysWhy(t *testing.T) {
	for _, c := range []struct {
		change func(*spool.VideoStream, *Coded)
		why    string // "" when it is copied
	}{
		{func(*spool.VideoStream, *Coded) {}, ""},
		{func(_ *spool.VideoStream, c *Coded) { c.Profile, c.Level = 66, 52 }, ""},
		{func(v *spool.VideoStream, _ *Coded) { v.Codec = "hevc" }, "the source is HEVC"},
		{func(v *spool.VideoStream, _ *Coded) { v.Codec = "wmv2" }, "the source is wmv2"},
		{func(v *spool.VideoStream, _ *Coded) { v.Rotation = 180 }, "the pictures are turned"},
		{func(v *spool.VideoStream, _ *Coded) { v.Interlaced = true }, "interlaced"},
		{func(v *spool.VideoStream, _ *Coded) { v.BitDepth, v.Profile = 10, "High 10" }, "High 10"},
		{func(v *spool.VideoStream, _ *Coded) { v.Transfer = "arib-std-b67" }, "HDR"},
		{func(v *spool.VideoStream, _ *Coded) { v.PixFmt = "yuv422p" }, "4:2:2"},
		{func(v *spool.VideoStream, _ *Coded) { v.PixFmt = "yuv444p" }, "4:4:4"},
		{func(_ *spool.VideoStream, c *Coded) { *c = Coded{Refused: "only MP4 is copied"} }, "only MP4 is copied"},
		{func(_ *spool.VideoStream, c *Coded) { c.Chroma = 0 }, "its colours are not 4:2:0"},
		{func(v *spool.VideoStream, c *Coded) { c.Profile, v.Profile = 110, "High 10" }, "High 10"},
		{func(v *spool.VideoStream, c *Coded) { c.Profile, v.Profile = 88, "" }, "a profile of H.264 that few players know"},
		{func(_ *spool.VideoStream, c *Coded) { c.Level = 60 }, "level 6.0"},
		{func(_ *spool.VideoStream, c *Coded) { c.Progressive = false }, "coded for interlaced pictures"},
		{func(_ *spool.VideoStream, c *Coded) { c.FullRange = true }, "colours of full range"},
		{func(v *spool.VideoStream, _ *Coded) { v.PixFmt = "yuvj420p" }, "colours of full range"},
		{func(_ *spool.VideoStream, c *Coded) { c.Cut = true }, "an edit list leaves out some of its pictures"},
		{func(_ *spool.VideoStream, c *Coded) { c.Constant = false }, "variable frame rate"},
		{func(_ *spool.VideoStream, c *Coded) { c.Open = true }, "open GOPs"},
		{func(_ *spool.VideoStream, c *Coded) { c.Outlived = true }, "its sound goes on after the pictures"},
		{func(_ *spool.VideoStream, c *Coded) { c.Gap = 12 * time.Second }, "its key frames are up to 12 s apart"},
		{func(_ *spool.VideoStream, c *Coded) { c.Peak = 9_240_000 }, "up to 9.2 Mbit/s, where 6.0 Mbit/s are the cap"},
	} {
		facts, coded := good()
		c.change(facts.Video, &coded)
		rungs, err := Choose(facts, spool.Settings{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := Copy(rungs, facts, coded, furthest)
		want, action := "the source's own size; encoded: "+c.why, spool.EncodeRung
		if c.why == "" {
			want, action = "good as it is: H.264 of at most 6.2 Mbit/s, key frames up to 4 s apart", spool.CopyRung
		}
		if got[0].Why != want || got[0].Action != action || rungs[0].Action != spool.EncodeRung {
			t.Errorf("got %s, %q; want %q", got[0].Action, got[0].Why, want)
		}
		for _, r := range got[1:] {
			if r.Action != spool.EncodeRung || strings.Contains(r.Why, "copied") {
				t.Errorf("a lower rung is %+v", r)
			}
		}
	}
}

func TestCopyOfOtherSizes(t *testing.T) {
	for _, c := range []struct {
		width, height int
		sar           spool.Ratio
		sizes         []int
		action        spool.Action
	}{
		{1920, 1080, spool.Ratio{Num: 1, Den: 1}, []int{720}, spool.EncodeRung},
		{1920, 1088, spool.Ratio{Num: 1, Den: 1}, nil, spool.EncodeRung},
		{854, 480, spool.Ratio{Num: 1, Den: 1}, nil, spool.CopyRung},
		{640, 360, spool.Ratio{Num: 1, Den: 1}, []int{360}, spool.CopyRung},
		{720, 576, spool.Ratio{Num: 64, Den: 45}, nil, spool.EncodeRung},
		{1080, 1920, spool.Ratio{Num: 1, Den: 1}, nil, spool.CopyRung},
		{32, 32, spool.Ratio{Num: 1, Den: 1}, nil, spool.EncodeRung},
	} {
		facts, coded := good()
		facts.Video.Width, facts.Video.Height, facts.Video.SAR = c.width, c.height, c.sar
		coded.Peak = 100_000
		rungs, err := Choose(facts, spool.Settings{Sizes: c.sizes}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := Made(Copy(rungs, facts, coded, furthest))[0]
		if got.Action != c.action {
			t.Errorf("%dx%d: %+v", c.width, c.height, got)
		}
		if may := MayCopy(rungs, facts); c.action == spool.CopyRung && !may {
			t.Errorf("%dx%d may not be copied", c.width, c.height)
		}
	}
	if got := Copy(nil, spool.Facts{}, Coded{}, furthest); len(got) != 0 {
		t.Errorf("sound alone: %+v", got)
	}
}
