package download

import (
	"testing"
	"time"
)

// A download that waits for a few bytes of its own, wanted out of their turn,
// or of another's, keeps its connection.
func TestWhoIsBehind(t *testing.T) {
	now := time.Now()
	l := newLane(2)
	first, second := &turn{order: 1}, &turn{order: 2}
	l.enter(first, now)
	l.enter(second, now)
	if l.behind(first, now) || !l.behind(second, now) {
		t.Error("the second is not behind the first")
	}
	aside := second.before()
	l.enter(aside, now)
	if held, _ := l.mayGo(first, now); held == nil || l.behind(first, now) {
		t.Error("the first does not wait, or is behind, while bytes are wanted out of their turn")
	}
	l.leave(aside, now)
	l.leave(first, now)
	if l.behind(second, now) {
		t.Error("the second is behind when it is alone")
	}
}

// What was learned of a host is questioned after a while.
func TestVerdictIsQuestioned(t *testing.T) {
	now := time.Now()
	l := newLane(2)
	older, younger := &turn{order: 1}, &turn{order: 2}
	l.enter(younger, now)
	l.enter(older, now)
	window := func(bytes ...int) (bothGo bool) {
		now = l.since
		for i, n := range bytes {
			l.came([]*turn{older, younger}[i], n, now)
			now = l.since
			l.came([]*turn{older, younger}[i], n, now)
		}
		now = l.since.Add(measureTime)
		if held, _ := l.mayGo(older, now); held != nil {
			t.Fatal("the older one is held")
		}
		held, again := l.mayGo(younger, now)
		if held != nil && again != settleTime+measureTime {
			t.Fatalf("a window takes %v", again)
		}
		return held == nil
	}
	for begin := now; now.Sub(begin) < headStart-settleTime-measureTime; {
		if window(3 * rate) {
			t.Fatalf("the younger one is tried after %v", now.Sub(begin))
		}
	}
	if !window(3 * rate) {
		t.Fatal("the younger one is not tried")
	}
	if window(rate, 2*rate) {
		t.Fatal("it goes on though it does not help")
	}
	for begin := now; now.Sub(begin) < verdictLasts; {
		if window(3 * rate) {
			t.Fatalf("it is tried again after %v", now.Sub(begin))
		}
	}
	window(3 * rate) // the last one of the old verdict
	if !window(3 * rate) {
		t.Fatal("it is not tried again")
	}
	if !window(3*rate, 3*rate) {
		t.Fatal("it is held though it helps")
	}
	for begin := now; now.Sub(begin) < verdictLasts; {
		if !window(3*rate, 3*rate) {
			t.Fatalf("it is held after %v", now.Sub(begin))
		}
	}
	if window(3*rate, 3*rate) {
		t.Fatal("it is not seen how it is without the younger one")
	}
	if !window(3*rate) || window(rate, 2*rate) {
		t.Fatal("the new trial did not hold the younger one")
	}
}
