package watch

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// Bell rings when something changes in folders. File systems of other machines
// tell nothing, and some systems limit how many folders can be listened to: who
// waits for a bell looks from time to time all the same.
type Bell struct {
	watcher *fsnotify.Watcher // nil: the system has none to give
	skip    []string          // folders that are not listened to
	rings   chan struct{}
	ended   chan struct{}
}

// NewBell makes a bell that listens to nothing yet, and never to what is below
// the folders in skip.
func NewBell(skip ...string) *Bell {
	b := &Bell{skip: skip, rings: make(chan struct{}, 1), ended: make(chan struct{})}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		close(b.ended)
		return b
	}
	b.watcher = watcher
	go b.listen()
	return b
}

// Rings gives a value after something has changed; several changes may be one.
func (b *Bell) Rings() <-chan struct{} { return b.rings }

// Listen listens to a folder, and to those below it but for hidden ones, or to
// the folder of a file. It may be called again, for what has come since.
func (b *Bell) Listen(path string) {
	if b.watcher == nil {
		return
	}
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		_ = b.watcher.Add(filepath.Dir(path)) // else it is only looked at
		return
	}
	_ = filepath.WalkDir(path, func(dir string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || !entry.IsDir():
			return nil // what cannot be read is only looked at
		case slices.Contains(b.skip, dir), dir != path && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		}
		return b.watcher.Add(dir) // the first that fails is the limit: the rest is only looked at
	})
}

// Close ends the bell.
func (b *Bell) Close() error {
	if b.watcher == nil {
		return nil
	}
	err := b.watcher.Close()
	<-b.ended
	return err
}

func (b *Bell) listen() {
	defer close(b.ended)
	for {
		select {
		case event, open := <-b.watcher.Events:
			if !open {
				return
			}
			if event.Op == fsnotify.Chmod {
				continue
			}
			if event.Has(fsnotify.Create) {
				b.Listen(event.Name) // it may be a folder
			}
			b.ring()
		case _, open := <-b.watcher.Errors:
			if !open {
				return
			}
			b.ring() // too many events, of which some were lost: look
		}
	}
}

func (b *Bell) ring() {
	select {
	case b.rings <- struct{}{}:
	default: // it rings already
	}
}
