package progress

import (
	"strconv"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

func TestWords(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9950: "10 kB", 12_345_678: "12 MB", 999_499: "999 kB", 999_600: "1.0 MB",
		1_400_000_000: "1.4 GB", -5: "-5 B", 9_223_372_036_854_775_807: "9.2 EB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) is %s, want %s", n, got, want)
		}
	}
	for text, want := range map[string]string{
		"0s": "0 s", "350ms": "0.3 s", "1s": "1 s", "9.94s": "9.9 s", "9.96s": "10 s", "59.4s": "59 s", "59.6s": "1 m", "72s": "1 m 12 s",
		"3599.4s": "59 m 59 s", "3599.6s": "1 h", "3h5m10s": "3 h 5 m", "23h59m40s": "1 d", "52h10m": "2 d 4 h", "-72s": "-1 m 12 s",
	} {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := Duration(d); got != want {
			t.Errorf("Duration(%s) is %s, want %s", text, got, want)
		}
	}
}

func TestMeterForgets(t *testing.T) {
	m := meter{window: 10 * time.Second}
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	if _, known := m.rate(at(0), 0); known {
		t.Error("a rate of nothing")
	}
	for s := range 60 { // 100 a second for half a minute, then 1 a second
		value := float64(100 * s)
		if s > 30 {
			value = 3000 + float64(s-30)
		}
		m.add(at(s), value)
	}
	if rate, known := m.rate(at(59), time.Second); !known || rate < 0.9 || rate > 1.1 {
		t.Errorf("rate %v %v, want the 1/s of the last ten seconds", rate, known)
	}
	if len(m.samples) > 12 {
		t.Errorf("%d samples are kept", len(m.samples))
	}
	// Silence: the rate falls, it does not stand.
	if rate, known := m.rate(at(100), time.Second); !known || rate != 0 {
		t.Errorf("rate %v %v after 41 silent seconds", rate, known)
	}
	m.add(at(101), 5) // begun again
	if _, known := m.rate(at(101), time.Second); known {
		t.Error("a rate right after a new start")
	}
}

// run drives a board with two videos of a minute each; encode speed is
// output seconds a second.
func run(speeds []float64, second bool) (*board, time.Time) {
	b := newBoard()
	b.take(Event{Type: Accepted, Video: "a", Time: start})
	b.take(Event{Type: Accepted, Video: "b", Time: start})
	b.take(Event{Type: Counted, Time: start})
	now, done := start, 0.0
	for _, speed := range speeds {
		now = now.Add(time.Second)
		done += speed
		s := &Snapshot{Phases: []spool.Phase{spool.Encoding}, Encode: Count{int64(done * 1000), 60_000}, Length: time.Minute}
		b.take(Event{Type: Moved, Video: "a", Time: now, Snapshot: s})
		if second {
			b.take(Event{Type: Moved, Video: "b", Time: now, Snapshot: &Snapshot{Length: time.Minute, Encode: Count{0, 60_000}}})
		}
	}
	return b, now
}

func steady(speed float64, n int) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = speed
	}
	return list
}

func TestTimeLeft(t *testing.T) {
	b, now := run(steady(1, 3), true)
	if _, known := b.left(now); known {
		t.Error("an estimate after two seconds of work")
	}
	b, now = run(steady(2, 15), true) // half of a is done at 2×: 15 s and 30 s are left
	e, known := b.left(now)
	if !known || e.sign != "" || e.left < 40*time.Second || e.left > 50*time.Second {
		t.Errorf("left %+v, known %v; want about 45 s", e, known)
	}
	// It got slow a minute ago: what was before does not count.
	b, now = run(append(steady(0.5, 10), steady(0.1, 70)...), true)
	e, known = b.left(now)
	if want := (60 - 12 + 60) * 10 * time.Second; !known || e.left < want*8/10 || e.left > want*12/10 {
		t.Errorf("left %v, want about %v", e.left, want)
	}
	// It stands still: there is no honest estimate.
	if _, known := b.left(now.Add(10 * time.Minute)); known {
		t.Error("an estimate though nothing has moved for ten minutes")
	}
}

// A length that is not known yet is the average of the known ones, and said to
// be so; while most are not known, nothing is said.
func TestTimeLeftOfUnknownLengths(t *testing.T) {
	b, now := run(steady(2, 15), false) // nothing is known of b
	e, known := b.left(now)
	if !known || e.sign != "≈ " || e.left < 40*time.Second || e.left > time.Minute {
		t.Errorf("left %+v, known %v; want about 50 s", e, known)
	}
	for _, id := range []string{"c", "d", "e"} {
		b.take(Event{Type: Accepted, Video: id, Time: start})
	}
	if e, known := b.left(now); known {
		t.Errorf("%+v is told of five videos of which one is known", e)
	}
	b, now = run(steady(2, 15), true)
	b.take(Event{Type: Paused, Video: "b", Time: now})
	if e, known := b.left(now); !known || e.left > time.Minute {
		t.Errorf("left %+v, known %v with a video that is paused", e, known)
	}
	b.known = false
	if e, known := b.left(now); known {
		t.Errorf("%+v is told while more videos may come", e)
	}
}

func TestResumedWorkIsNoSpeed(t *testing.T) {
	b := newBoard()
	b.take(Event{Type: Known, Video: "a", Status: spool.Working, Time: start})
	b.take(Event{Type: Counted, Time: start})
	for s := range 20 { // 90 % were done before; then 1 % in twenty seconds
		n := 54_000 + int64(s)*30
		b.take(Event{Type: Moved, Video: "a", Time: start.Add(time.Duration(s) * time.Second), Snapshot: &Snapshot{
			Phases: []spool.Phase{spool.Encoding}, Encode: Count{n, 60_000}, Length: time.Minute,
		}})
	}
	e, known := b.left(start.Add(19 * time.Second))
	if !known || e.left < 2*time.Minute || e.left > 6*time.Minute {
		t.Errorf("left %v %v, want some minutes", e.left, known)
	}
}

func TestFlickerIsNoWork(t *testing.T) {
	b := newBoard()
	b.take(Event{Type: Accepted, Video: "a", Time: start})
	b.take(Event{Type: Counted, Time: start})
	now := start
	for i := range 40 { // half a frame a step; every other look misses a finished chunk
		now = now.Add(500 * time.Millisecond)
		n := int64(1000 + 10*i)
		if i%2 == 1 {
			n -= 250
		}
		b.take(Event{Type: Moved, Video: "a", Time: now, Snapshot: &Snapshot{
			Phases: []spool.Phase{spool.Encoding}, Encode: Count{n, 1500}, Length: time.Minute,
		}})
	}
	// 400 of 1500 frames in 20 s: the speed is 0.8 at most.
	if rate, known := b.rate.rate(now, totalLeast); !known || rate < 0.4 || rate > 0.85 {
		t.Errorf("rate %v %v", rate, known)
	}
}

func TestSaved(t *testing.T) {
	for _, c := range []struct {
		took, busy time.Duration
		want       float64
		known      bool
	}{
		{40 * time.Second, 70 * time.Second, 0.4286, true},
		{70 * time.Second, 40 * time.Second, 0, true},
		{40 * time.Second, 0, 0, false},
		{0, 40 * time.Second, 0, false},
	} {
		s := Summary{Took: c.took, Busy: c.busy}
		if got, known := s.Saved(); known != c.known || got < c.want-0.001 || got > c.want+0.001 {
			t.Errorf("%v of %v: saved %v %v, want %v %v", c.took, c.busy, got, known, c.want, c.known)
		}
	}
}

// BenchmarkManyVideos is one frame of a run of 100,000 videos, three of which
// are being worked on.
func BenchmarkManyVideos(b *testing.B) {
	board := newBoard()
	for i := range 100_000 {
		board.take(Event{Type: Accepted, Video: strconv.Itoa(i), Time: start})
	}
	board.take(Event{Type: Counted, Time: start})
	view := &terminal{board: board, size: func() (int, int) { return 80, 24 }}
	now := start
	for b.Loop() {
		now = now.Add(100 * time.Millisecond)
		for i := range 3 {
			board.take(Event{Type: Moved, Video: strconv.Itoa(i), Time: now, Snapshot: &Snapshot{
				Phases: []spool.Phase{spool.Encoding}, Encode: Count{now.Sub(start).Milliseconds(), 60_000_000}, Length: time.Hour, Chunks: 200,
			}})
		}
		view.lines(now)
	}
}
