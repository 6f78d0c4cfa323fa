package encode_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/publish"
	"github.com/spool-video/spool/internal/stage/encode"
	"github.com/spool-video/spool/internal/store"
)

// source is a file with what a test knows of it.
type source struct {
	path  string
	plan  spool.Plan
	times []int64 // presentation times of its frames, sorted
	keys  []int64 // of its key frames
}

type packet struct {
	PTS   *int64 `json:"pts"`
	Flags string `json:"flags"`
}

// probe makes a small plan for a file by hand: GOPs of 12 frames, segments of
// 24, chunks of 1, 1, 2, 2 … segments.
func probe(t testing.TB, path string, rate spool.Ratio) *source {
	t.Helper()
	var found struct {
		Packets []packet
		Streams []struct {
			Base   string `json:"time_base"`
			Codec  string `json:"codec_name"`
			Fields string `json:"field_order"`
			Pixels string `json:"pix_fmt"`
		}
	}
	out := mediatest.FFprobe(t, "-select_streams", "v:0", "-show_entries",
		"packet=pts,flags:stream=time_base,codec_name,field_order,pix_fmt", "-of", "json", "file:"+path)
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	s := &source{path: path}
	for _, p := range found.Packets {
		if p.PTS == nil || len(p.Flags) > 1 && p.Flags[1] == 'D' {
			continue
		}
		s.times = append(s.times, *p.PTS)
		if p.Flags[0] == 'K' {
			s.keys = append(s.keys, *p.PTS)
		}
	}
	slices.Sort(s.times)
	slices.Sort(s.keys)
	stream := found.Streams[0]
	base, err := spool.ParseRatio(stream.Base)
	if err != nil {
		t.Fatal(err)
	}
	s.plan = spool.Plan{
		Facts: spool.Facts{Video: &spool.VideoStream{
			Codec: stream.Codec, Width: 160, Height: 90, SAR: spool.Ratio{Num: 1, Den: 1}, TimeBase: base,
			PixFmt: stream.Pixels, BitDepth: 8, Interlaced: stream.Fields == "tt" || stream.Fields == "tb",
		}},
		Rungs: []spool.Rung{
			{Name: "v1-90p", ShortSide: 90, Width: 160, Height: 90, CRF: 23, MaxRate: 800_000, Action: spool.EncodeRung},
			{Name: "v0-54p", ShortSide: 54, Width: 96, Height: 54, CRF: 23, MaxRate: 400_000, Action: spool.EncodeRung},
		},
		Grid: spool.Grid{GOP: 12, Target: 6},
	}
	s.layOut(base, rate)
	return s
}

// index is the output frame that shows a source frame first.
func (s *source) index(time int64) int {
	line := s.plan.Timeline
	return int(line.TimeBase.RescaleNearest(time-line.Origin, line.Rate.Invert()))
}

func (s *source) layOut(base, rate spool.Ratio) {
	s.plan.Timeline = spool.Timeline{Origin: s.times[0], TimeBase: base, Rate: rate, SourceFrames: len(s.times)}
	s.plan.Timeline.Frames = s.index(s.times[len(s.times)-1]) + 1
	for left := s.plan.Timeline.Frames; left > 0; left -= 24 {
		s.plan.Grid.Frames = append(s.plan.Grid.Frames, min(24, left))
	}
	frame := 0
	for segment := 0; segment < len(s.plan.Grid.Frames); {
		c := spool.Chunk{Number: len(s.plan.Chunks), FirstSegment: segment, FirstFrame: frame, Segments: 1}
		if c.Number >= 2 && segment+1 < len(s.plan.Grid.Frames) {
			c.Segments = 2
		}
		for range c.Segments {
			c.Frames += s.plan.Grid.Frames[segment]
			segment++
		}
		frame += c.Frames
		s.plan.Chunks = append(s.plan.Chunks, s.choose(c))
	}
}

// shown is the place in s.times of the source frame that output frame n shows.
func (s *source) shown(n int) int {
	at, _ := slices.BinarySearchFunc(s.times, n+1, func(time int64, n int) int { return cmp.Compare(s.index(time), n) })
	return at - 1
}

func (s *source) choose(c spool.Chunk) spool.Chunk {
	first, last := s.shown(c.FirstFrame), s.shown(c.FirstFrame+c.Frames-1)
	c.FirstPTS, c.LastPTS, c.SourceFrames = s.times[first], s.times[last], last-first+1
	// A GOP and a second before the first frame.
	second := s.plan.Timeline.TimeBase.Invert().Float()
	at, found := slices.BinarySearch(s.keys, c.FirstPTS)
	if !found {
		at--
	}
	for at--; at > 0; at-- {
		if s.keys[at] <= c.FirstPTS-int64(second) {
			c.Seek = &s.keys[at]
			break
		}
	}
	return c
}

// sequential makes one chunk of all segments, read from the start.
func (s *source) sequential() {
	s.plan.Sequential = true
	s.plan.Chunks = []spool.Chunk{s.choose(spool.Chunk{
		Segments: len(s.plan.Grid.Frames), Frames: s.plan.Timeline.Frames,
	})}
	s.plan.Chunks[0].Seek = nil
}

// want is what each output frame has to show.
func (s *source) want() []int {
	out := make([]int, s.plan.Timeline.Frames)
	for n := range out {
		out[n] = s.shown(n)
	}
	return out
}

// house is a stage with its surroundings.
type house struct {
	stage encode.Stage
	store *memory
	work  string
}

func newHouse(t testing.TB) *house {
	h := &house{store: &memory{objects: map[string][]byte{}}, work: t.TempDir()}
	h.stage = encode.Stage{
		Tools: tools(t), CPU: flow.NewSlots(1), Threads: 1,
		Publisher: publish.Publisher{Store: h.store, Uploads: flow.NewSlots(2)},
		Work:      func(k spool.JobKey) string { return filepath.Join(h.work, k.Video, k.Revision) },
	}
	return h
}

func tools(testing.TB) ffmpeg.Tools {
	return ffmpeg.Tools{FFmpeg: "ffmpeg", FFprobe: "ffprobe", Unconfined: "what stands in for it leaves notes for the test"}
}

func (s *source) job(chunk int) spool.Job {
	plan := s.plan
	plan.Chunks = nil
	return spool.Job{
		JobKey:  spool.JobKey{Video: "vid", Revision: "r1", Kind: spool.Encode, Number: chunk},
		Fetched: &spool.Fetched{Path: s.path}, Plan: &plan, Chunk: &s.plan.Chunks[chunk],
		Settings: spool.Settings{Preset: "superfast"},
	}
}

// encodeAll runs all chunks, the last one first: no chunk may lean on another.
func (h *house) encodeAll(t testing.TB, s *source) spool.Made {
	t.Helper()
	var made spool.Made
	for n := range slices.Backward(s.plan.Chunks) {
		r, err := h.stage.Run(t.Context(), s.job(n), nil)
		if err != nil {
			t.Fatalf("chunk %d of %s: %v", n, filepath.Base(s.path), err)
		}
		made.Inits = append(made.Inits, r.Made.Inits...)
		made.Segments = append(made.Segments, r.Made.Segments...)
	}
	slices.SortFunc(made.Segments, func(a, b spool.Segment) int { return cmp.Compare(a.Number, b.Number) })
	return made
}

// rendition joins the published objects of one rung to a file.
func (h *house) rendition(t testing.TB, made spool.Made, name string) string {
	t.Helper()
	var all []byte
	for _, i := range made.Inits {
		if i.Rendition == name {
			all = slices.Clone(h.store.get(i.Name))
		}
	}
	for n := 0; ; n++ {
		at := slices.IndexFunc(made.Segments, func(s spool.Segment) bool { return s.Rendition == name && s.Number == n })
		if at < 0 {
			break
		}
		all = append(all, h.store.get(made.Segments[at].Name)...)
	}
	path := filepath.Join(t.TempDir(), name+".mp4")
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// memory is a store for tests. fail, when set, may refuse a Put.
type memory struct {
	mu      sync.Mutex // guards what follows
	objects map[string][]byte
	puts    int
	fail    func(name string, n int) error
}

func (m *memory) get(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.objects["vid/"+name]
}

func (m *memory) Put(_ context.Context, name string, body io.ReadSeeker, _ store.PutOptions) error {
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts++
	if m.fail != nil {
		if err := m.fail(name, m.puts); err != nil {
			return err
		}
	}
	m.objects[name] = data
	return nil
}

func (m *memory) Open(_ context.Context, name string, _, _ int64) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return io.NopCloser(bytes.NewReader(m.objects[name])), nil
}

func (m *memory) Stat(_ context.Context, name string) (store.Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.objects[name]
	if !ok {
		return store.Info{}, store.ErrNotFound
	}
	return store.Info{Name: name, Size: int64(len(data))}, nil
}

func (m *memory) List(context.Context, string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) { yield(store.Info{}, errors.ErrUnsupported) }
}

func (m *memory) Delete(context.Context, string) error { return errors.ErrUnsupported }

func (m *memory) Properties() store.Properties {
	return store.Properties{Address: "memory", AtomicPut: true}
}

func ratio(t testing.TB, s string) spool.Ratio {
	t.Helper()
	r, err := spool.ParseRatio(s)
	if err != nil {
		t.Fatal(err, strconv.Quote(s))
	}
	return r
}
