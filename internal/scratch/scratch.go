// Package scratch is a worker's own disk: where sources lie while they are
// encoded and segments until they are published.
package scratch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/disk"
)

// Scratch is a folder with one folder a video, holding its source and one
// folder a revision. It is safe for concurrent use.
type Scratch struct {
	dir   string
	fixed int64   // bytes; 0: share counts
	share float64 // of the disk

	mu       sync.Mutex // owns what follows, as it was when last measured
	used     int64      // bytes
	limit    int64      // bytes
	measured time.Time
}

// measureEvery bounds how often the folder is walked, and the disk is asked.
const measureEvery = 2 * time.Second

// Open makes the folder. limit is in bytes; 0 means share of what the disk has
// free and what scratch holds already.
func Open(dir string, limit int64, share float64) (*Scratch, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "scratch-not-writable", Err: err,
			Reason: "the scratch folder " + dir + " cannot be made",
			Hint:   "choose another with --work DIR",
		}
	}
	if _, err := disk.Free(dir); err != nil {
		return nil, err
	}
	return &Scratch{dir: dir, fixed: limit, share: share}, nil
}

// Dir is the folder.
func (s *Scratch) Dir() string { return s.dir }

// Limit is how many bytes scratch may hold. A share grows and shrinks with
// what others leave free.
func (s *Scratch) Limit() int64 {
	_, limit := s.measure()
	return limit
}

// Source is the folder of a video's source, the same for all its revisions.
func (s *Scratch) Source(key spool.JobKey) string { return filepath.Join(s.dir, key.Video, "source") }

// Revision is the folder of what is made of one revision.
func (s *Scratch) Revision(key spool.JobKey) string {
	return filepath.Join(s.dir, key.Video, key.Revision)
}

// Remove frees what a video holds.
func (s *Scratch) Remove(video string) error {
	if !spool.ValidID(video) {
		return fmt.Errorf("remove scratch of %q: not an ID", video)
	}
	if err := os.RemoveAll(filepath.Join(s.dir, video)); err != nil {
		return fmt.Errorf("remove scratch of %s: %w", video, err)
	}
	return nil
}

// Sweep removes what no video that is kept holds: the leavings of a crash.
// For a kept video it gives the one revision that may stay.
func (s *Scratch) Sweep(kept map[string]string) error {
	folders, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("sweep scratch: %w", err)
	}
	var errs []error
	for _, f := range folders {
		revision, keep := kept[f.Name()]
		if !keep {
			errs = append(errs, os.RemoveAll(filepath.Join(s.dir, f.Name())))
			continue
		}
		errs = append(errs, sweepVideo(filepath.Join(s.dir, f.Name()), revision))
	}
	return errors.Join(errs...)
}

func sweepVideo(dir, revision string) error {
	folders, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("sweep scratch: %w", err)
	}
	var errs []error
	for _, f := range folders {
		if f.Name() != "source" && f.Name() != revision {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, f.Name())))
		}
	}
	return errors.Join(errs...)
}

// Used is how many bytes scratch holds, at most two seconds old.
func (s *Scratch) Used() int64 {
	used, _ := s.measure()
	return used
}

// Full reports whether scratch holds as much as it may: nothing more should
// be fetched until something is published.
func (s *Scratch) Full() bool {
	used, limit := s.measure()
	return used >= limit
}

func (s *Scratch) measure() (used, limit int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.measured) < measureEvery {
		return s.used, s.limit
	}
	s.used = 0
	_ = filepath.WalkDir(s.dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // what vanishes while we look holds nothing
		}
		if info, err := d.Info(); err == nil {
			s.used += occupied(info)
		}
		return nil
	})
	if s.limit = s.fixed; s.fixed == 0 {
		free, _ := disk.Free(s.dir) // 0 when the disk cannot be asked now
		s.limit = int64(s.share * float64(free+s.used))
	}
	s.measured = time.Now()
	return s.used, s.limit
}

// occupied is how much of the disk a file takes: downloads have holes where
// nothing has arrived yet.
func occupied(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return min(info.Size(), int64(st.Blocks)*512) //nolint:unconvert // the type differs between systems
	}
	return info.Size()
}
