package plan

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spool-video/spool"
)

// Streams of 20 s, long enough for a plan to grow.
const (
	moving    = "-f lavfi -i testsrc2=s=96x54:r=%s:d=20 "
	sounded   = "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=%s "
	closedGOP = "-c:v libx264 -preset ultrafast -bf 2 -g 25 -sc_threshold 0 -x264-params open-gop=0 "
	openGOP   = "-c:v libx264 -preset ultrafast -g 25 -sc_threshold 0 -x264-params open-gop=1:bframes=3:b-adapt=0 "
)

func pal(codec string) string {
	return fmt.Sprintf(moving, "25") + fmt.Sprintf(sounded, "20") + codec
}

func ntsc(codec string) string {
	return fmt.Sprintf(moving, "30000/1001") + fmt.Sprintf(sounded, "19") + codec
}

var streams = map[string]string{
	"h264.ts":        pal(closedGOP) + aac,
	"open.ts":        ntsc(openGOP) + aac,
	"hevc.ts":        pal("-c:v libx265 -preset ultrafast -x265-params keyint=25:log-level=error ") + aac,
	"mpeg2.ts":       pal("-c:v mpeg2video -q:v 5 -bf 2 -g 12 ") + "-c:a mp2 ",
	"silent.ts":      fmt.Sprintf(moving, "50") + closedGOP,
	"disc.m2ts":      pal(closedGOP) + aac + "-mpegts_m2ts_mode 1 ",
	"h264.mkv":       ntsc(openGOP) + aac,
	"vp8.webm":       pal("-c:v libvpx -deadline realtime -cpu-used 8 -g 25 ") + "-c:a libopus ",
	"live.mkv":       pal(closedGOP) + aac + "-live 1 ",
	"fragmented.mp4": pal(closedGOP) + aac + "-movflags frag_keyframe+empty_moov ",
	"cmaf.mp4":       ntsc(closedGOP) + aac + "-movflags frag_keyframe+empty_moov+default_base_moof ",
	"indexed.mp4":    pal(closedGOP) + aac + "-movflags frag_keyframe+empty_moov+default_base_moof+global_sidx ",
}

// early is how many percent of those suffice for the first chunk.
const early = 70

// grown is a plan that grew while its source arrived.
type grown struct {
	whole *spool.Plan
	first *spool.Plan // what was told first
	told  int
	err   error
}

// growPlan has a plan made of a source of which only so many percent come
// before something was told, and the rest then.
func growPlan(t *testing.T, path string, percent int64, job spool.Job) grown {
	t.Helper()
	stage, source := arrivingStage(t, path, func(size int64) spool.Spans { return spool.Spans{{From: 0, To: size * percent / 100}} })
	var g grown
	told := make(chan struct{})
	var rest sync.WaitGroup
	rest.Go(func() {
		select {
		case <-told:
		case <-time.After(time.Minute):
			t.Error("nothing was told of what had come")
		}
		source.Arrived(spool.Spans{{From: 0, To: source.Size()}})
		source.End(nil)
	})
	job.Fetched = &spool.Fetched{Path: path, Arriving: true}
	r, err := stage.Run(t.Context(), job, func(p spool.Progress) {
		if p.Result == nil {
			return
		}
		if g.told++; g.first == nil {
			g.first = p.Result.Plan
			close(told)
		}
	})
	if g.first == nil {
		close(told)
	}
	rest.Wait()
	g.whole, g.err = r.Plan, err
	return g
}

// A plan that grows ends as the plan of the whole file, and what it told on
// the way is the beginning of that.
func TestGrowingPlanIsThatOfTheWhole(t *testing.T) {
	for name, args := range streams {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := source(t, name, args)
			want, got := mustPlan(t, path), growPlan(t, path, early, spool.Job{})
			if got.err != nil {
				t.Fatal(got.err)
			}
			if got.first == nil || len(got.first.Chunks) == 0 || !got.first.Open {
				t.Fatalf("what was told first is %+v", got.first)
			}
			grew(t, got.first, got.whole)
			windowed(t, got.whole)
			if got.whole.Open {
				t.Error("it is still open")
			}
			ignore := cmp.Options{
				cmpopts.IgnoreFields(spool.Chunk{}, "Bytes"), cmpopts.IgnoreFields(spool.AudioPiece{}, "Bytes"),
				cmpopts.IgnoreFields(spool.Plan{}, "Facts", "Head", "Pieces", "LeftOut", "Notes"),
				cmpopts.EquateApprox(0, 1e-9), cmpopts.EquateEmpty(),
			}
			if diff := cmp.Diff(want, got.whole, ignore); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// grew makes sure that a plan is the beginning of another.
func grew(t *testing.T, from, to *spool.Plan) {
	t.Helper()
	for i, n := range from.Grid.Frames {
		if to.Grid.Frames[i] != n || from.Sounds != nil && to.Grid.Packets[i] != from.Grid.Packets[i] {
			t.Errorf("segment %d has changed", i)
		}
	}
	if diff := cmp.Diff(from.Chunks, to.Chunks[:len(from.Chunks)]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(from.Pieces, to.Pieces[:len(from.Pieces)], cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(from.Sounds, to.Sounds); diff != "" {
		t.Error(diff)
	}
}

// windowed makes sure that all parts have windows, and all sound is in pieces.
func windowed(t *testing.T, p *spool.Plan) {
	t.Helper()
	for _, c := range p.Chunks {
		if c.Bytes.Len() == 0 || c.Bytes.To > p.Facts.Size {
			t.Errorf("chunk %d needs %+v", c.Number, c.Bytes)
		}
	}
	packets := 0
	for _, piece := range p.Pieces {
		if piece.Bytes.Len() == 0 || piece.Bytes.To > p.Facts.Size || piece.FirstPacket != packets {
			t.Errorf("piece %d needs %+v, and begins with packet %d", piece.Number, piece.Bytes, piece.FirstPacket)
		}
		packets += piece.Packets
	}
	if packets != total(p.Grid.Packets) {
		t.Errorf("%d packets in pieces, %d on the grid", packets, total(p.Grid.Packets))
	}
}

// A plan that was interrupted goes on as it began, also when all of the source
// has come meanwhile; one whose source has become another does not.
func TestInterruptedPlanGoesOn(t *testing.T) {
	path := source(t, "s.ts", streams["h264.ts"])
	one := growPlan(t, path, early, spool.Job{})
	if one.err != nil || one.first == nil {
		t.Fatal(one.err)
	}
	two := growPlan(t, path, 100, spool.Job{Plan: one.first})
	if diff := cmp.Diff(one.whole, two.whole); two.err != nil || diff != "" {
		t.Fatal(two.err, diff)
	}
	later, err := Stage{Tools: tools(t)}.Run(t.Context(), spool.Job{Plan: one.first, Fetched: &spool.Fetched{Path: path}}, func(spool.Progress) {})
	if diff := cmp.Diff(one.whole, later.Plan); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	other := *one.first
	other.Chunks = append([]spool.Chunk{}, other.Chunks...)
	other.Chunks[0].LastPTS++
	if got := growPlan(t, path, 100, spool.Job{Plan: &other}); spool.AsError(got.err).Class != spool.Replan {
		t.Fatalf("another chunk than before: %v", got.err)
	}
}

// What its packets do not tell in time is planned when all of it is here.
func TestStreamsThatNeedTheWhole(t *testing.T) {
	for name, args := range map[string]string{
		"sparse.ts":   "-f lavfi -i testsrc2=s=96x54:r=25:d=32 " + "-c:v libx264 -preset ultrafast -g 5000 -sc_threshold 0 ",
		"sound.ts":    fmt.Sprintf(sounded, "20") + aac,
		"zero.ts":     fmt.Sprintf(moving, "25") + closedGOP + "-bf 0 -muxdelay 0 -muxpreload 0 -output_ts_offset 0 ",
		"untimed.mkv": fmt.Sprintf(sounded, "20") + "-c:a flac ",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := growPlan(t, source(t, name, args), 100, spool.Job{})
			if spool.AsError(got.err).Class != spool.NeedsWhole {
				t.Errorf("%v", got.err)
			}
		})
	}
}

// A source that breaks off is not one that ends.
func TestStreamThatBreaksOff(t *testing.T) {
	path := source(t, "s.ts", streams["h264.ts"])
	broke := errors.New("the connection broke")
	stage, arriving := arrivingStage(t, path, func(size int64) spool.Spans { return spool.Spans{{From: 0, To: size * early / 100}} })
	told := make(chan struct{}, 100)
	var end sync.WaitGroup
	defer end.Wait()
	end.Go(func() {
		select {
		case <-told:
		case <-time.After(time.Minute):
			t.Error("nothing was told of what had come")
		}
		arriving.End(broke)
	})
	_, err := stage.Run(t.Context(), spool.Job{Fetched: &spool.Fetched{Path: path, Arriving: true}}, func(p spool.Progress) {
		if p.Result != nil {
			told <- struct{}{}
		}
	})
	if !errors.Is(err, broke) {
		t.Fatalf("%v, want %v", err, broke)
	}
}
