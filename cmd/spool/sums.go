package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// sums notes the checksums of sources while they are worked on, so that one
// whose time alone has changed is known again later: files here are read, a
// store is asked for the sum that it has. One file is read at a time.
type sums struct {
	house  *house
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu    sync.Mutex
	wake  *sync.Cond
	queue []string // IDs of videos; guarded by mu
	over  bool     // guarded by mu
}

// startSums begins to note sums, until stop.
func startSums(h *house) *sums {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sums{house: h, cancel: cancel}
	s.wake = sync.NewCond(&s.mu)
	s.ended.Go(func() {
		for {
			id, more := s.next()
			if !more {
				return
			}
			if err := s.note(ctx, id); err != nil && ctx.Err() == nil {
				h.log.Warn("checksum.not-noted", "video", id, "error", err)
			}
		}
	})
	return s
}

// stop ends it. What was not noted is not known again when it is touched.
func (s *sums) stop() {
	if s == nil {
		return
	}
	s.cancel()
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.wake.Broadcast()
	s.ended.Wait()
}

// reported begins with a source that was found.
func (s *sums) reported(r spool.Report) {
	if s == nil || r.Kind != spool.Fetch || r.Outcome != spool.Done {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, r.Video)
	s.wake.Broadcast()
}

func (s *sums) next() (id string, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.over {
		s.wake.Wait()
	}
	if s.over {
		return "", false
	}
	id, s.queue = s.queue[0], s.queue[1:]
	return id, true
}

// note notes the sum of one video's source, if that is still what it was.
func (s *sums) note(ctx context.Context, id string) error {
	rec, err := s.house.ledger.Get(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	stamp := rec.Video.Stamp
	if stamp.Sum != "" {
		return nil
	}
	sum, err := s.house.sum(ctx, rec.Video.Source, stamp)
	if sum == "" || err != nil {
		return err
	}
	return s.house.ledger.Update(ctx, id, func(rec *ledger.Record) error {
		if rec.Video.Stamp == stamp {
			rec.Video.Stamp.Sum = sum
		}
		return nil
	})
}

// sum is the checksum of a source that has a stamp; "" when there is none, or
// when the source has another stamp by now.
func (h *house) sum(ctx context.Context, source string, stamp spool.SourceStamp) (string, error) {
	if spool.IsRemotePath(source) && !filepath.IsAbs(source) {
		at, err := spool.ParseRemotePath(source)
		if err != nil {
			return "", err
		}
		return h.stores.Sum(ctx, at, spool.SourceStamp{Size: stamp.Size, Tag: stamp.Tag})
	}
	if stamp.Modified == 0 || !filepath.IsAbs(source) {
		return "", nil
	}
	return sumFile(ctx, source, stamp)
}

// sumFile reads a file that has a stamp, before and after.
func sumFile(ctx context.Context, name string, stamp spool.SourceStamp) (sum string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("sum up %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	buffer := make([]byte, 1<<20)
	for {
		n, err := f.Read(buffer)
		h.Write(buffer[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return "", fmt.Errorf("sum up %s: %w", name, err)
		}
	}
	info, err := os.Stat(name)
	if err != nil || info.Size() != stamp.Size || info.ModTime().UnixNano() != stamp.Modified {
		return "", nil // it changed meanwhile, and so will its stamp
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// touched reports whether a source that looks otherwise holds the same bytes as
// it did. It is read only when its size is the same and its sum is known; the
// stamp that it has now is then noted.
func (h *house) touched(ctx context.Context, v spool.Video, now *spool.SourceStamp) bool {
	before := v.Stamp
	if before.Sum == "" || before.Size != now.Size || !differs(before, *now) {
		return false
	}
	sum, err := h.sum(ctx, v.Source, *now)
	if err != nil || sum != before.Sum {
		return false
	}
	now.Sum = sum
	err = h.ledger.Update(ctx, v.ID, func(rec *ledger.Record) error {
		if rec.Video.Stamp == before {
			rec.Video.Stamp = *now
		}
		return nil
	})
	return err == nil
}
