package remote

import (
	"context"
	"errors"
	"testing"

	rclone "github.com/rclone/rclone/fs"
)

// share is a folder whose server does not rename over what is there.
type share struct {
	rclone.Fs
	there   map[string]bool
	removed func() // called when an object was removed
}

func (s *share) NewObject(_ context.Context, name string) (rclone.Object, error) {
	if !s.there[name] {
		return nil, rclone.ErrorObjectNotFound
	}
	return &shared{share: s, name: name}, nil
}

func (s *share) Features() *rclone.Features {
	return &rclone.Features{Move: func(ctx context.Context, src rclone.Object, name string) (rclone.Object, error) {
		if s.there[name] {
			return nil, errors.New("there is something of that name")
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		delete(s.there, src.Remote())
		s.there[name] = true
		return &shared{share: s, name: name}, nil
	}}
}

type shared struct {
	rclone.Object
	share *share
	name  string
}

func (o *shared) Remote() string { return o.name }

func (o *shared) Remove(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	delete(o.share.there, o.name)
	o.share.removed()
	return nil
}

// Who is told to stop when the old object is gone still gives the new one its
// place; who was told before touches nothing.
func TestReplacingIsNotStoppedHalfway(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := &share{there: map[string]bool{"v/a": true, "temporary": true}, removed: cancel}
	if err := replace(ctx, s, &shared{share: s, name: "temporary"}, "v/a"); err != nil || !s.there["v/a"] || s.there["temporary"] {
		t.Errorf("%v; there is %v", err, s.there)
	}
	s.there["temporary"] = true
	if err := replace(ctx, s, &shared{share: s, name: "temporary"}, "v/a"); !errors.Is(err, context.Canceled) || !s.there["v/a"] {
		t.Errorf("%v; there is %v", err, s.there)
	}
}
