package tap_test

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/tap"
)

// inBox finds the body of the n-th box of a kind, by its name.
func inBox(t *testing.T, moov []byte, kind string, n int) []byte {
	t.Helper()
	for at := 4; at+4 <= len(moov); at++ {
		if string(moov[at:at+4]) != kind {
			continue
		}
		if n--; n < 0 {
			return moov[at+4 : at-4+int(binary.BigEndian.Uint32(moov[at-4:]))]
		}
	}
	t.Fatalf("no %s box", kind)
	return nil
}

func put(at int, v uint32) func([]byte) {
	return func(b []byte) { binary.BigEndian.PutUint32(b[at:], v) }
}

// rename makes a box one of another kind.
func rename(b []byte, kind string) { copy(b[:4], kind) }

// TestTablesThatLie: each breaks one track, or the movie, and neither reads
// wrong nor takes memory for what is not there.
func TestTablesThatLie(t *testing.T) {
	path := film{name: "lies.mp4", args: both}.make(t)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	good := moov(t, file)
	for _, c := range []struct {
		name, box string
		change    func([]byte)
	}{
		{"sizes for more than stand there", "stsz", put(8, 1<<32-1)},
		{"sizes for fewer", "stsz", put(8, 3)},
		{"one size for four thousand million", "stsz", func(b []byte) { put(4, 1)(b); put(8, 1<<32-1)(b) }},
		{"an empty sample", "stsz", put(12+4*7, 0)},
		{"a sample beyond the end", "stsz", put(12+4*7, 1<<28)},
		{"times for more", "stts", put(8, 1<<32-1)},
		{"times for fewer", "stts", put(8, 3)},
		{"no time passes", "stts", put(12, 0)},
		{"time goes back", "stts", put(12, 1<<32-5)},
		{"more entries of times", "stts", put(4, 1<<30)},
		{"compositions for none", "ctts", put(8, 0)},
		{"compositions for more", "ctts", put(8, 1<<31)},
		{"composed in years", "ctts", put(12, 1<<29)},
		{"more key frames than samples", "stss", put(4, 1<<32-1)},
		{"a key frame beyond the end", "stss", put(8, 5000)},
		{"key frames backwards", "stss", put(12, 1)},
		{"no key frames", "stss", put(4, 0)},
		{"chunks for more", "stsc", put(12, 1<<32-1)},
		{"empty chunks", "stsc", put(12, 0)},
		{"chunks from the second on", "stsc", put(8, 2)},
		{"another sample entry", "stsc", put(16, 2)},
		{"a chunk beyond the end", "stco", put(8, 1<<31)},
		{"more chunks", "stco", put(4, 1<<28)},
		{"no time scale", "mdhd", put(12, 0)},
		{"no duration", "mdhd", put(16, 0)},
		{"two sample entries", "stsd", put(4, 2)},
		{"encrypted", "stsd", func(b []byte) { rename(b[12:], "encv") }},
		{"in another file", "url ", put(0, 0)},
		{"many edits", "elst", func(b []byte) { put(4, 1<<28)(b) }},
		{"slowly", "elst", put(16, 1<<15)},
		{"an edit of nothing", "elst", put(8, 0)},
	} {
		m := slices.Clone(good)
		c.change(inBox(t, m, c.box, 0))
		got, err := tap.ReadMovie(m, int64(len(file)))
		if err != nil || len(got.Tracks) != 2 {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if v := got.Tracks[0]; !errors.Is(v.Err, tap.ErrUnsupported) || v.Samples != nil {
			t.Errorf("%s: %v", c.name, v.Err)
		}
		if got.Tracks[1].Err != nil {
			t.Errorf("%s: the other track: %v", c.name, got.Tracks[1].Err)
		}
		facts := spool.Facts{Video: &spool.VideoStream{Codec: "h264", TimeBase: spool.Ratio{Num: 1, Den: 12800}}}
		if _, err := got.Index(facts); !errors.Is(err, tap.ErrUnsupported) {
			t.Errorf("%s: index: %v", c.name, err)
		}
	}
}

// TestMoviesThatOnlyTheWholeFileTells are refused as a whole.
func TestMoviesThatOnlyTheWholeFileTells(t *testing.T) {
	file, err := os.ReadFile(film{name: "lies.mp4", args: both}.make(t))
	if err != nil {
		t.Fatal(err)
	}
	good := moov(t, file)
	box := func(kind string, body ...byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), append([]byte(kind), body...)...)
	}
	with := func(first []byte) []byte { return box("moov", append(first, good[8:]...)...) }
	mvhd := slices.Clone(good)
	put(12, 0)(inBox(t, mvhd, "mvhd", 0))
	for name, b := range map[string][]byte{
		"nothing":        nil,
		"another box":    box("free"),
		"empty":          box("moov"),
		"cut":            good[:len(good)-1],
		"compressed":     with(box("cmov")),
		"fragmented":     with(box("mvex")),
		"cover first":    with(box("udta", box("meta", []byte("....covr....")...)...)),
		"no clock":       mvhd,
		"two clocks":     with(box("mvhd", make([]byte, 100)...)),
		"tracks first":   with(box("trak")),
		"thousand boxes": with(slices.Repeat(box("free"), 5000)),
	} {
		if m, err := tap.ReadMovie(b, int64(len(file))); !errors.Is(err, tap.ErrUnsupported) {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	// What ffmpeg itself writes: two pieces of media, and fragments.
	for _, f := range []film{
		{name: "fragments.mp4", args: both + "-movflags +frag_keyframe"},
	} {
		file, err := os.ReadFile(f.make(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tap.ReadMovie(moov(t, file), int64(len(file))); !errors.Is(err, tap.ErrUnsupported) {
			t.Errorf("%s: %v", f.name, err)
		}
	}
}

// TestIndexAsksForWhatIsThere: facts that do not fit the movie are not taken
// for another track's.
func TestIndexAsksForWhatIsThere(t *testing.T) {
	tools, err := find()
	if err != nil {
		t.Fatal(err)
	}
	path := film{name: "lies.mp4", args: both}.make(t)
	m := readMovie(t, path)
	for name, change := range map[string]func(*spool.Facts){
		"nothing":           func(f *spool.Facts) { *f = spool.Facts{} },
		"sound as pictures": func(f *spool.Facts) { f.Video.Index = 1 },
		"no such track":     func(f *spool.Facts) { f.Video.Index = 7 },
		"another clock":     func(f *spool.Facts) { f.Audio[0].TimeBase.Den++ },
		"another codec":     func(f *spool.Facts) { f.Video.Codec = "mpeg2video" },
		"packets of vorbis": func(f *spool.Facts) { f.Audio[0].Codec = "vorbis" },
	} {
		facts, err := ffmpeg.Probe(t.Context(), tools, path)
		if err != nil {
			t.Fatal(err)
		}
		change(&facts)
		if x, err := m.Index(facts); !errors.Is(err, tap.ErrUnsupported) {
			t.Errorf("%s: %v, %v", name, x, err)
		}
	}
}

// TestMoovTakesLittleMemory: boxes that declare the most take no more than a
// moov box of that size may.
func TestMoovTakesLittleMemory(t *testing.T) {
	file, err := os.ReadFile(film{name: "lies.mp4", args: both}.make(t))
	if err != nil {
		t.Fatal(err)
	}
	bomb := moov(t, file)
	put(4, 1)(inBox(t, bomb, "stsz", 0))
	put(8, 1<<20)(inBox(t, bomb, "stsz", 0))
	put(8, 1<<20)(inBox(t, bomb, "stts", 0))
	put(12, 1<<20)(inBox(t, bomb, "stsc", 0))
	if used := allocated(t, bomb, -1); used > 100<<20 {
		t.Errorf("%d MB for %d bytes", used>>20, len(bomb))
	}
	// Hours of plain sound in a file of a second.
	path := film{name: "pcm.mov", args: sound + "-c:a pcm_s16le"}.write(t)
	if file, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	bomb = moov(t, file)
	put(8, 1<<32-1)(inBox(t, bomb, "stsz", 0))
	put(8, 1<<32-1)(inBox(t, bomb, "stts", 0))
	put(12, 1<<32-1)(inBox(t, bomb, "stsc", 0))
	for _, size := range []int64{int64(len(file)), -1} {
		if used := allocated(t, bomb, size); used > 300<<20 || size > 0 && used > 1<<20 {
			t.Errorf("%d MB for plain sound of %d bytes", used>>20, size)
		}
	}
}

// allocated is how many bytes reading a moov box takes.
func allocated(t *testing.T, moov []byte, size int64) uint64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	if _, err := tap.ReadMovie(moov, size); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if time.Since(began) > 5*time.Second {
		t.Errorf("%v for %d bytes", time.Since(began), len(moov))
	}
	return after.TotalAlloc - before.TotalAlloc
}

func FuzzReadMovie(f *testing.F) {
	for _, args := range []string{"", "-movflags +negative_cts_offsets", "-use_editlist 0"} {
		film := mediatest.Barcode{Frames: 20, Audio: true}
		if args != "" {
			film.Args = strings.Fields(args)
		}
		file, err := os.ReadFile(film.Make(f))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(moov(f, file), int64(len(file)))
	}
	quick := film{name: "plain.mov", args: sound + "-c:a pcm_s16le"}.write(f)
	file, err := os.ReadFile(quick)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(moov(f, file), int64(len(file)))
	f.Add([]byte("\x00\x00\x00\x08moov"), int64(-1))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		m, err := tap.ReadMovie(b, size)
		if err != nil {
			if !errors.Is(err, tap.ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		for i := range m.Tracks {
			track := &m.Tracks[i]
			if w := track.Window(tap.Start, 1000); track.Err != nil && w.Len() > 0 || size >= 0 && w.To > size || w.From < 0 {
				t.Fatalf("window %v of %d bytes, %v", w, size, track.Err)
			}
			base := track.TimeBase
			_, _ = m.Index(spool.Facts{Video: &spool.VideoStream{Index: i, Codec: "h264", TimeBase: base}})
			_, _ = m.Index(spool.Facts{Audio: []spool.AudioStream{{Index: i, Codec: "aac", TimeBase: base, SampleRate: 48000}}})
		}
		m.Head()
	})
}
