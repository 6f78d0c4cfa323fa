package plan

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ladder"
	"github.com/spool-video/spool/internal/tap"
)

// arrivingStage is a stage before which the given bytes of a file have
// arrived.
func arrivingStage(t *testing.T, path string, have func(size int64) spool.Spans) (Stage, *tap.Source) {
	t.Helper()
	desk := &tap.Desk{}
	if err := desk.Server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(desk.Server.Stop)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() }) // it was only read
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	source := desk.Taps.Open(path, file, info.Size())
	source.Arrived(have(info.Size()))
	return Stage{Tools: tools(t), Sources: desk}, source
}

// A source of which a tenth is here, and its moov box, is planned as the whole
// file is, and each part knows its bytes.
func TestArrivingSourceIsPlannedAsTheWhole(t *testing.T) {
	// Large enough for what ffprobe reads ahead to be little of it.
	const large = "-f lavfi -i testsrc2=s=320x180:r=%s:d=%s "
	in := fmt.Sprintf(large, "30000/1001", "40") + fmt.Sprintf(tone, 44100, "40")
	late := fmt.Sprintf(large, "25", "14") + "-itsoffset 0.45 " + fmt.Sprintf(tone, 48000, "13.5")
	for name, args := range map[string]string{
		"head.mp4":   in + quick + aac + "-movflags +faststart",
		"tail.mp4":   in + quick + aac,
		"late.mov":   late + quick + aac,
		"heard.mp4":  fmt.Sprintf(large, "25", "14") + fmt.Sprintf(tone, 48000, "14") + still + aac,
		"silent.mp4": fmt.Sprintf(large, "25", "20") + quick,
	} {
		t.Run(name, func(t *testing.T) {
			path := source(t, name, args)
			want := mustPlan(t, path)
			stage, source := arrivingStage(t, path, func(size int64) spool.Spans {
				return spool.Spans{{From: 0, To: size / 2}, {From: size * 8 / 10, To: size}}
			})
			r, err := stage.Run(t.Context(), spool.Job{Fetched: &spool.Fetched{Path: path, Arriving: true}}, func(spool.Progress) {})
			if err != nil {
				t.Fatal(err)
			}
			from, to := int64(0), int64(0)
			for i := range r.Plan.Chunks {
				c := &r.Plan.Chunks[i]
				if c.Bytes.Len() == 0 || c.Bytes.From < from || c.Bytes.To < to || c.Bytes.To > source.Size() {
					t.Errorf("chunk %d needs %+v after %d-%d", i, c.Bytes, from, to)
				}
				from, to = c.Bytes.From, c.Bytes.To
				c.Bytes = spool.Span{}
			}
			for i := range r.Plan.Pieces {
				p := &r.Plan.Pieces[i]
				if p.Bytes.Len() == 0 || p.Bytes.To > source.Size() {
					t.Errorf("piece %d needs %+v", i, p.Bytes)
				}
				p.Bytes = spool.Span{}
			}
			if diff := cmp.Diff(want, r.Plan); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What was copied wrongly is planned from the index again, without a copy; what
// was wrong besides is planned when it is whole.
func TestArrivingSourceIsPlannedWithLessTrust(t *testing.T) {
	const large = "-f lavfi -i testsrc2=s=320x180:r=25:d=14 "
	path := source(t, "a.mp4", large+"-c:v libx264 -preset ultrafast -g 50 -pix_fmt yuv420p -crf 35 -movflags +faststart ")
	stage, _ := arrivingStage(t, path, func(size int64) spool.Spans { return spool.Spans{{From: 0, To: size}} })
	for careful, want := range []spool.Action{spool.CopyRung, spool.EncodeRung} {
		r, err := stage.Run(t.Context(), spool.Job{Fetched: &spool.Fetched{Path: path, Arriving: true}, Careful: careful}, func(spool.Progress) {})
		if err != nil {
			t.Fatal(err)
		}
		if top := ladder.Made(r.Plan.Rungs)[0]; top.Action != want || r.Plan.Chunks[0].Bytes.Len() == 0 {
			t.Errorf("after %d plans: %+v", careful, top)
		}
	}
	_, err := stage.Run(t.Context(), spool.Job{Fetched: &spool.Fetched{Path: path, Arriving: true}, Careful: 2}, func(spool.Progress) {})
	if spool.AsError(err).Class != spool.NeedsWhole {
		t.Errorf("after two plans: %v", err)
	}
}

func TestSourceThatMustBeWhole(t *testing.T) {
	path := source(t, "a.avi", fmt.Sprintf(pictures, "25", "4")+"-c:v mpeg4 ")
	stage, _ := arrivingStage(t, path, func(size int64) spool.Spans { return spool.Spans{{From: 0, To: size}} })
	_, err := stage.Run(t.Context(), spool.Job{Fetched: &spool.Fetched{Path: path, Arriving: true}}, func(spool.Progress) {})
	var e *spool.Error
	if !errors.As(err, &e) || e.Class != spool.NeedsWhole {
		t.Errorf("got %v", err)
	}
}

// A download that ends for good while a plan waits for its bytes ends the plan.
func TestSourceThatDoesNotArrive(t *testing.T) {
	path := source(t, "a.mp4", fmt.Sprintf(pictures, "25", "4")+quick)
	stage, source := arrivingStage(t, path, func(int64) spool.Spans { return spool.Spans{{From: 0, To: 100}} })
	source.End(tap.ErrGone)
	_, err := stage.Run(t.Context(), spool.Job{Fetched: &spool.Fetched{Path: path, Arriving: true}}, func(spool.Progress) {})
	if !errors.Is(err, tap.ErrGone) {
		t.Errorf("got %v", err)
	}
}

// Pictures and sound that arrive in two files are planned as they are when
// both are here, and each part knows its bytes of its own file.
func TestArrivingApart(t *testing.T) {
	const large = "-f lavfi -i testsrc2=s=320x180:r=25:d=20 "
	path := source(t, "v.mp4", large+quick+"-movflags +faststart")
	sound := source(t, "a.m4a", fmt.Sprintf(tone, 44100, "20")+aac)
	apart := func(j *spool.Job) { j.Fetched.Sound = &spool.Fetched{Path: sound} }
	want := mustPlan(t, path, apart)
	stage, pictures := arrivingStage(t, path, func(size int64) spool.Spans { return spool.Spans{{From: 0, To: size / 2}} })
	file, err := os.Open(sound)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() }) // it was only read
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	heard := stage.Sources.Taps.Open(sound, file, info.Size())
	heard.Arrived(spool.Spans{{From: 0, To: info.Size()}})
	job := spool.Job{Fetched: &spool.Fetched{Path: path, Arriving: true, Sound: &spool.Fetched{Path: sound, Arriving: true}}}
	got := func() *spool.Plan {
		t.Helper()
		r, err := stage.Run(t.Context(), job, func(spool.Progress) {})
		if err != nil {
			t.Fatal(err)
		}
		for i := range r.Plan.Chunks {
			if b := &r.Plan.Chunks[i].Bytes; b.Len() == 0 || b.To > pictures.Size() {
				t.Errorf("chunk %d needs %+v", i, *b)
			}
			r.Plan.Chunks[i].Bytes = spool.Span{}
		}
		for i := range r.Plan.Pieces {
			if b := &r.Plan.Pieces[i].Bytes; b.Len() == 0 || b.To > info.Size() {
				t.Errorf("piece %d needs %+v", i, *b)
			}
			r.Plan.Pieces[i].Bytes = spool.Span{}
		}
		return r.Plan
	}
	if diff := cmp.Diff(want, got()); diff != "" {
		t.Error(diff)
	}
	// The sound is wholly here, and the pictures are not.
	heard.End(nil)
	if diff := cmp.Diff(want, got()); diff != "" {
		t.Error(diff)
	}
}
