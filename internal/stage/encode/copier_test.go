package encode_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/ladder"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/stage/plan"
)

// planned is a source with the plan stage's own plan.
func planned(t testing.TB, path string, change ...func(*spool.Job)) *source {
	t.Helper()
	job := spool.Job{
		JobKey: spool.JobKey{Video: "vid", Revision: "r1", Kind: spool.Draft}, Fetched: &spool.Fetched{Path: path},
		Settings: spool.Settings{Ladder: "default", Preset: "superfast", Sizes: []int{90, 180}},
	}
	for _, c := range change {
		c(&job)
	}
	r, err := plan.Stage{Tools: tools(t), Ladders: map[string]ladder.Spec{}}.Run(t.Context(), job, func(spool.Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	s := probe(t, path, r.Plan.Timeline.Rate)
	s.plan = *r.Plan
	return s
}

// hashes are the SHA-256 sums of the packets of a file's pictures and of their
// parameter sets, as ffprobe reads them.
func hashes(t testing.TB, path string) (packets []string, sets string) {
	t.Helper()
	var found struct {
		Packets []struct {
			Hash string `json:"data_hash"`
		}
		Streams []struct {
			Hash string `json:"extradata_hash"`
		}
	}
	out := mediatest.FFprobe(t, "-select_streams", "v:0", "-show_data_hash", "sha256",
		"-show_entries", "packet=data_hash:stream=extradata_hash", "-of", "json", "file:"+path)
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	for _, p := range found.Packets {
		packets = append(packets, p.Hash)
	}
	return packets, found.Streams[0].Hash
}

var copies = []identity{
	{name: "25", source: mediatest.Barcode{Frames: 350, Codec: x264("-g", "48", "-bf", "3")}},
	{name: "29.97 with an edit list and sound", source: mediatest.Barcode{Rate: "30000/1001", Frames: 350, Audio: true, Codec: x264("-g", "170", "-bf", "2")}},
	{name: "no B-frames, moov first", source: mediatest.Barcode{Rate: "24", Frames: 200, Codec: x264("-g", "100", "-bf", "0"), Args: []string{"-movflags", "+faststart"}}},
	{name: "mov", source: mediatest.Barcode{Name: "s.mov", Rate: "10", Frames: 160, Codec: x264("-g", "20")}},
	{name: "cuts", source: mediatest.Barcode{Rate: "10", Frames: 240, Codec: x264("-g", "100", "-force_key_frames", "expr:eq(n,4)+eq(n,36)+eq(n,133)")}},
	{name: "key frames alone", source: mediatest.Barcode{Rate: "10", Frames: 120, Codec: x264("-g", "1", "-bf", "0")}},
}

func TestCopiedPacketsAreTheSources(t *testing.T) {
	for _, c := range copies {
		t.Run(c.name, func(t *testing.T) {
			c.source.Width, c.source.Height = 320, 180
			s, h := planned(t, c.source.Make(t)), newHouse(t)
			if s.plan.Rungs[0].Action != spool.CopyRung {
				t.Fatalf("rungs %+v", s.plan.Rungs)
			}
			made := h.encodeAll(t, s)
			for _, r := range s.plan.Rungs {
				if diff := cmp.Diff(s.want(), mediatest.ReadBarcodes(t, h.rendition(t, made, r.Name))); diff != "" {
					t.Errorf("%s:\n%s", r.Name, diff)
				}
			}
			want, sets := hashes(t, s.path)
			got, ours := hashes(t, h.rendition(t, made, s.plan.Rungs[0].Name))
			if !slices.Equal(got, want) || ours != sets || len(got) != c.source.Frames {
				t.Errorf("packets differ: %d and %d, parameter sets %s and %s", len(got), len(want), ours, sets)
			}
			checkSegments(t, s, h, made)
			t.Logf("%s; %d segments %v, target %d, %d chunks", s.plan.Rungs[0].Why, len(s.plan.Grid.Frames), s.plan.Grid.Frames, s.plan.Grid.Target, len(s.plan.Chunks))
		})
	}
}

// checkSegments holds every segment of every rung against the grid.
func checkSegments(t *testing.T, s *source, h *house, made spool.Made) {
	t.Helper()
	inits := map[string][]byte{}
	for _, i := range made.Inits {
		inits[i.Rendition] = h.store.get(i.Name)
	}
	if want := len(s.plan.Rungs) * len(s.plan.Grid.Frames); len(made.Segments) != want {
		t.Errorf("%d segments, want %d", len(made.Segments), want)
	}
	timescale, ticks, err := cmaf.Timescale(s.plan.Timeline.Rate)
	if err != nil {
		t.Fatal(err)
	}
	sequences := map[string]int{}
	for _, segment := range made.Segments {
		info, err := cmaf.Inspect(inits[segment.Rendition], h.store.get(segment.Name))
		if err != nil {
			t.Fatal(err)
		}
		first := 0
		for _, n := range s.plan.Grid.Frames[:segment.Number] {
			first += n
		}
		end := first + s.plan.Grid.Frames[segment.Number]
		if info.Track.Timescale != timescale || info.Decode != uint64(first*ticks) || info.Start != int64(first*ticks) || info.End != int64(end*ticks) ||
			info.Samples != end-first || segment.Units != end-first || !info.IDR || len(info.Sync) != segment.KeyFrames || len(segment.IFrames) != segment.KeyFrames {
			t.Errorf("%s: %+v", segment.Name, info)
		}
		if int(info.Sequence) != sequences[segment.Rendition]+1 {
			t.Errorf("%s: sequence number %d after %d", segment.Name, info.Sequence, sequences[segment.Rendition])
		}
		sequences[segment.Rendition] += 2 * segment.KeyFrames // each GOP's key frame, and the others
	}
}

// late is what a copy says of a file that was changed after it was planned, or
// that is not what its index says.
func late(t *testing.T, s *source, h *house, chunk int) *spool.Error {
	t.Helper()
	_, err := h.stage.Run(t.Context(), s.job(chunk), nil)
	e := failure(t, err)
	if e.Class != spool.Replan || e.Code != "copy-not-as-planned" || e.Hint == "" {
		t.Errorf("%+v", e)
	}
	return e
}

// box gives the place of a box's body in a file.
func box(t *testing.T, file []byte, kind string) int {
	t.Helper()
	at := bytes.Index(file, []byte(kind))
	if at < 0 {
		t.Fatalf("no %s", kind)
	}
	return at + 4
}

func TestBreachesThatAreFoundLate(t *testing.T) {
	good := mediatest.Barcode{Frames: 200, Width: 320, Height: 180, Codec: x264("-g", "100", "-bf", "0")}.Make(t)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(file []byte, at int64, size int)
		why    string
	}{
		{"not an IDR picture", func(file []byte, at int64, _ int) { file[at+4] = 0x41 }, "no IDR picture"},
		{"a length that lies", func(file []byte, at int64, _ int) { file[at] = 0x7f }, "a NAL unit of"},
		{"another parameter set", func(file []byte, at int64, _ int) { file[at+4] = 0x67 }, "slices"},
		{"a file that is cut", nil, "the source ends before it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s.mp4")
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			s, h := planned(t, path), newHouse(t)
			if s.plan.Rungs[0].Action != spool.CopyRung || len(s.plan.Chunks) != 2 {
				t.Fatalf("%+v, %+v", s.plan.Rungs, s.plan.Grid)
			}
			at, size := place(t, path, 100)
			file := slices.Clone(whole)
			if c.change == nil {
				file = slices.Concat(file[:at+10])
			} else {
				c.change(file, at, size)
			}
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			path, runs := script(t, pass)
			cpu := flow.NewSlots(2)
			h.stage.Tools.FFmpeg, h.stage.CPU = path, cpu
			if e := late(t, s, h, 1); c.change != nil && !strings.Contains(e.Error(), c.why) {
				t.Errorf("%v", e)
			}
			if runs() > 0 || cpu.InUse() != 0 {
				t.Errorf("%d encoders were started, %d slots are still held", runs(), cpu.InUse())
			}
		})
	}
}

// place is where packet n of a file's pictures lies.
func place(t *testing.T, path string, n int) (at int64, size int) {
	t.Helper()
	var found struct {
		Packets []struct{ Pos, Size string }
	}
	out := mediatest.FFprobe(t, "-select_streams", "v:0", "-show_entries", "packet=pos,size", "-of", "json", "file:"+path)
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	p := found.Packets[n]
	if _, err := fmt.Sscan(p.Pos+" "+p.Size, &at, &size); err != nil {
		t.Fatal(err)
	}
	return at, size
}

// A key frame in the index that is none in the pictures.
func TestSyncSampleThatIsNone(t *testing.T) {
	path := mediatest.Barcode{Frames: 200, Width: 320, Height: 180, Codec: x264("-g", "100", "-bf", "0")}.Make(t)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := box(t, file, "stss") + 8 // version, flags, count
	if n := binary.BigEndian.Uint32(file[at+4:]); n != 101 {
		t.Fatalf("the second key frame is sample %d", n)
	}
	binary.BigEndian.PutUint32(file[at+4:], 111)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, h := planned(t, path), newHouse(t)
	if s.plan.Rungs[0].Action != spool.CopyRung || s.plan.Grid.Frames[0] != 110 {
		t.Fatalf("%+v, %+v", s.plan.Rungs, s.plan.Grid)
	}
	if e := late(t, s, h, 1); !strings.Contains(e.Error(), "no IDR picture") {
		t.Errorf("%v", e)
	}
	again := planned(t, path, func(j *spool.Job) { j.Careful = 1 })
	made := h.encodeAll(t, again)
	for _, r := range again.plan.Rungs {
		if got := mediatest.ReadBarcodes(t, h.rendition(t, made, r.Name)); !slices.Equal(got, again.want()) {
			t.Errorf("%s, planned again, shows %v", r.Name, got)
		}
	}
}

// Two recordings with other parameters in one track, as some recorders write
// them: the second one's lie among the pictures.
func TestParameterSetsThatChange(t *testing.T) {
	var raw []byte
	for _, cabac := range []string{"0", "1"} {
		raw = append(raw, mediatest.FFmpeg(t, "-f", "lavfi", "-i", "color=s=320x180:r=25:d=4", "-c:v", "libx264", "-preset", "ultrafast",
			"-g", "100", "-bf", "0", "-x264-params", "repeat-headers=1:cabac="+cabac, "-f", "h264", "pipe:1")...)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s.h264"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s.mp4")
	mediatest.FFmpeg(t, "-framerate", "25", "-i", filepath.Join(dir, "s.h264"), "-c", "copy", path)
	s, h := planned(t, path), newHouse(t)
	if s.plan.Rungs[0].Action != spool.CopyRung {
		t.Fatalf("%+v", s.plan.Rungs)
	}
	if _, err := h.stage.Run(t.Context(), s.job(0), nil); err != nil {
		t.Error(err)
	}
	if e := late(t, s, h, 1); !strings.Contains(e.Error(), "the parameter sets change") {
		t.Errorf("%v", e)
	}
}

// A rung alone that is copied: no encoder runs, and no CPU slot is held.
func TestCopyAlone(t *testing.T) {
	path := mediatest.Barcode{Frames: 120, Width: 320, Height: 180, Codec: x264("-g", "50")}.Make(t)
	s, h := planned(t, path, func(j *spool.Job) { j.Settings.Sizes = []int{180} }), newHouse(t)
	h.stage.Tools.FFmpeg, h.stage.CPU = "no such program", nil
	var last spool.Progress
	r, err := h.stage.Run(t.Context(), s.job(0), func(p spool.Progress) {
		if p.Phase == spool.Encoding {
			last = p
		}
	})
	if err != nil || len(r.Made.Inits) != 1 || len(r.Made.Segments) != 1 || last.Done != 120 || last.Total != 120 {
		t.Fatalf("%+v, %+v, %v", r.Made, last, err)
	}
	if got := mediatest.ReadBarcodes(t, h.rendition(t, *r.Made, "v0-180p")); !slices.Equal(got, s.want()) {
		t.Errorf("it shows %v", got)
	}
	h.stage.Tools.FFmpeg = "ffmpeg"
	again, err := h.stage.Run(t.Context(), s.job(0), nil)
	if err != nil || !reflect.DeepEqual(again.Made.Segments[0], r.Made.Segments[0]) {
		t.Errorf("again: %+v, %v", again.Made, err)
	}
}
