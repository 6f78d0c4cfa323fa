package scratch

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// note is what files have at most that are about others, in bytes.
const note = 4 << 10

// look finds how much of scratch is taken by what nobody claims. The caller
// holds the lock.
func (b *Budget) look() {
	if !b.looked.IsZero() && time.Since(b.looked) < lookEvery {
		return
	}
	b.sources, b.made, b.looked = 0, 0, time.Now()
	_ = filepath.WalkDir(b.scratch.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // what vanishes while we look holds nothing
		}
		info, err := d.Info()
		switch {
		case err != nil:
		case b.claimed(path):
		case b.isSource(path) || occupied(info) <= note:
			b.sources += occupied(info)
		default:
			b.made += occupied(info)
		}
		return nil
	})
}

// isSource: the file lies in the folder of a video's source.
func (b *Budget) isSource(path string) bool {
	name, err := filepath.Rel(b.scratch.dir, path)
	parts := strings.Split(name, string(filepath.Separator))
	return err == nil && len(parts) > 2 && parts[1] == "source"
}

func (b *Budget) claimed(path string) bool {
	return slices.ContainsFunc(b.claims, func(c *Claim) bool { return path == c.path || path == c.path+".part" })
}
