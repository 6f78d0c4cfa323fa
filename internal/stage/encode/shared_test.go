package encode_test

import (
	"maps"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/mediatest"
)

// A chunk that has slots to itself is made by several processes, each a row of
// rungs, and is the same to the byte. A slot that somebody else holds is not
// waited for.
func TestRungsAreSharedOut(t *testing.T) {
	t.Parallel()
	s := probe(t, mediatest.Barcode{Frames: 60, Codec: x264()}.Make(t), spool.Ratio{Num: 25, Den: 1})
	s.plan.Rungs = append(s.plan.Rungs, spool.Rung{
		Name: "vx-36p", ShortSide: 36, Width: 64, Height: 36, CRF: 23, MaxRate: 200_000, Action: spool.EncodeRung,
	})
	var want map[string][]byte
	for _, c := range []struct{ slots, spare, runs int }{
		{slots: 1, spare: 0, runs: 1},
		{slots: 3, spare: 0, runs: 1},
		{slots: 1, spare: 2, runs: 1},
		{slots: 2, spare: 2, runs: 2},
		{slots: 8, spare: 7, runs: 3},
	} {
		h := newHouse(t)
		ffmpeg, runs := script(t, pass)
		cpu := flow.NewSlots(c.slots)
		h.stage.CPU, h.stage.Tools.FFmpeg = cpu, ffmpeg
		job := s.job(1)
		job.Spare = c.spare
		var last atomic.Pointer[spool.Progress]
		r, err := h.stage.Run(t.Context(), job, func(p spool.Progress) { last.Store(&p) })
		if err != nil {
			t.Fatal(err)
		}
		if runs() != c.runs || cpu.InUse() != 0 {
			t.Errorf("%+v: %d processes, %d slots are still held", c, runs(), cpu.InUse())
		}
		if len(r.Made.Inits) != 3 || len(r.Made.Segments) != 3 || last.Load().Done != last.Load().Total {
			t.Errorf("%+v: made %+v, progress %+v", c, r.Made, *last.Load())
		}
		if want == nil {
			want = maps.Clone(h.store.objects)
		}
		if !maps.EqualFunc(want, h.store.objects, slices.Equal) {
			t.Errorf("%+v: other objects: %v", c, slices.Sorted(maps.Keys(h.store.objects)))
		}
	}
	s.sequential()
	h := newHouse(t)
	ffmpeg, runs := script(t, pass)
	h.stage.CPU, h.stage.Tools.FFmpeg = flow.NewSlots(3), ffmpeg
	job := s.job(0)
	job.Spare = 2
	if _, err := h.stage.Run(t.Context(), job, nil); err != nil || runs() != 1 {
		t.Errorf("what is read from the start was read by %d processes: %v", runs(), err)
	}
}

// When one of the processes fails, the others end, and the job fails once.
func TestSharedRungsFailTogether(t *testing.T) {
	t.Parallel()
	s, h := small(t), newHouse(t)
	ffmpeg, runs := script(t, `case "$*" in *w=96:*) exec sleep 100;; esac
until [ "$(wc -l < "$(dirname "$0")/runs")" = 2 ]; do :; done
exit 1`)
	cpu := flow.NewSlots(2)
	h.stage.CPU, h.stage.Tools.FFmpeg = cpu, ffmpeg
	job := s.job(0)
	job.Spare = 1
	_, err := h.stage.Run(t.Context(), job, nil)
	if e := failure(t, err); e.Code == "" || runs() != 2 || cpu.InUse() != 0 {
		t.Errorf("%d processes, %d slots held, %+v", runs(), cpu.InUse(), e)
	}
}
