package remote

import (
	"context"
	"sync"
)

// turns lets puts of one name follow one another, so that each finds what it
// put itself when it asks the store. The zero value is ready.
type turns struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // by name; closed when its turn ends
}

// take waits for a turn; give ends it.
func (t *turns) take(ctx context.Context, name string) (give func(), err error) {
	for {
		t.mu.Lock()
		other, taken := t.busy[name]
		if !taken {
			mine := make(chan struct{})
			if t.busy == nil {
				t.busy = map[string]chan struct{}{}
			}
			t.busy[name] = mine
			t.mu.Unlock()
			return func() { t.end(name, mine) }, nil
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (t *turns) end(name string, mine chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.busy, name)
	close(mine)
}
