package flow_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/spool-video/spool/flow"
)

func TestSlotsAreFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := flow.NewSlots(1)
		if err := s.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		order := make(chan int, 5)
		for i := range 5 {
			go func() {
				if err := s.Acquire(t.Context()); err != nil {
					t.Error(err)
				}
				order <- i
			}()
			synctest.Wait() // i is in the line before i+1 comes
		}
		if s.TryAcquire() {
			t.Fatal("TryAcquire went past the line")
		}
		for want := range 5 {
			s.Release()
			if got := <-order; got != want {
				t.Fatalf("%d was let in, it was the turn of %d", got, want)
			}
		}
		if s.InUse() != 1 || s.Free() != 0 {
			t.Fatalf("%d in use and %d free, want 1 and 0", s.InUse(), s.Free())
		}
	})
}

func TestGivingUpLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := flow.NewSlots(0)
		impatient, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- s.Acquire(impatient) }()
		synctest.Wait()
		go func() { second <- s.Acquire(t.Context()) }()
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Fatalf("Acquire = %v, want canceled", err)
		}
		s.Resize(1)
		if err := <-second; err != nil || s.InUse() != 1 {
			t.Fatalf("Acquire = %v with %d in use, want nil and 1", err, s.InUse())
		}
	})
}

func TestResizeTakesNoSlotAway(t *testing.T) {
	s := flow.NewSlots(3)
	for range 3 {
		if !s.TryAcquire() {
			t.Fatal("no slot of three")
		}
	}
	s.Resize(1)
	if s.Size() != 1 || s.InUse() != 3 || s.Free() != 0 {
		t.Fatalf("size %d, in use %d, free %d; want 1, 3, 0", s.Size(), s.InUse(), s.Free())
	}
	s.Release()
	s.Release()
	if s.TryAcquire() {
		t.Fatal("got a second slot of one")
	}
	s.Release()
	if !s.TryAcquire() {
		t.Fatal("the one slot is not free again")
	}
}

func TestReleaseOfNothingPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	flow.NewSlots(1).Release()
}

// Tasks that come, work, give up and resize never hold more slots than there
// are, and leave all of them free.
func TestSlotsNeverTooMany(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.IntRange(1, 4).Draw(rt, "slots")
		tasks := rapid.SliceOfN(rapid.Bool(), 1, 30).Draw(rt, "gives up")
		s := flow.NewSlots(size)
		err := flow.Run(t.Context(), func(g *flow.Group) {
			for _, givesUp := range tasks {
				g.Go(func(ctx context.Context) error { return visit(ctx, s, size, givesUp) })
			}
		})
		if err != nil {
			rt.Fatal(err)
		}
		if s.InUse() != 0 || s.Free() != size {
			rt.Fatalf("at the end %d in use, %d free of %d", s.InUse(), s.Free(), size)
		}
	})
}

func visit(ctx context.Context, s *flow.Slots, size int, givesUp bool) error {
	mine, cancel := context.WithCancel(ctx)
	defer cancel()
	if givesUp {
		go cancel() // some time: before, while or after it waits
	}
	if s.Acquire(mine) != nil {
		return nil
	}
	defer s.Release()
	if n := s.InUse(); n > size {
		return errors.New("more slots in use than there are")
	}
	return nil
}
