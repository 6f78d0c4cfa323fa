package plan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/ladder"
	"github.com/spool-video/spool/internal/process"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var find = sync.OnceValues(func() (ffmpeg.Tools, error) { return ffmpeg.Find(context.Background(), "", "", "") })

func tools(t testing.TB) ffmpeg.Tools {
	t.Helper()
	found, err := find()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

const (
	pictures = "-f lavfi -i testsrc2=s=64x36:r=%s:d=%s "
	tone     = "-f lavfi -i sine=r=%d:d=%s "
	quick    = "-c:v libx264 -preset ultrafast -bf 2 -g 25 -sc_threshold 0 "
	aac      = "-c:a aac -ac 1 "
)

// source makes a media file; the arguments are split at spaces.
func source(t testing.TB, name, args string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	list := append([]string{"-nostdin", "-v", "error", "-y"}, strings.Fields(args)...)
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", append(list, "file:"+path)...).CombinedOutput(); err != nil {
		t.Fatalf("make %s: %v\n%s", name, err, out)
	}
	return path
}

func plan(t testing.TB, path string, change ...func(*spool.Job)) (*spool.Plan, error) {
	t.Helper()
	job := spool.Job{Fetched: &spool.Fetched{Path: path}}
	for _, c := range change {
		c(&job)
	}
	r, err := Stage{Tools: tools(t)}.Run(t.Context(), job, func(spool.Progress) {})
	return r.Plan, err
}

func mustPlan(t testing.TB, path string, change ...func(*spool.Job)) *spool.Plan {
	t.Helper()
	p, err := plan(t, path, change...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// times are what ffmpeg shows of a chunk when it is decoded as planned.
func times(t testing.TB, path string, p *spool.Plan, c spool.Chunk) []int64 {
	t.Helper()
	args := []string{"-v", "error", "-copyts", "-noaccurate_seek", "-seek_timestamp", "1"}
	if c.Seek != nil {
		args = append(args, "-ss", fmt.Sprintf("%.6f", float64(*c.Seek)*p.Timeline.TimeBase.Float()+0.0000005))
	}
	ticks, filter := int64(1), ""
	if p.Facts.Video.Interlaced {
		ticks, filter = 2, "bwdif=mode=send_frame,"
	}
	args = append(args, ffmpeg.InputArgs(path)...)
	args = append(args, "-map", fmt.Sprintf("0:%d", p.Facts.Video.Index), "-vf", fmt.Sprintf(
		"%strim=start_pts=%d:end_pts=%d,metadata=mode=add:key=spool:value=1,metadata=mode=print:key=spool:direct=1:file=-",
		filter, c.FirstPTS*ticks, c.LastPTS*ticks+1), "-fps_mode", "passthrough", "-f", "null", "-")
	out, err := process.Run(t.Context(), process.Command{Path: tools(t).FFmpeg, Args: args})
	if err != nil {
		t.Fatal(err)
	}
	var pts []int64
	for line := range bytes.Lines(out) {
		_, rest, found := strings.Cut(string(line), " pts:")
		if !found {
			continue
		}
		n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		pts = append(pts, n/ticks)
	}
	return pts
}

// checkChunks decodes every chunk as planned and compares it with the plan.
func checkChunks(t *testing.T, path string, p *spool.Plan) {
	t.Helper()
	frame := 0
	for _, c := range p.Chunks {
		pts := times(t, path, p, c)
		if len(pts) != c.SourceFrames || len(pts) == 0 || slices.Min(pts) != c.FirstPTS || slices.Max(pts) != c.LastPTS {
			t.Errorf("chunk %+v shows %d frames: %v", c, len(pts), pts[:min(len(pts), 5)])
		}
		if c.FirstFrame != frame {
			t.Errorf("chunk %d begins at frame %d, not %d", c.Number, c.FirstFrame, frame)
		}
		frame += c.Frames
	}
	if frame != p.Timeline.Frames {
		t.Errorf("chunks hold %d frames of %d", frame, p.Timeline.Frames)
	}
}

func TestSources(t *testing.T) {
	const av = "-map 0:v -map 1:a "
	fields := fmt.Sprintf(pictures, "50", "14") + fmt.Sprintf(tone, 44100, "14") + av
	in := fmt.Sprintf(pictures, "25", "14") + fmt.Sprintf(tone, 44100, "14") + av
	for _, c := range []struct {
		name, args string
		chunks     int
		seeks      bool
	}{
		{"plain.mp4", in + quick + aac, 3, true},
		{"fragmented.mp4", in + quick + aac + "-movflags +frag_keyframe+empty_moov+default_base_moof", 3, true},
		{"plain.mkv", in + quick + aac, 3, true},
		{"open.mkv", in + quick + "-x264-params open-gop=1 " + aac, 3, true},
		{"h264.ts", in + quick + aac, 3, true},
		{"open.ts", in + quick + "-x264-params open-gop=1 " + aac, 3, true},
		{"hevc.ts", in + "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=25 " + aac, 3, true},
		{"mpeg2.ts", in + "-c:v mpeg2video -g 12 -bf 2 -c:a mp2", 3, true},
		{"interlaced.ts", fields + "-vf interlace=lowpass=0 -c:v mpeg2video -flags +ildct+ilme -g 12 -bf 2 -c:a mp2", 3, true},
		{"zero.ts", in + quick + aac + "-muxdelay 0 -muxpreload 0", 3, true},
		{"b.avi", in + "-c:v mpeg4 -bf 2 -g 25 -c:a libmp3lame", 1, false},
		{"long-gop.mkv", in + quick + "-g 1000 -keyint_min 1000 " + aac, 3, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := source(t, c.name, c.args)
			p := mustPlan(t, path)
			if p.Timeline.Frames != 350 || p.Timeline.Rate != (spool.Ratio{Num: 25, Den: 1}) || p.Timeline.SourceFrames != 350 {
				t.Errorf("timeline %+v", p.Timeline)
			}
			if len(p.Chunks) != c.chunks || (p.Chunks[len(p.Chunks)-1].Seek != nil) != c.seeks || p.Chunks[0].Seek != nil {
				t.Errorf("chunks %+v", p.Chunks)
			}
			if p.Sounds == nil || p.Timeline.Samples != 14*48000 || len(p.Pieces) != 1 || p.Pieces[0].Seek != nil {
				t.Errorf("sound %+v, pieces %+v, %d samples", p.Sounds, p.Pieces, p.Timeline.Samples)
			}
			checkChunks(t, path, p)
		})
	}
}

func TestVariableRateWithFreeze(t *testing.T) {
	// 30 frames a second with jitter, and nothing new between 3 s and 12 s.
	path := source(t, "vfr.mkv", fmt.Sprintf(pictures, "30", "16")+
		"-vf settb=1/1000,select='not(between(t,3,12))',setpts='PTS+mod(N,3)*6' -fps_mode vfr -enc_time_base 1:1000 "+quick)
	p := mustPlan(t, path)
	if r := p.Timeline.Rate.Float(); r < 29.9 || r > 30.1 {
		t.Errorf("rate %s", p.Timeline.Rate)
	}
	if p.Timeline.Frames < 478 || p.Timeline.Frames > 482 || p.Timeline.SourceFrames > 215 {
		t.Errorf("timeline %+v", p.Timeline)
	}
	if c := p.Chunks[1]; c.FirstPTS < 2900 || c.FirstPTS > 3010 || c.SourceFrames != 1 {
		t.Errorf("the chunk from 6 s to 12 s shows %+v", c)
	}
	if !slices.Contains(p.Notes, fmt.Sprintf("the variable frame rate becomes %.5g frames per second", p.Timeline.Rate.Float())) {
		t.Errorf("notes %q", p.Notes)
	}
	checkChunks(t, path, p)
}

func TestSoundOnTheTimeline(t *testing.T) {
	v := fmt.Sprintf(pictures, "25", "4")
	sound := fmt.Sprintf(tone, 48000, "4")
	for _, c := range []struct {
		name, args string
		start      float64 // of the sound, on the timeline
		frames     int
		gaps       bool
	}{
		{"late.mkv", v + "-itsoffset 0.45 " + fmt.Sprintf(tone, 48000, "3.5") + quick + aac, 0.45, 100, false},
		{"late.mp4", v + "-itsoffset 0.45 " + fmt.Sprintf(tone, 48000, "3.5") + quick + aac, 0.45, 100, false},
		{"late.ts", v + "-itsoffset 0.45 " + fmt.Sprintf(tone, 48000, "3.5") + quick + aac, 0.45, 100, false},
		{"late-at-zero.ts", v + "-itsoffset 0.45 " + fmt.Sprintf(tone, 48000, "3.5") + quick + "-bf 0 -c:a mp2 -muxdelay 0 -muxpreload 0", 0.45, 100, false},
		{"early.mkv", "-itsoffset 0.32 " + v + sound + quick + aac, -0.32, 100, false},
		{"longer.mp4", fmt.Sprintf(pictures, "25", "1") + sound + quick + aac, 0, 100, false},
		{"shorter.mp4", v + fmt.Sprintf(tone, 48000, "1") + quick + aac, 0, 100, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := source(t, c.name, c.args)
			p := mustPlan(t, path)
			if p.Timeline.Frames != c.frames || p.Timeline.Samples != int64(c.frames)*1920 {
				t.Errorf("timeline %+v", p.Timeline)
			}
			if got := soundStart(t, path, p) - p.Sounds[0].OriginSeconds; got < c.start-0.024 || got > c.start+0.003 {
				t.Errorf("sound starts at %.4f s", got)
			}
			checkChunks(t, path, p)
		})
	}
}

// soundStart is when ffmpeg shows the first sound, read alone as the audio
// stage does, in seconds of its clock.
func soundStart(t *testing.T, path string, p *spool.Plan) float64 {
	t.Helper()
	args := append([]string{"-v", "error", "-copyts"}, ffmpeg.InputArgs(path)...)
	args = append(args, "-map", fmt.Sprintf("0:%d", p.Sounds[0].Stream), "-af",
		"ametadata=mode=add:key=spool:value=1,ametadata=mode=print:key=spool:direct=1:file=-", "-f", "null", "-")
	out, err := process.Run(t.Context(), process.Command{Path: tools(t).FFmpeg, Args: args})
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(out), "pts_time:")
	start, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return start
}

func TestOddSources(t *testing.T) {
	v, a := fmt.Sprintf(pictures, "25", "2"), fmt.Sprintf(tone, 44100, "2")
	t.Run("no sound", func(t *testing.T) {
		p := mustPlan(t, source(t, "a.mp4", v+quick))
		if p.Sounds != nil || p.Pieces != nil || p.Grid.Packets != nil || p.Timeline.Samples != 0 || len(p.Chunks) != 1 {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("only sound", func(t *testing.T) {
		p := mustPlan(t, source(t, "a.m4a", a+aac))
		if p.Rungs != nil || p.Chunks != nil || p.Timeline.Frames != 0 || p.Timeline.Samples != 2*48000 || len(p.Pieces) != 1 {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("cover art", func(t *testing.T) {
		cover := source(t, "c.png", fmt.Sprintf(pictures, "1", "1")+"-frames:v 1")
		p := mustPlan(t, source(t, "a.mp3", a+"-i "+cover+" -map 0:a -map 1:v -c:a libmp3lame -c:v copy -disposition:v attached_pic"))
		if p.Facts.Video != nil || p.Facts.Cover < 0 || p.Rungs != nil || p.Sounds == nil {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("rotated", func(t *testing.T) {
		plain := source(t, "p.mp4", v+quick)
		p := mustPlan(t, source(t, "r.mp4", "-i "+plain+" -c copy -metadata:s:v rotate=90"))
		if r := p.Rungs[len(p.Rungs)-1]; p.Facts.Video.Rotation%180 != 90 || r.Height <= r.Width {
			t.Errorf("got %+v, %+v", p.Facts.Video, p.Rungs)
		}
	})
	t.Run("two tracks and subtitles", func(t *testing.T) {
		p := mustPlan(t, source(t, "a.mkv", v+a+a+"-map 0:v -map 1:a -map 2:a -metadata:s:a:0 language=eng -metadata:s:a:1 language=fra "+quick+aac))
		if len(p.Sounds) != 2 || p.Sounds[0].Name != "a0-eng" || p.Sounds[1].Name != "a1-fra" || p.LeftOut != nil {
			t.Errorf("sound %+v, left out %q", p.Sounds, p.LeftOut)
		}
		if len(p.Pieces) != 2 || p.Pieces[1].Sound != 1 || p.Pieces[1].Number != 1 || p.Pieces[0].Packets != p.Pieces[1].Packets {
			t.Errorf("pieces %+v", p.Pieces)
		}
	})
	t.Run("a hole of 2 s in the sound", func(t *testing.T) {
		p := mustPlan(t, source(t, "h.mkv", fmt.Sprintf(pictures, "25", "6")+fmt.Sprintf(tone, 48000, "6")+
			"-af aselect='not(between(t,2,4))' -map 0:v -map 1:a "+quick+aac))
		if p.Timeline.Frames != 150 || p.Pieces[0].Anchor != nil {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("240 frames a second", func(t *testing.T) {
		p := mustPlan(t, source(t, "f.mp4", fmt.Sprintf(pictures, "240", "1")+quick))
		if p.Timeline.Rate != (spool.Ratio{Num: 60, Den: 1}) || p.Timeline.Frames != 60 {
			t.Errorf("timeline %+v", p.Timeline)
		}
	})
	t.Run("one frame", func(t *testing.T) {
		p := mustPlan(t, source(t, "o.mp4", v+"-frames:v 1 "+quick))
		if p.Timeline.Frames != 1 || p.Chunks[0].SourceFrames != 1 {
			t.Errorf("got %+v", p)
		}
	})
}

func TestCareful(t *testing.T) {
	path := source(t, "a.mp4", fmt.Sprintf(pictures, "25", "14")+quick)
	p := mustPlan(t, path, func(j *spool.Job) { j.Careful = 1 })
	if !p.Sequential || len(p.Chunks) != 1 || p.Chunks[0].Seek != nil || p.Chunks[0].SourceFrames != 350 {
		t.Errorf("got %+v", p.Chunks)
	}
	if len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "damaged") {
		t.Errorf("a person is told %q", p.Notes)
	}
}

func TestPiecesOfLongSound(t *testing.T) {
	p := mustPlan(t, source(t, "long.mka", fmt.Sprintf(tone, 44100, "460")+"-c:a mp2 -ac 1 -b:a 32k"))
	checkPieces(t, p, 44100, 1000)
}

// checkPieces checks all pieces but the first.
func checkPieces(t *testing.T, p *spool.Plan, rate, perSecond int) {
	t.Helper()
	if len(p.Pieces) != 9 {
		t.Fatalf("%d pieces", len(p.Pieces))
	}
	for _, piece := range p.Pieces[1:] {
		start := float64(piece.FirstPacket-1) * 1024 / 48000
		if piece.Seek == nil || *piece.Seek > start-1+p.Sounds[0].OriginSeconds || *piece.Seek < start-9 || piece.Anchor == nil {
			t.Fatalf("piece %+v starts at %f", piece, start)
		}
		at := float64(piece.Anchor.Sample) / float64(rate)
		off := at - float64(piece.Anchor.PTS)/float64(perSecond) + p.Sounds[0].OriginSeconds
		if off > 0.0011 || off < -0.0011 || at > start-0.4 || at+p.Sounds[0].OriginSeconds < *piece.Seek+0.4 {
			t.Errorf("anchor %+v of the piece at %f, sought from %f", piece.Anchor, start, *piece.Seek)
		}
		if piece.Anchor.Sample*48000%int64(rate) != 0 {
			t.Errorf("the anchor is at no whole sample of the output: %+v", piece.Anchor)
		}
	}
}

// Sound of 460 s under pictures that begin a third of a second later.
func TestPiecesByRate(t *testing.T) {
	for _, rate := range []int{8000, 16000, 22050, 32000, 44100, 48000, 96000} {
		t.Run(strconv.Itoa(rate), func(t *testing.T) {
			milli := spool.Ratio{Num: 1, Den: 1000}
			heard := &ffmpeg.SoundIndex{TimeBase: milli, PacketSamples: 1024}
			x := &ffmpeg.FrameIndex{TimeBase: milli, Zero: 333, End: 460_333, Sounds: map[int]*ffmpeg.SoundIndex{1: heard}}
			for n := int64(0); n < 460*int64(rate)/1024; n++ {
				heard.PTS = append(heard.PTS, (n*1024*1000+int64(rate)/2)/int64(rate))
			}
			x.Keys, heard.End = []int64{333}, 460_000
			for at := int64(333); at < 460_333; at += 40 {
				x.PTS = append(x.PTS, at)
			}
			p := &spool.Plan{Facts: spool.Facts{
				Video: &spool.VideoStream{TimeBase: milli, FrameRate: spool.Ratio{Num: 25, Den: 1}},
				Audio: []spool.AudioStream{{Index: 1, SampleRate: rate, TimeBase: milli}},
			}}
			if err := lay(p, x, candidate{}, 0); err != nil {
				t.Fatal(err)
			}
			if p.Timeline.Frames != 11500 || p.Sounds[0].OriginSeconds != 0.333 {
				t.Errorf("timeline %+v, sound %+v", p.Timeline, p.Sounds)
			}
			checkPieces(t, p, rate, 1000)
			if a := p.Pieces[0].Anchor; a == nil || a.Sample > 0 {
				t.Errorf("the first piece is tied to %+v", a)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	var e *spool.Error
	if _, err := plan(t, source(t, "a.srt", fmt.Sprintf("-f srt -i %s", subtitles(t)))); !errors.As(err, &e) || e.Code != "not-media" {
		t.Errorf("got %v", err)
	}
	path := source(t, "b.mp4", fmt.Sprintf(pictures, "25", "1")+quick)
	if _, err := plan(t, path, func(j *spool.Job) { j.Settings.Ladder = "none" }); !errors.As(err, &e) || e.Code != "unknown-ladder" {
		t.Errorf("got %v", err)
	}
	if _, err := plan(t, path+".gone"); !errors.As(err, &e) || e.Code != "missing-file" {
		t.Errorf("got %v", err)
	}
	if _, err := (Stage{Ladders: map[string]ladder.Spec{}}).Run(t.Context(), spool.Job{}, nil); err == nil {
		t.Error("a job without a source was planned")
	}
}

func subtitles(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.srt")
	if err := os.WriteFile(path, []byte("1\n00:00:00,000 --> 00:00:01,000\nhello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
