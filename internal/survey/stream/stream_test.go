package stream_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/survey/stream"
)

const pictures = "-f lavfi -i testsrc2=size=64x36:rate=25:duration=2 -f lavfi -i sine=sample_rate=48000:duration=2 " +
	"-c:v libx264 -preset ultrafast -bf 2 -pix_fmt yuv420p -g 25 -c:a aac -ac 2 "

func made(t testing.TB, args string) []byte {
	t.Helper()
	return mediatest.FFmpeg(t, strings.Fields(pictures+args)...)
}

func fragmented(t testing.TB) []byte {
	t.Helper()
	return made(t, "-movflags +frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets -f mp4 pipe:1")
}

func TestFragmentedMP4(t *testing.T) {
	t.Parallel()
	m := stream.Read(nil, fragmented(t)) // it holds its init section
	v, a := m.Find(stream.Video), m.Find(stream.Audio)
	if m.Container != stream.MP4 || v == nil || a == nil {
		t.Fatalf("%+v", m)
	}
	if v.Samples != 50 || !v.IDR || len(v.Keys) != 2 || v.Track.Picture.Width != 64 || v.Track.Picture.Height != 36 || !strings.HasPrefix(v.Track.Codec, "avc1.") {
		t.Errorf("pictures: %+v", v)
	}
	if d := stream.Time(v.End-v.Start, v.Track.Timescale); d != 2*time.Second {
		t.Errorf("pictures last %v", d)
	}
	if a.Track.Codec != "mp4a.40.2" || a.Track.Sound.Channels != 2 || a.Track.Sound.Rate != 48000 {
		t.Errorf("sound: %+v", a.Track)
	}
}

func TestTransportStream(t *testing.T) {
	t.Parallel()
	m := stream.Read(nil, made(t, "-f mpegts pipe:1"))
	v, a := m.Find(stream.Video), m.Find(stream.Audio)
	if m.Container != stream.TS || len(m.Problems) > 0 || v == nil || a == nil {
		t.Fatalf("%+v", m)
	}
	if v.Samples != 50 || !v.IDR || len(v.Keys) != 2 || v.Frame != 3600 || v.End-v.Start != 180000 || v.Track.Picture.Width != 64 {
		t.Errorf("pictures: %+v", v)
	}
	if a.Track.Codec != "mp4a.40.2" || a.Samples < 94 || a.Frame != 1920 || a.Duration != int64(a.Samples)*1920 {
		t.Errorf("sound: %+v", a)
	}
	if c := m.Counters[v.Track.ID]; c.First != 0 {
		t.Errorf("counters %+v", c)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	m := stream.Read(nil, []byte("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:01.000,MPEGTS:900000\n\nNOTE x\n\n1\n00:01.500 --> 00:00:02.000 line:0\nHello\nthere\n\n"))
	if m.Container != stream.VTT || !m.Mapped || len(m.Cues) != 1 || len(m.Problems) > 0 {
		t.Fatalf("%+v", m)
	}
	if c := m.Cues[0]; c.Start != 1500*time.Millisecond || c.End != 2*time.Second || c.Text != "line:0\nHello\nthere" {
		t.Errorf("%+v", c)
	}
}

func TestShift(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		edits []stream.Edit
		want  int64
	}{
		{nil, 0},
		{[]stream.Edit{{0, 1024}}, -1024},
		{[]stream.Edit{{21, -1}, {0, 0}}, 1008},
		{[]stream.Edit{{10, -1}, {0, 100}}, 380},
	} {
		track := stream.Track{Timescale: 48000, MovieScale: 1000, Edits: test.edits}
		if got := track.Shift(); got != test.want {
			t.Errorf("%v: %d, want %d", test.edits, got, test.want)
		}
	}
}

// What is not ours to trust: nothing panics, and no time is negative.
func FuzzRead(f *testing.F) {
	whole := fragmented(f)
	at := bytes.Index(whole, []byte("moof")) - 4
	f.Add(whole[:at], whole[at:min(len(whole), at+3000)])
	f.Add([]byte{}, made(f, "-f mpegts pipe:1")[:188*30])
	f.Add([]byte{}, []byte("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n00:00.000 --> 00:01.000\nx\n"))
	f.Add([]byte{}, []byte("ID3\x04\x00\x00\x00\x00\x00\x02xx\xff\xf1\x4c\x80\x01\x1f\xfc\x00"))
	f.Fuzz(func(t *testing.T, head, segment []byte) {
		init := stream.ReadInit(head)
		m := stream.Read(&init, segment)
		for _, r := range m.Runs {
			if r.Samples < 0 || r.Bytes < 0 {
				t.Fatalf("%+v", r)
			}
		}
		stream.Read(nil, segment)
	})
}
