package cmaf_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/mediatest"
)

// fragmented gives 50 frames in GOPs of 25 as ffmpeg writes them to a pipe.
func fragmented(t testing.TB) []byte {
	return mediatest.FFmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=2",
		"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p",
		"-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv",
		"-video_track_timescale", "12800", "-f", "mp4",
		"-movflags", "+cmaf+frag_keyframe+empty_moov+default_base_moof+skip_trailer", "pipe:1")
}

func readAll(t testing.TB, r io.Reader) (cmaf.Track, []cmaf.Fragment) {
	t.Helper()
	d := cmaf.NewReader(r)
	track, err := d.Init()
	if err != nil {
		t.Fatal(err)
	}
	var all []cmaf.Fragment
	for {
		f, err := d.Next()
		if errors.Is(err, io.EOF) {
			return track, all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
}

func TestVideoIsReadAndWrittenAgain(t *testing.T) {
	track, fragments := readAll(t, bytes.NewReader(fragmented(t)))
	if len(fragments) != 2 || len(fragments[0].Samples) != 25 || !track.Video || track.Timescale != 12800 {
		t.Fatalf("%d fragments of %+v", len(fragments), track)
	}
	init, err := cmaf.VideoInit(track.Config, 12800)
	if err != nil {
		t.Fatal(err)
	}
	var segment bytes.Buffer
	if err := cmaf.WriteSegmentStart(&segment); err != nil {
		t.Fatal(err)
	}
	const start = 100 * 512
	for i, f := range fragments {
		f.Sequence, f.Decode = uint32(7+2*i), uint64(start+i*25*512)
		if err := cmaf.WriteFragment(&segment, f); err != nil {
			t.Fatal(err)
		}
	}
	info, err := cmaf.Inspect(init, segment.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	offset := int64(fragments[0].Samples[0].Offset)
	want := cmaf.SegmentInfo{
		Track: info.Track, Sequence: 7, Decode: start, Duration: 50 * 512, Samples: 50, Sync: []int{0, 25},
		IDR: true, Start: start + offset, End: start + offset + 50*512, Fragments: 4,
	}
	if diff := cmp.Diff(want, info); diff != "" {
		t.Error(diff)
	}
	checkIFrames(t, init, segment.Bytes(), fragments)
	if !bytes.Equal(info.Track.Config, track.Config) {
		t.Error("the avcC changed on its way through the init section")
	}
	path := filepath.Join(t.TempDir(), "whole.mp4")
	if err := os.WriteFile(path, append(init, segment.Bytes()...), 0o600); err != nil {
		t.Fatal(err)
	}
	probe := string(mediatest.FFprobe(t, "-count_frames", "-show_entries",
		"stream=nb_read_frames,color_space,width,height", "-of", "csv=p=0", path))
	if probe != "160,90,bt709,50\n" {
		t.Errorf("ffprobe reads %q", probe)
	}
}

func TestInitBoxes(t *testing.T) {
	track, _ := readAll(t, bytes.NewReader(fragmented(t)))
	init, err := cmaf.VideoInit(track.Config, 30000)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(init, []byte("udta")) || bytes.Contains(init, []byte("elst")) {
		t.Error("video init holds udta or an edit list")
	}
	if bytes.Index(init, []byte("mvex")) < bytes.Index(init, []byte("trak")) {
		t.Error("mvex stands before trak")
	}
	if string(init[4:12]) != "ftypiso6" || !bytes.Contains(init[:40], []byte("cmfc")) {
		t.Errorf("brands: %q", init[:40])
	}
	if codec, err := track.Codec(); err != nil || codec[:5] != "avc1." || len(codec) != 11 {
		t.Errorf("codec %q, %v", codec, err)
	}
}

func TestAudioIsReadAndWrittenAgain(t *testing.T) {
	adts := mediatest.FFmpeg(t, "-f", "lavfi", "-i", "sine=440:sample_rate=48000:duration=1",
		"-ac", "2", "-c:a", "aac", "-f", "adts", "pipe:1")
	r := cmaf.NewADTS(bytes.NewReader(adts))
	var f cmaf.Fragment
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Samples = append(f.Samples, cmaf.Sample{Duration: cmaf.PacketSamples, Sync: true, Data: p})
	}
	if codec, err := cmaf.AudioCodec(r.Config()); codec != "mp4a.40.2" || err != nil {
		t.Fatalf("codec %q, %v", codec, err)
	}
	init, err := cmaf.AudioInit(r.Config(), 1024, "deu")
	if err != nil {
		t.Fatal(err)
	}
	var segment bytes.Buffer
	if err := cmaf.WriteFragment(&segment, f); err != nil {
		t.Fatal(err)
	}
	info, err := cmaf.Inspect(init, segment.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if info.Samples != len(f.Samples) || info.Start != -1024 || info.Track.Priming != 1024 || info.Track.Timescale != 48000 {
		t.Errorf("%+v", info)
	}
	path := filepath.Join(t.TempDir(), "whole.mp4")
	if err := os.WriteFile(path, append(init, segment.Bytes()...), 0o600); err != nil {
		t.Fatal(err)
	}
	probe := string(mediatest.FFprobe(t, "-show_entries", "stream=codec_name,sample_rate,channels,start_time:stream_tags=language",
		"-of", "csv=p=0", path))
	if probe != "aac,48000,2,-0.021333,deu\n" {
		t.Errorf("ffprobe reads %q", probe)
	}
}

func TestTimescale(t *testing.T) {
	for rate, want := range map[spool.Ratio][2]int{
		{Num: 25, Den: 1}: {12800, 512}, {Num: 30000, Den: 1001}: {30000, 1001}, {Num: 60, Den: 1}: {15360, 256},
		{Num: 24000, Den: 1001}: {24000, 1001}, {Num: 50, Den: 2}: {12800, 512}, {Num: 60000, Den: 1001}: {60000, 1001},
		{Num: 1, Den: 10}: {16384, 163840},
	} {
		scale, frame, err := cmaf.Timescale(rate)
		if err != nil || scale != want[0] || frame != want[1] {
			t.Errorf("%v: %d, %d, %v; want %v", rate, scale, frame, err, want)
		}
	}
	for _, rate := range []spool.Ratio{{}, {Num: 1, Den: 0}, {Num: -5, Den: 1}, {Num: 1 << 40, Den: 1}} {
		if _, _, err := cmaf.Timescale(rate); err == nil {
			t.Errorf("%v: no error", rate)
		}
	}
}

// Every cut of a stream is an error, except one that falls between fragments.
func TestCutStreamsAreErrors(t *testing.T) {
	whole := fragmented(t)
	clean := 0
	for at := 0; at < len(whole); at += 97 {
		d := cmaf.NewReader(bytes.NewReader(whole[:at]))
		_, err := d.Init()
		for err == nil {
			_, err = d.Next()
		}
		if errors.Is(err, io.EOF) {
			clean++
		} else if !errors.Is(err, cmaf.ErrMalformed) {
			t.Fatalf("cut at %d: %v", at, err)
		}
	}
	if clean > 2 {
		t.Errorf("%d cuts went unnoticed", clean)
	}
}

func FuzzReader(f *testing.F) {
	// Small seeds: an init section and a fragment of two samples.
	init, err := cmaf.AudioInit([]byte{0x11, 0x90}, 1024, "")
	if err != nil {
		f.Fatal(err)
	}
	var seed bytes.Buffer
	samples := []cmaf.Sample{{Duration: 5, Sync: true, Data: []byte("first")}, {Duration: 5, Data: []byte("second")}}
	if err := cmaf.WriteFragment(&seed, cmaf.Fragment{Sequence: 1, Samples: samples}); err != nil {
		f.Fatal(err)
	}
	f.Add(append(init, seed.Bytes()...))
	f.Add(init)
	video := fragmented(f)
	f.Add(video[:bytes.Index(video, []byte("moof"))])
	f.Fuzz(func(t *testing.T, b []byte) {
		d := cmaf.NewReader(bytes.NewReader(b))
		track, err := d.Init()
		if err != nil {
			return
		}
		_, _ = track.Codec()
		_, _ = cmaf.VideoInit(track.Config, track.Timescale)
		for range 100 {
			frag, err := d.Next()
			if err != nil {
				return
			}
			for _, s := range frag.Samples {
				cmaf.IsIDR(s.Data, track.Config)
			}
		}
	})
}

func FuzzADTS(f *testing.F) {
	f.Add([]byte{0xff, 0xf1, 0x4c, 0x80, 0x01, 0x1f, 0xfc, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := cmaf.NewADTS(bytes.NewReader(b))
		for {
			p, err := r.Next()
			if err != nil {
				return
			}
			if len(p) == 0 {
				t.Fatal("an empty packet")
			}
		}
	})
}

func FuzzInspect(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(_ *testing.T, init, segment []byte) {
		_, _ = cmaf.Inspect(init, segment)
	})
}
