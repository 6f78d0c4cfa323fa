package plan

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ladder"
	"github.com/spool-video/spool/internal/tap"
)

const (
	small = "-f lavfi -i testsrc2=s=128x72:r=%s:d=%s "
	still = "-c:v libx264 -preset ultrafast -crf 40 -pix_fmt yuv420p -bf 2 -sc_threshold 0 "
)

// top is the highest rung of a plan.
func top(p *spool.Plan) spool.Rung { return ladder.Made(p.Rungs)[0] }

func TestCopyOrWhyNot(t *testing.T) {
	in := fmt.Sprintf(small, "25", "4")
	short := fmt.Sprintf(small, "25", "1")
	for _, c := range []struct {
		name, args string
		why        string // "" when the top rung is copied
	}{
		{"good.mp4", in + still + "-g 60", ""},
		{"good.mov", in + still + "-g 60 -movflags +faststart", ""},
		{"sound.mp4", in + fmt.Sprintf(tone, 44100, "4") + still + "-g 60 " + aac, ""},
		{"late.mp4", "-itsoffset 0.5 " + in + fmt.Sprintf(tone, 44100, "4") + "-map 0:v -map 1:a " + still + "-g 60 " + aac, ""},
		{"open.mp4", in + "-c:v libx264 -preset veryfast -g 50 -sc_threshold 0 -x264-params open-gop=1:b-adapt=0", "open GOPs"},
		{"long.mp4", fmt.Sprintf(small, "25", "13") + still + "-g 300", "its key frames are up to 12 s apart"},
		{"deep.mp4", short + "-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le", "High 10"},
		{"wide.mp4", short + "-c:v libx264 -preset ultrafast -pix_fmt yuv422p", "4:2:2"},
		{"full.mp4", short + "-pix_fmt yuvj420p -color_range pc -c:v libx264 -preset ultrafast", "colours of full range"},
		{"fields.mp4", short + "-vf setfield=tff -flags +ilme+ildct -c:v libx264 -preset veryfast -pix_fmt yuv420p", "interlaced"},
		{"vfr.mp4", in + "-vf settb=1/1000,setpts='PTS+mod(N,3)*15' -fps_mode vfr -enc_time_base 1:1000 " + still, "variable frame rate"},
		{"hole.mp4", in + "-vf select='not(between(n,40,50))' -fps_mode vfr " + still, "variable frame rate"},
		{"rate.mp4", in + "-vf noise=alls=100:allf=t -b:v 3M -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 -nal-hrd cbr -maxrate 3M -bufsize 1M", "where 100 kbit/s are the cap"},
		{"hevc.mp4", short + "-c:v libx265 -preset ultrafast -x265-params log-level=error", "the source is HEVC"},
		{"good.mkv", short + still, "only MP4 and MOV whose index lies in one place are copied"},
		{"fragmented.mp4", short + still + "-movflags +frag_keyframe+empty_moov", "only MP4 and MOV whose index lies in one place are copied"},
		{"turned.mp4", "", "the pictures are turned"},
		{"cut.mp4", "", "an edit list leaves out some of its pictures"},
		{"longer-sound.mp4", short + fmt.Sprintf(tone, 44100, "3") + still + aac, "its sound goes on after the pictures"},
		{"anamorphic.mp4", short + "-vf setsar=64/45 " + still, "the pixels are not square"},
	} {
		t.Run(c.name, func(t *testing.T) {
			switch c.name {
			case "turned.mp4":
				c.args = "-i " + source(t, "plain.mp4", short+still) + " -c copy -metadata:s:v rotate=180"
			case "cut.mp4":
				c.args = "-ss 1 -i " + source(t, "plain.mp4", in+still+"-g 60") + " -c copy"
			}
			path := source(t, c.name, c.args)
			p := mustPlan(t, path)
			rung := top(p)
			if c.why == "" {
				if rung.Action != spool.CopyRung || !strings.HasPrefix(rung.Why, "good as it is: H.264") || p.Sequential {
					t.Errorf("got %+v", rung)
				}
			} else if rung.Action != spool.EncodeRung || !strings.Contains(rung.Why, "encoded: ") || !strings.HasSuffix(rung.Why, c.why) {
				t.Errorf("got %+v", rung)
			}
			checkChunks(t, path, p)
		})
	}
}

func TestCopyIsOff(t *testing.T) {
	path := source(t, "a.mp4", fmt.Sprintf(small, "25", "6")+still+"-g 60")
	p := mustPlan(t, path, func(j *spool.Job) { j.Settings.Copy = spool.CopyNever })
	if r := top(p); r.Action != spool.EncodeRung || r.Why != "the source's own size; encoded: as asked for" || !slices.Equal(p.Grid.Frames, []int{150}) {
		t.Errorf("never: %+v, %+v", r, p.Grid)
	}
	// A plan that was not right gives up the copy before anything else.
	p = mustPlan(t, path, func(j *spool.Job) { j.Careful = 1 })
	if r := top(p); r.Action != spool.EncodeRung || !strings.HasSuffix(r.Why, "its pictures are not what its index says") || p.Sequential || len(p.Notes) > 0 {
		t.Errorf("careful: %+v, sequential: %v, %q", r, p.Sequential, p.Notes)
	}
	p = mustPlan(t, path, func(j *spool.Job) { j.Careful = 2 })
	if r := top(p); r.Action != spool.EncodeRung || !p.Sequential {
		t.Errorf("more careful: %+v, sequential: %v", r, p.Sequential)
	}
}

// A plan that was not right gives up copied sound, too.
func TestCopyOfSoundIsOff(t *testing.T) {
	path := source(t, "a.mp4", fmt.Sprintf(small, "25", "2")+fmt.Sprintf(tone, 48000, "2")+"-c:v mpeg4 -g 25 "+aac)
	for _, c := range []struct {
		settings           spool.Settings
		careful            int
		copied, sequential bool
	}{
		{spool.Settings{}, 0, true, false},
		{spool.Settings{Copy: spool.CopyNever}, 0, false, false},
		{spool.Settings{}, 1, false, false},
		{spool.Settings{}, 2, false, true},
	} {
		p := mustPlan(t, path, func(j *spool.Job) { j.Settings, j.Careful = c.settings, c.careful })
		if p.Sounds[0].Copied != c.copied || p.Sequential != c.sequential {
			t.Errorf("%+v: %+v, sequential: %v", c, p.Sounds[0], p.Sequential)
		}
	}
}

func TestCopiedGrid(t *testing.T) {
	path := source(t, "a.mp4", fmt.Sprintf(small, "25", "25")+"-c:v libx264 -preset ultrafast -crf 40 -pix_fmt yuv420p -g 250 -force_key_frames expr:eq(n,120)")
	p := mustPlan(t, path)
	if want := []int{120, 250, 255}; !slices.Equal(p.Grid.Frames, want) || p.Grid.Target != 10 || p.Grid.GOP != 50 {
		t.Errorf("grid %+v, want %v", p.Grid, want)
	}
	segments := []int{}
	for _, c := range p.Chunks {
		segments = append(segments, c.Segments)
		if c.Number > 0 && (c.Seek == nil || *c.Seek != c.FirstPTS) {
			t.Errorf("chunk %d is not decoded from its own key frame: %+v", c.Number, c)
		}
	}
	if !slices.Equal(segments, []int{1, 1, 1}) {
		t.Errorf("chunks of %v segments", segments)
	}
	checkChunks(t, path, p)
}

// TestIndexThatCannotBePublished changes what the index of a good file says.
func TestIndexThatCannotBePublished(t *testing.T) {
	good := source(t, "a.mp4", fmt.Sprintf(small, "25", "1")+still)
	p := mustPlan(t, good, func(j *spool.Job) { j.Settings.Copy = spool.CopyNever })
	file, err := os.Open(good)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // read only
	movie, err := tap.Locate(t.Context(), tap.File(file, p.Facts.Size))
	if err != nil {
		t.Fatal(err)
	}
	avcC := movie.Tracks[0].Config
	n := 8 + int(binary.BigEndian.Uint16(avcC[6:]))
	for _, c := range []struct {
		change func(*tap.Track)
		why    string
	}{
		{func(*tap.Track) {}, ""},
		{func(x *tap.Track) { x.Config = slices.Concat(avcC[:4], []byte{0xfd}, avcC[5:]) }, "its NAL units have lengths that few players expect"},
		{func(x *tap.Track) {
			x.Config = slices.Concat(avcC[:5], []byte{0xe2}, avcC[6:n], avcC[6:n], avcC[n:])
		}, "the parameter sets change"},
		{func(x *tap.Track) { x.Config = avcC[:n] }, "its parameters cannot be read"},
		{func(x *tap.Track) { x.Codec = "avc3" }, "its parameter sets lie among the pictures"},
		{func(x *tap.Track) { x.Index = 3 }, "its index does not tell where each picture lies"},
		{func(x *tap.Track) { x.Err = tap.ErrUnsupported }, "its index does not tell where each picture lies"},
		{func(x *tap.Track) { x.Samples = nil }, "its index does not tell where each picture lies"},
	} {
		track := movie.Tracks[0]
		c.change(&track)
		got := newCandidate(p.Facts, p.Rungs, spool.Settings{}, movies{pictures: &tap.Movie{Tracks: []tap.Track{track}}})
		if got.coded.Refused != c.why || (len(got.samples) == 0) != (c.why != "") {
			t.Errorf("got %q, want %q", got.coded.Refused, c.why)
		}
	}
}
