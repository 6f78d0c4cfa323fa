package mpegts

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/mediatest"
)

// clip is what an encoder wrote of a few seconds: pictures with B-frames, two
// GOPs and a rest.
type clip struct {
	track cmaf.Track
	gops  []cmaf.Fragment
}

// film encodes pictures whose frames are x264's, at the rate that the arguments
// say, and lays them on the timeline as a cutter does.
func film(t testing.TB, args string) clip {
	t.Helper()
	out := mediatest.FFmpeg(t, append(strings.Fields(args), "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "12", "-sc_threshold", "0",
		"-movflags", "+cmaf+frag_keyframe+empty_moov+default_base_moof", "-f", "mp4", "pipe:1")...)
	r := cmaf.NewReader(bytes.NewReader(out))
	track, err := r.Init()
	if err != nil {
		t.Fatal(err)
	}
	c := clip{track: track}
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return c
		}
		if err != nil {
			t.Fatal(err)
		}
		c.gops = append(c.gops, f)
	}
}

const pictures = "-f lavfi -i testsrc2=s=160x90:r=30000/1001 -frames:v 30 -preset veryfast -bf 3"

// moved is the clip's GOPs from another tick on.
func (c clip) moved(from uint64) []cmaf.Fragment {
	gops := slices.Clone(c.gops)
	for i := range gops {
		gops[i].Decode += from
	}
	return gops
}

func TestPicturesComeBack(t *testing.T) {
	c := film(t, pictures)
	scale := c.track.Timescale
	// The last starts so late that its times begin anew within it.
	for _, from := range []uint64{0, 1 << 20, uint64((Wrap-Start)/Clock)*uint64(scale) + uint64(scale/2)} {
		segment, err := Pictures(c.track.Config, scale, c.moved(from))
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadPictures(c.track.Config, segment)
		if err != nil {
			t.Fatal(err)
		}
		n, last, steps := 0, int64(-1), map[int64]int{}
		for _, gop := range c.moved(from) {
			decode := int64(gop.Decode)
			for i, s := range gop.Samples {
				p := got[n]
				if !bytes.Equal(withoutSets(c.track.Config, s.Data), p.Data) || p.Key != (i == 0) {
					t.Errorf("picture %d is not what it was", n)
				}
				if want := Time(decode+int64(s.Offset), scale); p.PTS != want {
					t.Errorf("picture %d has PTS %d, want %d", n, p.PTS, want)
				}
				if wait := (p.PTS - p.DTS + Wrap) % Wrap; wait > Clock/2 || from == 0 && n == 0 && wait != 0 {
					t.Errorf("picture %d has DTS %d, %d before it is shown", n, p.DTS, wait)
				}
				if n > 0 {
					steps[(p.DTS-last+Wrap)%Wrap]++
				}
				last = p.DTS
				decode += int64(s.Duration)
				n++
			}
		}
		// Two pictures wait to be shown.
		if want := map[int64]int{1001: 3, 3003: 26}; from == 0 && !maps.Equal(steps, want) || from > 0 && steps[3003] != 29 {
			t.Errorf("from tick %d on, DTS grow by %v", from, steps)
		}
		if n != len(got) || n != 30 {
			t.Errorf("%d pictures of %d", len(got), n)
		}
	}
}

// withoutSets leaves out what a byte stream has only once.
func withoutSets(config, sample []byte) []byte {
	s, err := parse(config)
	if err != nil {
		return nil
	}
	units, err := s.split(sample)
	if err != nil {
		return nil
	}
	var out []byte
	for _, u := range units {
		if !s.has(u) {
			out = append(append(out, 0, 0, byte(len(u)>>8), byte(len(u))), u...)
		}
	}
	return out
}

// TestLaidEndToEnd lets ffmpeg decode two segments that were made apart, one
// after the other: a demuxer complains of counters and times that jump.
func TestLaidEndToEnd(t *testing.T) {
	c := film(t, pictures)
	scale := c.track.Timescale
	length := uint64(30 * 1001 * scale / 30000)
	var all []byte
	for i := range uint64(2) {
		segment, err := Pictures(c.track.Config, scale, c.moved(i*length))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, segment...)
	}
	out := mediatest.FFmpeg(t, "-xerror", "-err_detect", "explode", "-f", "mpegts", "-copyts", "-i", file(t, all),
		"-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-f", "framecrc", "pipe:1")
	var times []string
	for line := range strings.Lines(string(out)) {
		if fields := strings.Split(line, ","); !strings.HasPrefix(line, "#") {
			times = append(times, strings.TrimSpace(fields[2]))
		}
	}
	if len(times) != 60 || times[0] != "900000" || times[59] != "1077177" {
		t.Errorf("%d pictures, at %v", len(times), times)
	}
}

// file writes media for ffmpeg.
func file(t *testing.T, media []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "media")
	if err := os.WriteFile(path, media, 0o600); err != nil {
		t.Fatal(err)
	}
	return "file:" + path
}

func TestTimes(t *testing.T) {
	for _, test := range []struct {
		at        int64
		timescale int
		want      int64
	}{
		{0, 1, Start},
		{-1024, 48000, Start - 1920},
		{-1, 180000, Start},     // half a tick, up
		{-1, 180001, Start},     // less
		{-1, 179999, Start - 1}, // more
		{1001, 24000, Start + 3754},
		{(Wrap - Start) / Clock * 1000, 1000, Wrap - Wrap%Clock},
		{(Wrap-Start)/Clock*1000 + 1000, 1000, Clock - Wrap%Clock},
		{math.MaxInt32 * 10000, 30000, (Start + math.MaxInt32*30000) % Wrap},
	} {
		if got := Time(test.at, test.timescale); got != test.want {
			t.Errorf("%d at %d a second: %d, want %d", test.at, test.timescale, got, test.want)
		}
	}
}

func TestTables(t *testing.T) {
	// As other muxers write them.
	if got := hex.EncodeToString(patTable); got != "00b00d0001c100000001f0002ab104b2" {
		t.Errorf("PAT %s", got)
	}
	if got := crc(pmtTable); got != 0 {
		t.Errorf("the CRC over the PMT and its CRC is %x, not 0", got)
	}
}

func TestSoundComesBack(t *testing.T) {
	for _, layout := range []string{"1 44100", "2 48000", "6 48000"} {
		channels, rate, _ := strings.Cut(layout, " ")
		out := mediatest.FFmpeg(t, "-f", "lavfi", "-i", "sine=r="+rate+":d=0.5", "-ac", channels, "-c:a", "aac", "-f", "adts", "pipe:1")
		r := cmaf.NewADTS(bytes.NewReader(out))
		f := cmaf.Fragment{Decode: 10 * cmaf.PacketSamples}
		for {
			data, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			f.Samples = append(f.Samples, cmaf.Sample{Duration: cmaf.PacketSamples, Sync: true, Data: data})
		}
		segment, err := Sound(r.Config(), cmaf.PacketSamples, f)
		if err != nil {
			t.Fatal(err)
		}
		if adts := segment[tagSize:]; !slices.Equal(frames(t, out), frames(t, adts)) {
			t.Errorf("%s: the packets are others than ffmpeg's", layout)
		}
		first, packets, err := ReadSound(r.Config(), segment)
		want := map[string]int64{"44100": Start + 18808, "48000": Start + 17280}[rate]
		if err != nil || first != want || len(packets) != len(f.Samples) {
			t.Errorf("%s: %d packets from %d, want %d from %d: %v", layout, len(packets), first, len(f.Samples), want, err)
		}
	}
}

// TestUnheardPackets: of what lies before the timeline's 0 nothing is wrapped
// but the packet in which that is.
func TestUnheardPackets(t *testing.T) {
	five := cmaf.Fragment{Samples: make([]cmaf.Sample, 5)}
	for i := range five.Samples {
		five.Samples[i].Data = []byte{byte(i)}
	}
	for _, test := range []struct {
		priming, want int64
		packets       int
	}{{0, Start, 5}, {1, Start - 2, 5}, {1024, Start, 4}, {2112, Start - 120, 3}, {4 * 1024, Start, 1}, {5 * 1024, 0, 0}} {
		segment, err := Sound(stereo, test.priming, five)
		if test.packets == 0 {
			if !errors.Is(err, ErrUnfit) {
				t.Errorf("priming %d: %v", test.priming, err)
			}
			continue
		}
		first, packets, readErr := ReadSound(stereo, segment)
		if err = errors.Join(err, readErr); err != nil || first != test.want || len(packets) != test.packets {
			t.Errorf("priming %d: %d packets from %d, want %d from %d: %v", test.priming, len(packets), first, test.packets, test.want, err)
		}
		if got := len(five.Samples) - Unheard(0, test.priming, len(five.Samples)); got != test.packets {
			t.Errorf("priming %d: %d are said to be heard", test.priming, got)
		}
	}
}

// stereo is the configuration of AAC-LC with two channels at 48 kHz.
var stereo = []byte{0x11, 0x90}

// frames decodes sound in ADTS framing.
func frames(t *testing.T, adts []byte) []string {
	t.Helper()
	return strings.Split(string(mediatest.FFmpeg(t, "-xerror", "-f", "aac", "-i", file(t, adts), "-f", "framecrc", "pipe:1")), "\n")
}

// TestUnfitPictures: what cannot be wrapped is said, not written.
func TestUnfitPictures(t *testing.T) {
	c := film(t, pictures)
	one := func(change func(f *cmaf.Fragment)) []cmaf.Fragment {
		f := c.gops[0]
		f.Samples = slices.Clone(f.Samples)
		change(&f)
		return []cmaf.Fragment{f}
	}
	for name, gops := range map[string][]cmaf.Fragment{
		"nothing":             nil,
		"no key frame":        one(func(f *cmaf.Fragment) { f.Samples = f.Samples[1:] }),
		"a false flag":        one(func(f *cmaf.Fragment) { f.Samples[1].Sync = true }),
		"an empty sample":     one(func(f *cmaf.Fragment) { f.Samples[1].Data = nil }),
		"lengths":             one(func(f *cmaf.Fragment) { f.Samples[1].Data = f.Samples[1].Data[:20] }),
		"shown too early":     one(func(f *cmaf.Fragment) { f.Samples[1].Offset = -16 * int32(f.Samples[1].Duration) }),
		"a start code inside": one(func(f *cmaf.Fragment) { f.Samples[1].Data = []byte{0, 0, 0, 6, 1, 9, 0, 0, 1, 9} }),
		"other parameter sets": one(func(f *cmaf.Fragment) {
			f.Samples[0].Data = slices.Concat([]byte{0, 0, 0, 2, nalPPS, 9}, f.Samples[0].Data)
		}),
	} {
		if _, err := Pictures(c.track.Config, c.track.Timescale, gops); !errors.Is(err, ErrUnfit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Pictures(c.track.Config[:12], c.track.Timescale, c.gops); !errors.Is(err, ErrUnfit) {
		t.Errorf("half an avcC: %v", err)
	}
}

// TestEveryFlipIsSeen flips each byte of the packets' headers, and bytes here
// and there of all: what is read back is then unfit, or other pictures.
func TestEveryFlipIsSeen(t *testing.T) {
	c := film(t, pictures)
	segment, err := Pictures(c.track.Config, c.track.Timescale, c.gops)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := ReadPictures(c.track.Config, segment)
	if err != nil {
		t.Fatal(err)
	}
	same := func(got []Picture) bool {
		return slices.EqualFunc(whole, got, func(a, b Picture) bool {
			return a.PTS == b.PTS && a.DTS == b.DTS && a.Key == b.Key && bytes.Equal(a.Data, b.Data)
		})
	}
	silent := 0
	for at := range segment {
		if at%packetSize >= headerSize && at%97 != 0 {
			continue
		}
		segment[at] ^= 0x10
		if got, err := ReadPictures(c.track.Config, segment); err == nil && same(got) {
			// What may be otherwise is the clock and what stuffing is made of.
			if head := segment[at-at%packetSize:]; head[3]&0x20 == 0 || at%packetSize > headerSize+int(head[headerSize]) {
				silent++
				t.Errorf("byte %d of packet %d may be another", at%packetSize, at/packetSize)
			}
		}
		segment[at] ^= 0x10
	}
	for _, n := range []int{0, 1, packetSize, len(segment) - packetSize, len(segment) - 1} {
		if _, err := ReadPictures(c.track.Config, segment[:n]); !errors.Is(err, ErrUnfit) {
			t.Errorf("%d of %d bytes: %v", n, len(segment), err)
		}
	}
}

// FuzzPictures reads anything, and writes again what it could read.
func FuzzPictures(f *testing.F) {
	c := film(f, "-f lavfi -i testsrc2=s=16x16:r=25 -frames:v 4 -preset veryfast -bf 1")
	segment, err := Pictures(c.track.Config, c.track.Timescale, c.gops)
	if err != nil {
		f.Fatal(err)
	}
	// The codec configuration is proved before samples are wrapped.
	config := c.track.Config
	f.Add(segment)
	f.Fuzz(func(t *testing.T, segment []byte) {
		got, err := ReadPictures(config, segment)
		if err != nil {
			if !errors.Is(err, ErrUnfit) {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		one := cmaf.Fragment{}
		for _, p := range got {
			one.Samples = append(one.Samples, cmaf.Sample{Duration: 1, Sync: p.Key, Data: p.Data})
		}
		stills, err := IFrames(segment)
		if keys := slices.DeleteFunc(slices.Clone(got), func(p Picture) bool { return !p.Key }); err != nil || len(stills) != len(keys) {
			t.Errorf("%d I-frames of %d: %v", len(stills), len(keys), err)
		}
		if _, err := Pictures(config, 1000, []cmaf.Fragment{one}); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}

// FuzzSound likewise.
func FuzzSound(f *testing.F) {
	segment, err := Sound(stereo, 0, cmaf.Fragment{Samples: []cmaf.Sample{{Data: []byte{1, 2, 3}}, {Data: []byte{4}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stereo, segment)
	f.Fuzz(func(t *testing.T, config, segment []byte) {
		first, packets, err := ReadSound(config, segment)
		if err != nil {
			if !errors.Is(err, ErrUnfit) {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		again := cmaf.Fragment{}
		for _, p := range packets {
			again.Samples = append(again.Samples, cmaf.Sample{Data: p})
		}
		out, err := Sound(config, 0, again)
		if err != nil || !bytes.Equal(out[tagSize:], segment[tagSize:]) || first < 0 {
			t.Errorf("what was read comes out otherwise: %v", err)
		}
	})
}
