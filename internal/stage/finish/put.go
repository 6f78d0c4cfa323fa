package finish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/verify"
)

// putters is how many documents are put at a time, as far as there are upload
// slots: a bucket answers late, not slowly.
const putters = 16

// slots are rights to upload.
type slots interface {
	Acquire(ctx context.Context) error
	Release()
}

// meter says how many bytes were put, once it is known of how many.
type meter struct {
	progress func(spool.Progress)

	mu          sync.Mutex // guards what follows
	done, total int64
}

func (m *meter) count(put int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += put
	if m.total > 0 {
		m.progress(spool.Progress{Phase: spool.Publishing, Done: m.done, Total: m.total})
	}
}

func (m *meter) expect(total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total = total
}

func size(documents []document) int64 {
	var sum int64
	for _, d := range documents {
		sum += d.Size
	}
	return sum
}

// putAll puts documents of which none names another, in any order.
func (s Stage) putAll(ctx context.Context, video string, documents []document, cache string, m *meter) error {
	return flow.Run(ctx, func(g *flow.Group) {
		queue := flow.NewQueue[document](putters)
		flow.Produce(g, 1, queue, func(_ context.Context, put func(document) error) error {
			for _, d := range documents {
				if err := put(d); err != nil {
					return err
				}
			}
			return nil
		})
		flow.Consume(g, min(putters, len(documents)), queue, func(ctx context.Context, d document) error {
			if err := s.hold(ctx, func() error { return s.put(ctx, video, d, cache) }); err != nil {
				return err
			}
			m.count(d.Size)
			return nil
		})
	})
}

// hold does something with an upload slot.
func (s Stage) hold(ctx context.Context, do func() error) error {
	if s.Uploads == nil {
		return do()
	}
	if err := s.Uploads.Acquire(ctx); err != nil {
		return fmt.Errorf("wait for an upload slot: %w", err)
	}
	defer s.Uploads.Release()
	return do()
}

// put writes a document and makes sure that the store has its bytes.
func (s Stage) put(ctx context.Context, video string, d document, cache string) error {
	name := video + "/" + d.Name
	err := s.Store.Put(ctx, name, bytes.NewReader(d.content), store.PutOptions{ContentType: d.Type, CacheControl: cache})
	if err != nil {
		return fmt.Errorf("publish %s: %w", name, err)
	}
	if s.Store.Properties().Checksum {
		return nil
	}
	back, err := read(ctx, s.Store, name, d.Size)
	if err != nil {
		return fmt.Errorf("read back %s: %w", name, err)
	}
	if !bytes.Equal(back, d.content) {
		return &spool.Error{
			Class: spool.Transient, Code: "store-changed-bytes",
			Reason: "the destination gave back other bytes than were put into " + name,
			Hint:   "look at the destination's disk or bucket",
		}
	}
	return nil
}

// read reads an object, and one byte more than most when it is longer.
func read(ctx context.Context, s store.Store, name string, most int64) ([]byte, error) {
	r, err := s.Open(ctx, name, 0, -1)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller names the object
	}
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	return b, errors.Join(err, r.Close())
}

// ErrForeign: the folder of a video's name holds something that Spool did not
// publish.
var ErrForeign = errors.New("not published by Spool")

func foreign(video string) error {
	return &spool.Error{
		Class: spool.Permanent, Code: "foreign-folder", Err: ErrForeign,
		Reason: "the destination has a folder " + video + " with a playlist that Spool did not publish; it is left alone",
		Hint:   "give this video another name with id=, or move that folder away",
	}
}

// maxCard is the size in bytes from which a video.json is not one.
const maxCard = 4 << 20

// Look gives a published video's card. The error wraps store.ErrNotFound when
// nothing is published under the name, and ErrForeign when what is there is
// not Spool's.
func Look(ctx context.Context, s store.Store, video string) (Card, error) {
	text, none, master := ask(ctx, s, video)
	if none != nil && !errors.Is(none, store.ErrNotFound) {
		return Card{}, fmt.Errorf("look at %s: %w", video, none)
	}
	var card Card
	if none == nil {
		if json.Unmarshal(text, &card) == nil && card.Version > 0 && card.ID == video && card.Revision != "" {
			return card, nil
		}
		return Card{}, foreign(video)
	}
	if master != nil {
		return Card{}, fmt.Errorf("look at %s: %w", video, master)
	}
	// A master whose card was lost is still ours when a manifest stands behind
	// it.
	manifest, _, err := verify.Present(ctx, s, video)
	if err != nil {
		return Card{}, fmt.Errorf("look at %s: %w", video, err)
	}
	if manifest.Video != video {
		return Card{}, foreign(video)
	}
	return Card{Version: CardVersion, ID: video, Revision: manifest.Revision, Seconds: manifest.Seconds}, nil
}

// ask reads a card and asks for the master at the same time: mostly neither is
// there. none says why there is no card, master why there is no master.
func ask(ctx context.Context, s store.Store, video string) (card []byte, none, master error) {
	_ = flow.Run(ctx, func(g *flow.Group) { // neither ends the other
		g.Go(func(ctx context.Context) error {
			card, none = read(ctx, s, video+"/"+verify.CardName, maxCard)
			return nil
		})
		g.Go(func(ctx context.Context) error {
			_, master = s.Stat(ctx, video+"/"+verify.MasterName)
			return nil
		})
	})
	return card, none, master
}
