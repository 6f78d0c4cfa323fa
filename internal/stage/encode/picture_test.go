package encode_test

import (
	"path/filepath"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/mediatest"
)

// pixels decodes the first frame of a file to gray, a byte a pixel.
func pixels(t *testing.T, path string) []byte {
	t.Helper()
	return mediatest.FFmpeg(t, "-i", path, "-frames:v", "1", "-vf", "extractplanes=y", "-f", "rawvideo", "pipe:1")
}

func tags(t *testing.T, path string) string {
	t.Helper()
	return string(mediatest.FFprobe(t, "-show_entries", "stream=pix_fmt,color_range,color_space,color_transfer,color_primaries,sample_aspect_ratio,width,height,field_order", "-of", "csv=p=0", path))
}

// picture encodes one frame's worth of a source made by lavfi.
func picture(t *testing.T, graph string, args []string, facts func(*spool.VideoStream)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "source.mp4")
	mediatest.FFmpeg(t, append(append([]string{"-f", "lavfi", "-i", graph + ":r=25:d=1"}, args...), path)...)
	s := probe(t, path, spool.Ratio{Num: 25, Den: 1})
	facts(s.plan.Facts.Video)
	if s.plan.Facts.Video.Rotation != 0 {
		for i := range s.plan.Rungs {
			r := &s.plan.Rungs[i]
			r.Width, r.Height = r.Height, r.Width
		}
	}
	h := newHouse(t)
	return h.rendition(t, h.encodeAll(t, s), "v1-90p")
}

func TestFullRangeBecomesLimited(t *testing.T) {
	out := picture(t, "color=white:s=160x90", []string{"-c:v", "libx264", "-pix_fmt", "yuvj420p"}, func(v *spool.VideoStream) { v.Range = "pc" })
	if y := pixels(t, out)[80*45]; y < 233 || y > 237 {
		t.Errorf("white is %d, want 235", y)
	}
	// Untagged and small: as television was.
	if got := tags(t, out); got != "160,90,1:1,yuv420p,tv,smpte170m,smpte170m,smpte170m,progressive\n" {
		t.Error(got)
	}
}

func TestHDRIsToneMapped(t *testing.T) {
	out := picture(t, "testsrc2=s=160x90", []string{
		"-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-x265-params",
		"colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:range=limited:log-level=error",
	}, func(v *spool.VideoStream) {
		v.Transfer, v.Space, v.Primaries, v.Range, v.BitDepth = "smpte2084", "bt2020nc", "bt2020", "tv", 10
	})
	if got := tags(t, out); got != "160,90,1:1,yuv420p,tv,bt709,bt709,bt709,progressive\n" {
		t.Error(got)
	}
}

func TestRotatedPicturesStandUpright(t *testing.T) {
	// The left half is white; turned by a quarter it is the upper or the lower.
	plain := filepath.Join(t.TempDir(), "plain.mp4")
	mediatest.FFmpeg(t, "-f", "lavfi", "-i", "color=black:s=160x90:r=25:d=1,drawbox=w=80:h=90:color=white:t=fill", "-c:v", "libx264", "-pix_fmt", "yuv420p", plain)
	turned := filepath.Join(t.TempDir(), "turned.mp4")
	mediatest.FFmpeg(t, "-i", plain, "-c", "copy", "-metadata:s:v:0", "rotate=90", turned)
	s := probe(t, turned, spool.Ratio{Num: 25, Den: 1})
	for i := range s.plan.Rungs {
		r := &s.plan.Rungs[i]
		r.Width, r.Height = r.Height, r.Width
	}
	h := newHouse(t)
	out := h.rendition(t, h.encodeAll(t, s), "v1-90p")
	// What a player shows of the source is the measure.
	shown := mediatest.FFmpeg(t, "-i", turned, "-frames:v", "1", "-vf", "extractplanes=y", "-f", "rawvideo", "pipe:1")
	got := pixels(t, out)
	if len(got) != 160*90 || len(shown) != len(got) {
		t.Fatalf("%d pixels, %d shown", len(got), len(shown))
	}
	for _, at := range []int{90*20 + 45, 90*140 + 45} {
		if d := int(got[at]) - int(shown[at]); d < -4 || d > 4 {
			t.Errorf("pixel %d is %d, shown %d", at, got[at], shown[at])
		}
	}
}

func TestSizeThatChangesInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]string{"a.ts": "160x90", "b.ts": "320x240"} {
		mediatest.FFmpeg(t, "-f", "lavfi", "-i", "testsrc2=s="+size+":r=25:d=1", "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", filepath.Join(dir, name))
	}
	whole := filepath.Join(dir, "whole.ts")
	mediatest.FFmpeg(t, "-i", "concat:"+filepath.Join(dir, "a.ts")+"|"+filepath.Join(dir, "b.ts"), "-c", "copy", whole)
	s := probe(t, whole, spool.Ratio{Num: 25, Den: 1})
	h := newHouse(t)
	out := h.rendition(t, h.encodeAll(t, s), "v1-90p")
	if n := len(mediatest.ReadBarcodes(t, out)); n != s.plan.Timeline.Frames {
		t.Errorf("%d frames, want %d", n, s.plan.Timeline.Frames)
	}
}
