package fetch

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/disk"
	"github.com/spool-video/spool/internal/download"
)

// note is what a job's folder says of its source.
type note struct {
	Canonical string        `json:"canonical"`
	Fetched   spool.Fetched `json:"fetched"`
}

func (g *get) notePath() string { return filepath.Join(g.work, "fetched.json") }

func (g *get) note(f spool.Fetched) error {
	return g.keepNote(g.notePath(), note{g.job.Canonical, f})
}

// keepNote writes one of the notes of a job's folder, durably but for its name.
func (g *get) keepNote(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("note the source of %s: %w", g.job.Video, err)
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, b, 0o600); err != nil {
		return folderFault("write to", g.work, err)
	}
	if err := makeDurable(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return folderFault("write to", g.work, err)
	}
	return nil
}

// kept finds a source that is here already: from an earlier run, or put into
// the download folder by somebody.
func (g *get) kept() (spool.Fetched, bool) {
	var n note
	b, err := os.ReadFile(g.notePath())
	if err == nil && json.Unmarshal(b, &n) == nil && n.Canonical == g.job.Canonical && here(n.Fetched) && here(*n.Fetched.Hearing()) {
		return n.Fetched, true
	}
	if g.stage.DownloadDir == "" {
		return spool.Fetched{}, false
	}
	for _, ext := range append(slices.Clone(mediaExtensions), unknownExtension) {
		path := g.keepAs(ext)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			return g.adopt(spool.Fetched{Path: path, Size: info.Size()}), true
		}
	}
	return spool.Fetched{}, false
}

// here: the file is the one that was noted, as far as its size tells.
func here(f spool.Fetched) bool {
	info, err := os.Lstat(f.Path)
	return f.Path != "" && err == nil && info.Mode().IsRegular() && info.Size() == f.Size
}

// adopt takes over what a download that ended right before a crash had still to
// say.
func (g *get) adopt(f spool.Fetched) spool.Fetched {
	res, ok := download.Finished(f.Path, g.url)
	if ok {
		f.SHA256 = res.SHA256
		_ = os.Remove(download.RecordPath(f.Path)) // one that stays harms nobody
	}
	return f
}

func (g *get) keepAs(ext string) string {
	return filepath.Join(g.stage.DownloadDir, g.job.Video+"."+ext)
}

// makeDurable brings a file's bytes, or a folder's names, to the disk. A file
// system that cannot is taken at its word.
func makeDurable(path string) error {
	if err := disk.Sync(path); err != nil {
		return folderFault("write to", filepath.Dir(path), err)
	}
	return nil
}
