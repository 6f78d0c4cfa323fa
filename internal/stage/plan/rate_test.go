package plan

import (
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"pgregory.net/rapid"
)

// regularly gives n times at a rate, rounded to ticks of a base.
func regularly(rate, base spool.Ratio, n int) []int64 {
	pts := make([]int64, n)
	for i := range pts {
		pts[i] = rate.Invert().RescaleNearest(int64(i), base)
	}
	return pts
}

func TestOutputRate(t *testing.T) {
	milli, ninety := spool.Ratio{Num: 1, Den: 1000}, spool.Ratio{Num: 1, Den: 90000}
	r := func(num, den int64) spool.Ratio { return spool.Ratio{Num: num, Den: den} }
	for _, c := range []struct {
		name           string
		declared, real spool.Ratio
		base           spool.Ratio
		want           spool.Ratio
		constant       bool
	}{
		{"film in milliseconds", r(2997, 125), r(24000, 1001), milli, r(24000, 1001), true},
		{"24", r(24, 1), r(24, 1), ninety, r(24, 1), true},
		{"25", r(25, 1), r(25, 1), milli, r(25, 1), true},
		{"29.97 in milliseconds", r(19001, 634), r(30000, 1001), milli, r(30000, 1001), true},
		{"59.94", r(60000, 1001), r(60000, 1001), ninety, r(60000, 1001), true},
		{"12.5", r(25, 2), r(25, 2), ninety, r(25, 2), true},
		{"10", r(10, 1), r(10, 1), milli, r(10, 1), true},
		{"7", r(7, 1), r(7, 1), ninety, r(7, 1), true},
		{"120 becomes 60", r(120, 1), r(120, 1), ninety, r(60, 1), true},
		{"119.88 becomes 59.94", r(120000, 1001), r(120000, 1001), ninety, r(60000, 1001), true},
		{"100 becomes 50", r(100, 1), r(100, 1), ninety, r(50, 1), true},
		{"90000 becomes 60", r(90000, 1), r(90000, 1), ninety, r(60, 1), true},
		{"one frame in two seconds", r(1, 2), r(1, 2), ninety, r(1, 1), true},
		{"10, declared as an average", r(102400, 10359), r(10, 1), spool.Ratio{Num: 1, Den: 10240}, r(10, 1), true},
		{"an odd rate", r(1_000_000, 77_777), r(1_000_000, 77_777), ninety, r(12857, 1000), true},
		{"declared wrongly", r(90000, 1), r(25, 1), ninety, r(25, 1), true},
		{"not declared", spool.Ratio{}, r(30, 1), ninety, r(30, 1), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, constant := outputRate(c.declared, c.base, regularly(c.real, c.base, 3000))
			if got != c.want || constant != c.constant {
				t.Errorf("got %s, %v", got, constant)
			}
		})
	}
	for _, c := range []struct {
		name string
		pts  []int64
		want spool.Ratio
	}{
		{"a phone", []int64{0, 33, 66, 101, 133, 170, 199, 260, 300, 333}, r(30000, 1001)},
		{"a slide show", []int64{0, 4000, 9000, 9100, 20000}, r(15, 1)},
		{"one frame", []int64{7}, r(25, 1)},
		{"10 with holes", []int64{0, 100, 300, 400, 60_500, 60_600, 60_700}, r(10, 1)},
		{"10, the first one shown longer", []int64{0, 123, 223, 323, 423, 523, 623, 723, 823, 923}, r(10, 1)},
		{"30 with holes, in milliseconds", []int64{0, 33, 67, 100, 167, 20_033, 20_067, 20_100}, r(30, 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := outputRate(spool.Ratio{}, milli, c.pts)
			if got != c.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

// A first frame that is shown for longer, as in fragments whose sound begins
// before the pictures, does not slow the others down.
func TestLongFirstFrame(t *testing.T) {
	pts := []int64{0}
	for i := range int64(49) {
		pts = append(pts, 810+512*i)
	}
	got, constant := outputRate(spool.Ratio{}, spool.Ratio{Num: 1, Den: 12_800}, pts)
	if want := (spool.Ratio{Num: 25, Den: 1}); got != want || constant {
		t.Errorf("got %s, %v", got, constant)
	}
}

// What is declared is believed when every frame lies on it.
func TestTwosAndThreesOf25(t *testing.T) {
	pts := []int64{0, 120, 200, 280, 400, 480, 560, 680, 760, 840, 960, 1040, 1120, 1240, 1320}
	got, constant := outputRate(spool.Ratio{Num: 25, Den: 1}, spool.Ratio{Num: 1, Den: 1000}, pts)
	if want := (spool.Ratio{Num: 25, Den: 1}); got != want || !constant {
		t.Errorf("got %s, %v", got, constant)
	}
}

// The quick arithmetic of indexer is that of the exact one, and shown finds
// the last frame that is due.
func TestFrameChoice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom(usual).Draw(t, "rate")
		base := spool.Ratio{Num: 1, Den: rapid.SampledFrom([]int64{25, 1000, 12800, 15360, 30000, 90000}).Draw(t, "base")}
		origin := rapid.Int64Range(-1<<33, 1<<33).Draw(t, "origin")
		number := indexer(rate, base, origin)
		pts := []int64{origin}
		for _, step := range rapid.SliceOfN(rapid.Int64Range(0, 20*base.Den), 0, 60).Draw(t, "steps") {
			pts = append(pts, pts[len(pts)-1]+step)
		}
		for _, p := range pts {
			if want := base.RescaleNearest(p-origin, rate.Invert()); number(p) != want {
				t.Fatalf("%d is frame %d, not %d", p, number(p), want)
			}
		}
		f, n := frames{pts, number}, rapid.IntRange(0, 10_000).Draw(t, "n")
		i := f.shown(n)
		if number(pts[i]) > int64(n) || i+1 < len(pts) && number(pts[i+1]) <= int64(n) {
			t.Fatalf("frame %d shows source frame %d", n, i)
		}
	})
}

func TestSeek(t *testing.T) {
	x := &ffmpeg.FrameIndex{TimeBase: spool.Ratio{Num: 1, Den: 10}, Keys: []int64{0, 20, 40, 45, 50, 90}}
	for first, want := range map[int64][2]int64{ // careful, exact
		0: {-1, -1}, 19: {-1, -1}, 20: {-1, 20}, 40: {20, 40}, 44: {20, 40}, 49: {20, 45},
		50: {40, 50}, 60: {45, 50}, 89: {45, 50}, 90: {50, 90}, 500: {50, 90},
	} {
		for i, exact := range []bool{false, true} {
			got := seek(x, first, exact)
			if want[i] < 0 && got != nil || want[i] >= 0 && (got == nil || *got != want[i]) {
				t.Errorf("for %d, exact %v: got %v, want %d", first, exact, got, want[i])
			}
		}
	}
}
