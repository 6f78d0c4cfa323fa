package audio_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/publish"
	"github.com/spool-video/spool/internal/stage/audio"
	"github.com/spool-video/spool/internal/store/folder"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a file with a plan for its sound, made by hand: segments of 47
// packets (1 s), pieces of two segments.
type source struct {
	path string
	plan spool.Plan
	job  []spool.Job
}

type probed struct {
	Packets []struct {
		Stream   int    `json:"stream_index"`
		PTS      *int64 `json:"pts"`
		Duration int64  `json:"duration"`
		Flags    string `json:"flags"`
	}
	Streams []struct {
		Index    int    `json:"index"`
		Type     string `json:"codec_type"`
		Base     string `json:"time_base"`
		Rate     int    `json:"sample_rate,string"`
		Channels int    `json:"channels"`
	}
}

// plan lays out seconds of sound. anchored makes pieces with an anchor, as
// for sources whose packets follow each other without a gap.
func plan(t *testing.T, path string, seconds float64, anchored bool) *source {
	t.Helper()
	var p probed
	out := mediatest.FFprobe(t, "-show_entries",
		"packet=stream_index,pts,duration,flags:stream=index,codec_type,time_base,sample_rate,channels", "-of", "json", "file:"+path)
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatal(err)
	}
	s := &source{path: path}
	origin, sound := math.Inf(1), 0
	for i, stream := range p.Streams {
		base, err := spool.ParseRatio(stream.Base)
		if err != nil {
			t.Fatal(err)
		}
		if stream.Type == "audio" {
			sound = i
			s.plan.Facts.Audio = []spool.AudioStream{{
				Index: stream.Index, Channels: stream.Channels, SampleRate: stream.Rate, TimeBase: base,
			}}
			continue
		}
		for _, packet := range p.Packets {
			if packet.Stream == stream.Index && packet.PTS != nil {
				origin = min(origin, float64(*packet.PTS)*base.Float())
			}
		}
	}
	if math.IsInf(origin, 1) {
		origin = 0
	}
	s.plan.Sounds = []spool.Sound{{
		Name: "a0-und", Stream: p.Streams[sound].Index, SampleRate: 48000, Channels: 2, BitRate: 128_000, OriginSeconds: origin,
	}}
	s.plan.Timeline.Samples = int64(math.Round(seconds * 48000))
	s.plan.Grid = spool.Grid{Target: 6, PrimingSamples: 1024}
	for left := int(s.plan.Timeline.Samples+1023)/1024 + 1; left > 0; left -= 47 {
		s.plan.Grid.Packets = append(s.plan.Grid.Packets, min(left, 47))
	}
	s.pieces(p, sound, anchored)
	return s
}

func (s *source) pieces(p probed, sound int, anchored bool) {
	packet := 0
	for at := 0; at < len(s.plan.Grid.Packets); at += 2 {
		piece := spool.AudioPiece{Number: at / 2, FirstSegment: at, FirstPacket: packet}
		for ; piece.Segments < 2 && at+piece.Segments < len(s.plan.Grid.Packets); piece.Segments++ {
			piece.Packets += s.plan.Grid.Packets[at+piece.Segments]
		}
		packet += piece.Packets
		if piece.Number > 0 {
			s.seek(&piece, p, sound, anchored)
		}
		s.job = append(s.job, spool.Job{
			JobKey:  spool.JobKey{Video: "vid", Revision: "r1", Kind: spool.Audio, Number: piece.Number},
			Fetched: &spool.Fetched{Path: s.path}, Plan: &s.plan, Piece: &piece,
		})
	}
}

// seek starts a piece at the packet that lies 0.5 s before it.
func (s *source) seek(piece *spool.AudioPiece, p probed, sound int, anchored bool) {
	stream := s.plan.Facts.Audio[0]
	start := float64(piece.FirstPacket-9)*1024/48000 + s.plan.Sounds[0].OriginSeconds - 0.3
	seek := start - 0.5
	piece.Seek = &seek
	if !anchored {
		return
	}
	var first *int64
	sample := int64(0)
	for _, packet := range p.Packets {
		if packet.Stream != p.Streams[sound].Index || packet.PTS == nil {
			continue
		}
		if first == nil {
			first = packet.PTS
		}
		if float64(*packet.PTS)*stream.TimeBase.Float() >= start {
			from := math.Round((float64(*first)*stream.TimeBase.Float() - s.plan.Sounds[0].OriginSeconds) * float64(stream.SampleRate))
			piece.Anchor = &spool.Anchor{PTS: *packet.PTS, Sample: int64(from) + sample}
			return
		}
		sample += 1024
	}
}

// encode runs all pieces, the last first, and joins the published objects.
func (s *source) encode(t *testing.T) (file string, made spool.Made) {
	t.Helper()
	dir, work := t.TempDir(), t.TempDir()
	bucket, err := folder.Open(dir, folder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stage := audio.Stage{
		Tools: ffmpeg.Tools{FFmpeg: "ffmpeg", FFprobe: "ffprobe"}, CPU: flow.NewSlots(1),
		Publisher: publish.Publisher{Store: bucket, Uploads: flow.NewSlots(2)},
		Work:      func(spool.JobKey) string { return work },
	}
	for _, job := range slices.Backward(s.job) {
		r, err := stage.Run(t.Context(), job, nil)
		if err != nil {
			t.Fatalf("piece %d: %v", job.Number, err)
		}
		made.Inits = r.Made.Inits
		made.Segments = append(slices.Clone(r.Made.Segments), made.Segments...)
	}
	read := func(o spool.Object) []byte {
		data, err := os.ReadFile(filepath.Join(dir, "vid", o.Name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	init := read(made.Inits[0].Object)
	all := slices.Clone(init)
	decode := uint64(0)
	for i, segment := range made.Segments {
		data := read(segment.Object)
		info, err := cmaf.Inspect(init, data)
		if err != nil {
			t.Fatal(err)
		}
		if info.Decode != decode || info.Samples != s.plan.SoundGrid(0).Packets[i] || segment.Units != info.Samples || segment.Number != i {
			t.Fatalf("segment %d: %+v, starts at %d", i, info, decode)
		}
		decode += info.Duration
		all = append(all, data...)
	}
	file = filepath.Join(t.TempDir(), "sound.mp4")
	if err := os.WriteFile(file, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, made
}

func TestSoundMeetsThePictures(t *testing.T) {
	all := []float64{0.52, 1.52, 2.52, 3.52, 4.52, 5.52}
	for _, c := range []struct {
		name     string
		source   mediatest.FlashBeep
		anchored bool
		want     []float64
	}{
		{name: "mp4", source: mediatest.FlashBeep{Seconds: 6}, want: all},
		{name: "matroska with anchors", anchored: true, source: mediatest.FlashBeep{Name: "s.mkv", Seconds: 6}, want: all},
		{name: "mpegts", source: mediatest.FlashBeep{Name: "s.ts", Seconds: 6}, want: all},
		{name: "44.1 kHz mono", source: mediatest.FlashBeep{Seconds: 6, Args: []string{"-ar", "44100", "-ac", "1"}}, want: all},
		{name: "0.45 s late", source: mediatest.FlashBeep{Seconds: 6, Delay: 0.45}, want: all},
		{name: "0.9 s late, mpegts", source: mediatest.FlashBeep{Name: "s.ts", Seconds: 6, Delay: 0.9}, want: all[1:]},
		{name: "0.3 s early", source: mediatest.FlashBeep{Seconds: 6, Delay: -0.3}, // The pictures begin with the frame at 0.32 s.
			want: []float64{0.2, 1.2, 2.2, 3.2, 4.2, 5.2}},
		{name: "hole of 2 s", source: mediatest.FlashBeep{Name: "s.mkv", Seconds: 6, Hole: [2]float64{1.9, 3.9}}, want: []float64{0.52, 1.52, 4.52, 5.52}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plan(t, c.source.Make(t), 6, c.anchored)
			file, _ := s.encode(t)
			got := mediatest.Beeps(t, file)
			if len(got) != len(c.want) {
				t.Fatalf("beeps at %v, want %v", got, c.want)
			}
			for i := range got {
				if off := got[i] - c.want[i]; math.Abs(off) > 0.005 {
					t.Errorf("beep %d is off by %.4f s", i, off)
				}
			}
			t.Logf("beeps at %.4f", got)
		})
	}
}

// A pure tone obeys x[n] = 2cos(w)x[n-1] - x[n-2]: a click or a hole at a
// joint breaks that.
func TestJointsCannotBeHeard(t *testing.T) {
	for _, rate := range []string{"48000", "44100"} {
		path := filepath.Join(t.TempDir(), "tone.mp4")
		mediatest.FFmpeg(t, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate="+rate+":duration=7", "-af", "volume=4", "-c:a", "aac", "-b:a", "192k", path)
		file, _ := plan(t, path, 7, false).encode(t)
		x := mediatest.Sound(t, file)
		if want := 7 * 48000; len(x) < want || len(x) >= want+1024 {
			t.Errorf("%s Hz: %d samples, want %d and less than a packet more", rate, len(x), want)
		}
		worst, at := 0.0, 0
		for i := 4096; i < 7*48000-4096; i++ {
			if e := math.Abs(x[i] - 2*math.Cos(2*math.Pi*440/48000)*x[i-1] + x[i-2]); e > worst {
				worst, at = e, i
			}
		}
		t.Logf("%s Hz: largest error %.5f at sample %d", rate, worst, at)
		if worst > 0.01 {
			t.Errorf("%s Hz: error of %.4f at sample %d (packet %.1f)", rate, worst, at, float64(at)/1024)
		}
	}
}

// Pieces in which the source is silent, or has ended, are silence.
func TestPiecesWithoutSound(t *testing.T) {
	late := mediatest.FlashBeep{Seconds: 6, Delay: 3.2, Args: []string{"-b:v", "100k"}}
	for name, c := range map[string]struct {
		path string
		want []float64
	}{
		"the sound ends early": {mediatest.FlashBeep{Seconds: 3}.Make(t), []float64{0.52, 1.52, 2.52}},
		"it starts late":       {late.Make(t), []float64{3.52, 4.52, 5.52}},
	} {
		file, _ := plan(t, c.path, 9, false).encode(t)
		got := mediatest.Beeps(t, file)
		if len(got) != len(c.want) || math.Abs(got[0]-c.want[0]) > 0.005 {
			t.Errorf("%s: beeps at %.3f, want %v", name, got, c.want)
		}
		if n := len(mediatest.Sound(t, file)); n < 9*48000 || n >= 9*48000+1024 {
			t.Errorf("%s: %d samples", name, n)
		}
	}
}
