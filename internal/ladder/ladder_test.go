package ladder

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"pgregory.net/rapid"
)

func source(w, h int) spool.Facts {
	return spool.Facts{Video: &spool.VideoStream{
		Width: w, Height: h, SAR: spool.Ratio{Num: 1, Den: 1}, FrameRate: spool.Ratio{Num: 25, Den: 1},
	}}
}

// show writes rungs in one line: "v1-480p 854x480 1600k".
func show(rungs []spool.Rung) string {
	var parts []string
	for _, r := range rungs {
		if r.Action == spool.SkipRung {
			parts = append(parts, "no "+r.Label())
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %dx%d %dk", r.Name, r.Width, r.Height, r.MaxRate/1000))
	}
	return strings.Join(parts, ", ")
}

func TestChooseBySource(t *testing.T) {
	anamorphic := source(720, 576)
	anamorphic.Video.SAR = spool.Ratio{Num: 64, Den: 45}
	rotated := source(1920, 1080)
	rotated.Video.Rotation = 90
	turned := source(720, 576)
	turned.Video.SAR, turned.Video.Rotation = spool.Ratio{Num: 64, Den: 45}, -90
	fast := source(1280, 720)
	fast.Video.FrameRate = spool.Ratio{Num: 60000, Den: 1001}
	for _, c := range []struct {
		name  string
		facts spool.Facts
		want  string
	}{
		{"1080p", source(1920, 1080), "v2-1080p 1920x1080 6000k, v1-720p 1280x720 3000k, v0-360p 640x360 800k"},
		{"2160p", source(3840, 2160), "v2-1080p 1920x1080 6000k, v1-720p 1280x720 3000k, v0-360p 640x360 800k"},
		{"1088 lines", source(1920, 1088), "v2-1080p 1906x1080 6000k, v1-720p 1270x720 3000k, v0-360p 636x360 800k"},
		{"720p60", fast, "no 1080p, v1-720p 1280x720 4500k, v0-360p 640x360 1200k"},
		{"480p", source(854, 480), "no 1080p, no 720p, v1-480p 854x480 1600k, v0-360p 640x360 800k"},
		{"200p", source(356, 200), "no 1080p, no 720p, no 360p, v0-200p 356x200 317k"},
		{"360p", source(640, 360), "no 1080p, no 720p, v0-360p 640x360 800k"},
		{"362 lines", source(640, 362), "no 1080p, no 720p, v0-362p 640x362 813k, no 360p"},
		{"768 lines", source(1366, 768), "no 1080p, v1-768p 1366x768 3400k, no 720p, v0-360p 640x360 800k"},
		{"portrait", source(1080, 1920), "v2-1080p 1080x1920 6000k, v1-720p 720x1280 3000k, v0-360p 360x640 800k"},
		{"rotated", rotated, "v2-1080p 1080x1920 6000k, v1-720p 720x1280 3000k, v0-360p 360x640 800k"},
		{"anamorphic", anamorphic, "no 1080p, no 720p, v1-576p 1024x576 2160k, v0-360p 640x360 800k"},
		{"anamorphic, rotated", turned, "no 1080p, no 720p, v1-576p 576x1024 2160k, v0-360p 360x640 800k"},
		{"odd", source(161, 121), "no 1080p, no 720p, no 360p, v0-120p 160x120 150k"},
		{"square", source(500, 500), "no 1080p, no 720p, v1-500p 500x500 1717k, v0-360p 360x360 800k"},
		{"tiny", source(2, 2), "no 1080p, no 720p, no 360p, v0-64p 64x64 100k"},
		{"one pixel", source(1, 1), "no 1080p, no 720p, no 360p, v0-64p 64x64 100k"},
		{"ribbon", source(2048, 4), "no 1080p, no 720p, no 360p, v0-4p 2048x4 100k"},
		{"standing ribbon", source(4, 2048), "no 1080p, no 720p, no 360p, v0-4p 4x2048 100k"},
		{"audio only", spool.Facts{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			rungs, err := Choose(c.facts, spool.Settings{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := show(rungs); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestChooseBySettings(t *testing.T) {
	custom := map[string]Spec{"mobile": {{240, 28, 300_000}, {480, 24, 900_000}}}
	for _, c := range []struct {
		name     string
		w, h     int
		settings spool.Settings
		want     string
		crf      int
	}{
		{"classic", 1920, 1080, spool.Settings{Ladder: "classic"}, "v2-1080p 1920x1080 2100k, v1-720p 1280x720 870k, v0-360p 640x360 360k", 18},
		{"custom", 1920, 1080, spool.Settings{Ladder: "mobile"}, "v1-480p 854x480 900k, v0-240p 426x240 300k", 24},
		{"custom, between", 640, 360, spool.Settings{Ladder: "mobile"}, "no 480p, v1-360p 640x360 506k, v0-240p 426x240 300k", 24},
		{"sizes", 1920, 1080, spool.Settings{Sizes: []int{720, 240, 720}}, "v1-720p 1280x720 3000k, v0-240p 426x240 400k", 23},
		{"sizes below the source", 854, 480, spool.Settings{Sizes: []int{240}}, "v0-240p 428x240 400k", 23},
		{"sizes above the source", 854, 480, spool.Settings{Sizes: []int{1440}}, "no 1440p, v0-480p 854x480 1600k", 23},
		{"4k", 3840, 2160, spool.Settings{Sizes: []int{2160}}, "v0-2160p 3840x2160 18000k", 23},
	} {
		t.Run(c.name, func(t *testing.T) {
			rungs, err := Choose(source(c.w, c.h), c.settings, custom)
			if err != nil {
				t.Fatal(err)
			}
			if got := show(rungs); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if top := Made(rungs)[0]; top.CRF != c.crf || top.Why == "" {
				t.Errorf("top is %+v", top)
			}
		})
	}
}

func TestChooseRefuses(t *testing.T) {
	for _, c := range []struct {
		facts    spool.Facts
		settings spool.Settings
		code     string
	}{
		{source(640, 360), spool.Settings{Ladder: "clasic"}, "unknown-ladder"},
		{source(16000, 100), spool.Settings{}, "odd-size"},
	} {
		_, err := Choose(c.facts, c.settings, map[string]Spec{"empty": {}})
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != c.code || e.Class != spool.Permanent || e.Hint == "" {
			t.Errorf("got %v", err)
		}
	}
}

func TestChooseProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 8192).Draw(t, "w"), rapid.IntRange(1, 4320).Draw(t, "h")
		rungs, err := Choose(source(w, h), spool.Settings{}, nil)
		if err != nil {
			return
		}
		made := Made(rungs)
		if len(made) == 0 {
			t.Fatal("nothing is made")
		}
		before := 1 << 30
		for i, r := range made {
			checkRung(t, r, w, h)
			if r.ShortSide >= before || r.Name != fmt.Sprintf("v%d-%dp", len(made)-1-i, r.ShortSide) {
				t.Fatalf("rung %d is %+v", i, r)
			}
			before = r.ShortSide
		}
	})
}

func checkRung(t *rapid.T, r spool.Rung, w, h int) {
	if r.Width%2 != 0 || r.Height%2 != 0 || r.Width < 2 || r.Height < 2 || max(r.Width, r.Height) > longest || r.MaxRate <= 0 {
		t.Fatalf("rung %+v", r)
	}
	if short := min(w, h); short >= smallest && min(r.Width, r.Height) > short {
		t.Fatalf("%dx%d is enlarged: %+v", w, h, r)
	}
}
