package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
)

// senders is how many segments of one part are on their way at once, as far
// as there are upload slots.
const senders = 4

// Make makes a part: it calls done for each segment as soon as its file is
// written, and returns what it made when all proofs have passed. Nothing that
// went through done counts before that.
type Make func(ctx context.Context, done func(Plain) error) (Record, error)

// Run makes a part and publishes its segments while the next ones are being
// made. capacity is how many segments the part has.
//
// An upload that fails does not stop make: what is made stays in scratch, and
// when Run is called for the part again only the upload is done again. A part
// that was published is not made again as long as the store has it.
func (t Target) Run(ctx context.Context, part *Part, capacity int, progress func(spool.Progress), make Make) (spool.Made, error) {
	t.Careful = t.Careful || part.resumed
	if made, ok := part.Made(); ok {
		there, err := t.Has(ctx, made)
		if err != nil || there {
			return made, err
		}
		if err := part.Clear(); err != nil {
			return spool.Made{}, err
		}
	}
	// The queue holds names, the bytes lie in scratch: it is as long as the
	// part, so that an encoder never waits for an upload.
	s := &sending{target: t, part: part, progress: progress}
	queue := flow.NewQueue[Plain](capacity)
	var record Record
	err := flow.Run(ctx, func(g *flow.Group) {
		flow.Consume(g, senders, queue, s.send)
		g.Go(func(ctx context.Context) (err error) {
			defer queue.Close()
			record, err = t.make(ctx, part, make, func(p Plain) error { return queue.Put(ctx, p) })
			s.made(record)
			return err
		})
	})
	if err != nil {
		return spool.Made{}, err
	}
	return s.finish(ctx, record)
}

func (t Target) make(ctx context.Context, part *Part, make Make, done func(Plain) error) (Record, error) {
	if record, ok := part.Record(); ok {
		for _, p := range record.Segments {
			if err := done(p); err != nil {
				return record, fmt.Errorf("queue segment: %w", err)
			}
		}
		return record, nil
	}
	record, err := make(ctx, done)
	if err != nil {
		return Record{}, err
	}
	return record, part.Complete(record)
}

// sending is the state of one Run's uploads.
type sending struct {
	target   Target
	part     *Part
	progress func(spool.Progress)

	mu       sync.Mutex // guards what follows
	segments []spool.Segment
	err      error // the first upload that failed
	total    int64 // bytes; 0 until all is made
	sent     int64
}

// send publishes one segment. It returns no error for a failed upload: the
// encode that is going on must not be lost for it.
func (s *sending) send(ctx context.Context, p Plain) error {
	s.mu.Lock()
	failed := s.err != nil
	s.mu.Unlock()
	if failed {
		return nil
	}
	segment, err := s.segment(ctx, p)
	if err == nil && s.progress != nil {
		s.progress(spool.Progress{Result: &spool.Result{Made: &spool.Made{Segments: []spool.Segment{segment}}}})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.err = cmp.Or(s.err, err)
		return nil
	}
	s.segments = append(s.segments, segment)
	s.sent += p.Size
	s.report()
	return nil
}

func (s *sending) segment(ctx context.Context, p Plain) (spool.Segment, error) {
	data, err := s.part.Read(p)
	if err != nil {
		return spool.Segment{}, err
	}
	return s.target.Segment(ctx, p, data)
}

func (s *sending) made(r Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range r.Segments {
		s.total += p.Size
	}
	s.report()
}

// report says how far publishing is, once nothing else is being done. The
// caller holds the lock.
func (s *sending) report() {
	if s.total > 0 && s.progress != nil {
		s.progress(spool.Progress{Phase: spool.Publishing, Done: s.sent, Total: s.total})
	}
}

var errUnsent = errors.New("segments that were made and segments that were published differ")

func (s *sending) finish(ctx context.Context, r Record) (spool.Made, error) {
	if s.err != nil {
		return spool.Made{}, s.err
	}
	made := spool.Made{Segments: s.segments, Notes: r.Notes, Inits: make([]spool.InitSection, len(r.Inits))}
	err := flow.Run(ctx, func(g *flow.Group) {
		for n, i := range r.Inits {
			g.Go(func(ctx context.Context) (err error) {
				made.Inits[n], err = s.target.Init(ctx, i)
				return err
			})
		}
	})
	if err != nil {
		return spool.Made{}, err //nolint:wrapcheck // it says what it is
	}
	slices.SortFunc(made.Segments, func(a, b spool.Segment) int {
		return cmp.Or(cmp.Compare(a.Rendition, b.Rendition), cmp.Compare(a.Number, b.Number))
	})
	if err := agree(r, made); err != nil {
		return spool.Made{}, err
	}
	return made, s.part.Published(made)
}

// agree holds what was published against the record that passed the proofs.
func agree(r Record, m spool.Made) error {
	plain := map[string]string{}
	for _, p := range r.Segments {
		plain[p.file()] = p.SHA256
	}
	if len(plain) != len(m.Segments) {
		return fmt.Errorf("%w: %d and %d", errUnsent, len(plain), len(m.Segments))
	}
	for _, s := range m.Segments {
		if plain[(Plain{Rendition: s.Rendition, Number: s.Number}).file()] != s.Plain {
			return fmt.Errorf("%w: number %d of %s", errUnsent, s.Number, s.Rendition)
		}
	}
	return nil
}
