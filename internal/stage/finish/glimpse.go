package finish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/storyboard"
	"github.com/spool-video/spool/internal/wrap"
)

const (
	// glimpsers is how many segments are read at a time.
	glimpsers = 24
	// headSize is what is read of a segment at first, in bytes: mostly its first
	// picture lies within.
	headSize = 96 << 10
)

// glimpse is a key frame.
type glimpse struct {
	at    time.Duration // when it is shown
	coded []byte
}

// look reads the key frames of segments that a storyboard shows.
func (b *board) look(ctx context.Context, numbers []int) ([]glimpse, error) {
	found := make([][]glimpse, len(numbers))
	var next atomic.Int64
	err := flow.Run(ctx, func(g *flow.Group) {
		for range min(glimpsers, len(numbers)) {
			g.Go(func(ctx context.Context) (err error) {
				for i := next.Add(1) - 1; i < int64(len(numbers)) && err == nil; i = next.Add(1) - 1 {
					found[i], err = b.glimpses(ctx, numbers[i])
				}
				return err
			})
		}
	})
	var all []glimpse
	for _, some := range found {
		all = append(all, some...)
	}
	return all, err
}

// glimpses gives the key frames of a segment: of a short video all, of others
// the first.
func (b *board) glimpses(ctx context.Context, number int) ([]glimpse, error) {
	if storyboard.Dense(b.length) {
		content, err := b.clear(ctx, number, -1)
		if err != nil {
			return nil, err
		}
		keys, err := b.track.Keys(content)
		if err != nil {
			return nil, fmt.Errorf("look at segment %d of %s: %w", number, b.rung.Name, err)
		}
		return b.glimpsed(number, keys...), nil
	}
	content, err := b.clear(ctx, number, headSize)
	if err != nil {
		return nil, err
	}
	key, err := b.track.First(content)
	if err != nil && len(content) >= headSize {
		if content, err = b.clear(ctx, number, -1); err != nil {
			return nil, err
		}
		if keys, unfit := b.track.Keys(content); unfit == nil {
			key, err = keys[0], nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look at segment %d of %s: %w", number, b.rung.Name, err)
	}
	return b.glimpsed(number, key), nil
}

// glimpsed are key frames of a segment.
func (b *board) glimpsed(number int, keys ...wrap.Key) []glimpse {
	base := spool.Ratio{Num: 1, Den: int64(b.track.Timescale)}
	var all []glimpse
	for _, k := range keys {
		all = append(all, glimpse{at: b.starts[number] + base.Duration(k.After), coded: k.Data})
	}
	return all
}

// clear reads the start of a segment, at least most bytes of it; all of it when
// most is negative.
func (b *board) clear(ctx context.Context, number int, most int64) ([]byte, error) {
	name := b.rung.Segments[number].Name
	r, err := b.stage.Store.Open(ctx, b.job.Video+"/"+name, 0, most)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	content, err := io.ReadAll(io.LimitReader(r, maxSegment))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	key := b.job.Keys.Of(number)
	if key == nil {
		return content, nil
	}
	decrypt := keys.DecryptStart
	if most < 0 {
		decrypt = keys.Decrypt
	}
	content, err = decrypt(key.Bytes, keys.IV(key.Bytes, b.rung.Name, number), content)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return content, nil
}
