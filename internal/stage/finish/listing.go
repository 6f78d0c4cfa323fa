package finish

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/spool-video/spool/internal/store"
)

// listing is a store as one List has found it: what it names is there, and it
// is asked for nothing else. Who looks for many things that are mostly not
// there asks once.
type listing struct {
	store.Store
	found []store.Info
	err   error // why that is not all
}

// listed lists all objects below a prefix, outside of which the listing is
// empty.
func listed(ctx context.Context, s store.Store, prefix string) listing {
	l := listing{Store: s}
	for info, err := range s.List(ctx, prefix) {
		if err != nil {
			l.err = fmt.Errorf("list %s: %w", prefix, err)
			break
		}
		l.found = append(l.found, info)
	}
	return l
}

// List yields what was found, and what went wrong.
func (l listing) List(_ context.Context, prefix string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if l.err != nil {
			yield(store.Info{}, l.err)
			return
		}
		for _, info := range l.found {
			if strings.HasPrefix(info.Name, prefix) && !yield(info, nil) {
				return
			}
		}
	}
}

// Open reads an object that was found.
func (l listing) Open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	for _, info := range l.found {
		if info.Name == name {
			return l.Store.Open(ctx, name, offset, length) //nolint:wrapcheck // it is the store's
		}
	}
	return nil, fmt.Errorf("open %s: %w", name, store.ErrNotFound)
}
