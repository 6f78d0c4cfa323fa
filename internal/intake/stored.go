package intake

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

// stores finds what lies at a place in one of the user's stores: one file, or
// all that is below a folder. Nothing at all is no error.
type stores interface {
	Look(ctx context.Context, at spool.RemotePath) (files []StoredFile, folder bool, err error)
	// Head gives the first n bytes of a file.
	Head(ctx context.Context, at spool.RemotePath, n int64) ([]byte, error)
}

// StoredFile is a file in a store.
type StoredFile struct {
	At    spool.RemotePath
	Stamp spool.SourceStamp
}

// expandStored looks at a source in a store.
func (in *Intake) expandStored(ctx context.Context, one item) (items []item, many bool) {
	one.source = one.canonical
	at, err := spool.ParseRemotePath(one.canonical)
	if err != nil {
		one.err = fromStore(one.canonical, err)
		return []item{one}, false
	}
	if in.Stores == nil {
		one.err = badSource("no-stores", "the source "+shown(one.source)+" lies in a store, and no stores are known here", howToName)
		return []item{one}, false
	}
	files, folder, err := in.Stores.Look(ctx, at)
	switch {
	case err != nil:
		one.err = fromStore(one.source, err)
		return []item{one}, false
	case !folder:
		one.stamp = files[0].Stamp
		return []item{one}, false
	case len(files) == 0 && one.known != nil:
		one.gone = true
		return []item{one}, false
	}
	for _, f := range in.storedMedia(ctx, in.candidates(at, files)) {
		name := f.At.String()
		found := item{source: name, canonical: name, stamp: f.Stamp}
		if _, err := spool.ParseRemotePath(name); err != nil {
			found.err = fromStore(name, err)
		}
		items = append(items, found)
	}
	if len(items) == 0 {
		one.err = badSource("folder-empty", "there is no file "+shown(one.source)+", and no folder with media files",
			"files are known by their names, .mp4, .mkv, .mov, .webm, .ts, .mp3 and the like, and by what is in them; hidden ones are left out, and what --include and --exclude leave out")
		return []item{one}, false
	}
	return items, true
}

// candidates are the files that may be sources, in natural order: not what is
// hidden, nor what Spool has published or keeps there, nor what nobody chose.
func (in *Intake) candidates(root spool.RemotePath, files []StoredFile) []StoredFile {
	master, card := map[string]bool{}, map[string]bool{} // by folder
	for _, f := range files {
		switch dir, name := path.Split(f.At.String()); name {
		case "master.m3u8":
			master[dir] = true
		case "video.json":
			card[dir] = true
		}
	}
	var found []StoredFile
	for _, f := range files {
		name := f.At.String()
		hidden := strings.HasPrefix(path.Base(name), ".") || strings.Contains(name, "/.")
		inside := slices.ContainsFunc(in.Skip, func(dir string) bool { return strings.HasPrefix(name, dir+"/") })
		for dir := path.Dir(name); !inside && dir != "." && dir != "/"; dir = path.Dir(dir) {
			inside = master[dir+"/"] && card[dir+"/"]
		}
		if !hidden && !inside && in.chosen(strings.TrimPrefix(f.At.Path, root.Path+"/")) {
			found = append(found, f)
		}
	}
	slices.SortFunc(found, func(a, b StoredFile) int { return compareNatural(a.At.String(), b.At.String()) })
	return found
}

// fromStore names the source in an error of its store.
func fromStore(source string, err error) *spool.Error {
	e := *spool.AsError(err)
	e.Reason = fmt.Sprintf("the source %s: %s", shown(source), plaintext.Sanitize(e.Reason))
	if e.Class == spool.Permanent {
		e.Hint += "; for a local file of that name write ./" + shown(source)
	}
	return &e
}
