package encode_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script stands in for ffmpeg. It counts its runs in a file.
func script(t *testing.T, body string) (path string, runs func() int) {
	t.Helper()
	dir := t.TempDir()
	path, count := filepath.Join(dir, "ffmpeg"), filepath.Join(dir, "runs")
	text := fmt.Sprintf("#!/bin/sh\necho run >> %s\n%s\n", count, body)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	return path, func() int {
		data, _ := os.ReadFile(count) // not there: never run
		return strings.Count(string(data), "run")
	}
}

const pass = `exec ffmpeg "$@"`

func small(t *testing.T) *source {
	t.Helper()
	return probe(t, mediatest.Barcode{Frames: 60, Codec: x264()}.Make(t), spool.Ratio{Num: 25, Den: 1})
}

func failure(t *testing.T, err error) *spool.Error {
	t.Helper()
	var e *spool.Error
	if !errors.As(err, &e) {
		t.Fatalf("error without a class: %v", err)
	}
	return e
}

func TestSegmentsAreWhatTheySay(t *testing.T) {
	s, h := small(t), newHouse(t)
	made := h.encodeAll(t, s)
	if len(made.Segments) != 2*len(s.plan.Grid.Frames) {
		t.Fatalf("%d segments", len(made.Segments))
	}
	inits := map[string][]byte{}
	for _, i := range made.Inits {
		inits[i.Rendition] = h.store.get(i.Name)
		if i.Type != "video/mp4" || !strings.HasPrefix(i.Codec, "avc1.64") || i.Timescale != 12800 {
			t.Errorf("init section %+v", i)
		}
		if want := fmt.Sprintf("r1/%s/init-%s.mp4", i.Rendition, i.SHA256[:8]); i.Name != want {
			t.Errorf("init section is named %s", i.Name)
		}
	}
	for _, segment := range made.Segments {
		info, err := cmaf.Inspect(inits[segment.Rendition], h.store.get(segment.Name))
		if err != nil {
			t.Fatal(err)
		}
		first := 0
		for _, n := range s.plan.Grid.Frames[:segment.Number] {
			first += n
		}
		if info.Decode != uint64(first*512) || info.Start != int64(first*512) || info.End != int64((first+segment.Units)*512) ||
			info.Samples != s.plan.Grid.Frames[segment.Number] || !info.IDR || len(info.Sync) != segment.KeyFrames {
			t.Errorf("%s: %+v", segment.Name, info)
		}
	}
	sequences := map[uint32]bool{}
	for _, segment := range made.Segments {
		if info, _ := cmaf.Inspect(inits[segment.Rendition], h.store.get(segment.Name)); segment.Rendition == "v0-54p" {
			if sequences[info.Sequence] {
				t.Errorf("sequence number %d twice", info.Sequence)
			}
			sequences[info.Sequence] = true
		}
	}
}

func TestEncryptedSegmentsDecrypt(t *testing.T) {
	s, h := small(t), newHouse(t)
	key := []byte("0123456789abcdef")
	job := s.job(0)
	job.Keys = spool.ContentKeys{{ID: "k", Bytes: key}}
	r, err := h.stage.Run(t.Context(), job, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, segment := range r.Made.Segments {
		plain, err := keys.Decrypt(key, keys.IV(key, segment.Rendition, segment.Number), h.store.get(segment.Name))
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(r.Made.Inits, func(i spool.InitSection) bool { return i.Rendition == segment.Rendition })
		if _, err := cmaf.Inspect(h.store.get(r.Made.Inits[at].Name), plain); err != nil {
			t.Error(err)
		}
	}
}

func TestFailedUploadCostsNoEncode(t *testing.T) {
	s, h := small(t), newHouse(t)
	path, runs := script(t, pass)
	h.stage.Tools.FFmpeg = path
	away := &spool.Error{Class: spool.Environment, Code: "store-away", Reason: "the bucket is away"}
	h.store.fail = func(string, int) error { return away }
	_, err := h.stage.Run(t.Context(), s.job(0), nil)
	if e := failure(t, err); e.Class != spool.Environment || e.Code != "store-away" {
		t.Fatalf("%+v", e)
	}
	// The second Put of each pair is refused once, in passing.
	h.store.fail = func(_ string, n int) error {
		if n%2 == 0 {
			return errors.New("connection reset")
		}
		return nil
	}
	r, err := h.stage.Run(t.Context(), s.job(0), nil)
	if err != nil || len(r.Made.Segments) != 2 {
		t.Fatalf("%+v, %v", r.Made, err)
	}
	puts := h.store.puts
	again, err := h.stage.Run(t.Context(), s.job(0), nil)
	if err != nil || !reflect.DeepEqual(again.Made.Segments[0], r.Made.Segments[0]) || h.store.puts != puts {
		t.Errorf("a repeated job is not free: %v, %d puts", err, h.store.puts-puts)
	}
	if runs() != 1 {
		t.Errorf("ffmpeg ran %d times", runs())
	}
	// What the store lost is made anew.
	clear(h.store.objects)
	if _, err := h.stage.Run(t.Context(), s.job(0), nil); err != nil || runs() != 2 || len(h.store.objects) != 4 {
		t.Errorf("%v, %d runs, %d objects", err, runs(), len(h.store.objects))
	}
}

func TestDamagedScratchIsMadeAnew(t *testing.T) {
	s, h := small(t), newHouse(t)
	path, runs := script(t, pass)
	h.stage.Tools.FFmpeg = path
	h.store.fail = func(string, int) error {
		return &spool.Error{Class: spool.Environment, Code: "store-away"}
	}
	if _, err := h.stage.Run(t.Context(), s.job(0), nil); err == nil {
		t.Fatal("no error")
	}
	files, err := filepath.Glob(filepath.Join(h.work, "*", "*", "encode-00000", "*.m4s"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	if err := os.Truncate(files[0], 100); err != nil {
		t.Fatal(err)
	}
	h.store.fail = nil
	if _, err := h.stage.Run(t.Context(), s.job(0), nil); err != nil || runs() != 2 {
		t.Errorf("%v, %d runs", err, runs())
	}
}

func TestKilledEncoder(t *testing.T) {
	s, h := small(t), newHouse(t)
	h.stage.Tools.FFmpeg, _ = script(t, "kill -9 $$")
	_, err := h.stage.Run(t.Context(), s.job(0), nil)
	if e := failure(t, err); e.Class != spool.Transient || e.Code != "encoder-killed" {
		t.Errorf("%+v", e)
	}
	var exit *process.ExitError
	if !errors.As(err, &exit) || exit.Signal != syscall.SIGKILL {
		t.Errorf("the signal is lost: %v", err)
	}
}

func TestStuckEncoder(t *testing.T) {
	s, h := small(t), newHouse(t)
	h.stage.Tools.FFmpeg, _ = script(t, "exec sleep 1000")
	h.stage.Stall = 50 * time.Millisecond
	_, err := h.stage.Run(t.Context(), s.job(0), nil)
	if e := failure(t, err); e.Class != spool.Transient || e.Code != "encoder-stuck" {
		t.Errorf("%+v", e)
	}
}

func TestCutOffEncoder(t *testing.T) {
	s, h := small(t), newHouse(t)
	h.stage.Tools.FFmpeg, _ = script(t, "echo something broke >&2; exit 3")
	_, err := h.stage.Run(t.Context(), s.job(0), nil)
	// Nothing was read of the source, so the plan is in doubt.
	if e := failure(t, err); e.Class != spool.Replan {
		t.Errorf("%+v", e)
	}
	s.sequential()
	_, err = h.stage.Run(t.Context(), s.job(0), nil)
	if e := failure(t, err); e.Class != spool.Transient || e.Code != "encoder-failed" || !strings.Contains(err.Error(), "something broke") {
		t.Errorf("%+v", e)
	}
	h.stage.Tools.FFmpeg = filepath.Join(t.TempDir(), "nothing")
	_, err = h.stage.Run(t.Context(), s.job(0), nil)
	if e := failure(t, err); e.Class != spool.Environment || e.Code != "no-ffmpeg" {
		t.Errorf("%+v", e)
	}
}

func TestFramesNotAsPlanned(t *testing.T) {
	for name, wrong := range map[string]func(*spool.Chunk){
		"a frame too many": func(c *spool.Chunk) { c.SourceFrames++ },
		"another first":    func(c *spool.Chunk) { c.FirstPTS++ },
		"another last":     func(c *spool.Chunk) { c.LastPTS += 512 },
	} {
		s, h := small(t), newHouse(t)
		wrong(&s.plan.Chunks[1])
		_, err := h.stage.Run(t.Context(), s.job(1), nil)
		if e := failure(t, err); e.Class != spool.Replan || e.Code != "frames-not-as-planned" {
			t.Errorf("%s: %+v", name, e)
		}
		if len(h.store.objects) > 2 {
			t.Logf("%s: %d objects that nobody will name", name, len(h.store.objects))
		}
	}
}

func TestSequentialTolerance(t *testing.T) {
	for missing, code := range map[int]string{0: "", 1: "", 5: "damaged"} {
		s, h := probe(t, mediatest.Barcode{Frames: 120, Codec: x264()}.Make(t), spool.Ratio{Num: 25, Den: 1}), newHouse(t)
		s.sequential()
		s.plan.Chunks[0].SourceFrames += missing
		_, err := h.stage.Run(t.Context(), s.job(0), nil)
		if code == "" && err != nil || code != "" && failure(t, err).Code != code {
			t.Errorf("%d frames missing: %v", missing, err)
		}
	}
}

func TestSequentialRunGoesOn(t *testing.T) {
	s, h := probe(t, mediatest.Barcode{Frames: 120, Codec: x264()}.Make(t), spool.Ratio{Num: 25, Den: 1}), newHouse(t)
	s.sequential()
	// The first run is cut off when some segments are written.
	ctx, cancel := context.WithCancelCause(t.Context())
	h.store.fail = func(_ string, n int) error {
		if n == 5 {
			cancel(errors.New("pulled the plug"))
		}
		return nil
	}
	if _, err := h.stage.Run(ctx, s.job(0), nil); err == nil {
		t.Log("the first run was too quick to be cut off")
	}
	h.store.fail = nil
	made := h.encodeAll(t, s)
	for _, r := range s.plan.Rungs {
		got := mediatest.ReadBarcodes(t, h.rendition(t, made, r.Name))
		if !slices.Equal(got, s.want()) {
			t.Errorf("%s shows %v", r.Name, got)
		}
	}
}

func TestStoppedRun(t *testing.T) {
	s, h := small(t), newHouse(t)
	h.stage.Tools.FFmpeg, _ = script(t, "exec sleep 1000")
	cpu := flow.NewSlots(1)
	h.stage.CPU = cpu
	why := errors.New("the worker drains")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
	if _, err := h.stage.Run(ctx, s.job(0), nil); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
	if cpu.InUse() != 0 {
		t.Error("the CPU slot was not given back")
	}
}

func TestProgressComesToItsEnd(t *testing.T) {
	s, h := small(t), newHouse(t)
	var encoded, published spool.Progress
	_, err := h.stage.Run(t.Context(), s.job(0), func(p spool.Progress) {
		if p.Phase == spool.Encoding {
			encoded = p
		} else {
			published = p
		}
	})
	if err != nil || encoded.Total != 24 || encoded.Done < 20 || published.Done != published.Total || published.Total == 0 {
		t.Errorf("%+v, %+v, %v", encoded, published, err)
	}
}

// An encoder that is killed when two segments are complete: the next run
// reads the source from its start and encodes from the third segment on.
func TestKilledInTheMiddle(t *testing.T) {
	s, h := probe(t, mediatest.Barcode{Frames: 400, Codec: x264()}.Make(t), spool.Ratio{Num: 25, Den: 1}), newHouse(t)
	s.sequential()
	job := s.job(0)
	job.Settings.Preset = "slow" // so that it does not end before it is killed
	h.stage.Tools.FFmpeg, _ = script(t, `(while [ ! -e 00001.json ]; do sleep 0.01; done; kill -9 $$) &
`+pass)
	_, err := h.stage.Run(t.Context(), job, nil)
	var exit *process.ExitError
	if e := failure(t, err); e.Code != "encoder-killed" || !errors.As(err, &exit) || exit.Signal != syscall.SIGKILL {
		t.Fatalf("%+v", e)
	}
	arguments := filepath.Join(t.TempDir(), "arguments")
	h.stage.Tools.FFmpeg, _ = script(t, `echo "$@" > `+arguments+"\n"+pass)
	r, err := h.stage.Run(t.Context(), job, nil)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := os.ReadFile(arguments)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(asked), "trim=start_pts=0:end_pts=400") || !strings.Contains(string(asked), ":end_pts=400") {
		t.Errorf("it does not go on behind what was made: %s", asked)
	}
	for _, rung := range s.plan.Rungs {
		if got := mediatest.ReadBarcodes(t, h.rendition(t, *r.Made, rung.Name)); !slices.Equal(got, s.want()) {
			t.Errorf("%s shows %v", rung.Name, got)
		}
	}
}
