package fetch

import (
	"path/filepath"
	"strings"

	"github.com/spool-video/spool"
)

// elsewhere is what an earlier try of the job reported, when that lies on the
// disk of another worker, or is not here any more. Others may have used it: what
// is fetched now has to be the same file.
func (g *get) elsewhere() *spool.Fetched {
	before := g.job.Fetched
	if before == nil || before.Remote != nil || g.ours(before.Path) && begun(before.Path) {
		return nil
	}
	return before
}

// ours: a path is one that this worker gives to the source. One of another
// worker on this machine is not.
func (g *get) ours(path string) bool {
	folder := filepath.Dir(path)
	return folder == filepath.Clean(g.work) || g.stage.DownloadDir != "" && folder == filepath.Clean(g.stage.DownloadDir)
}

// recognisable: there is something to tell by whether what its server sends now
// is a source that was reported: the name of that version or, of one that had
// come to its end, its sum. A weak name, and a date, may be those of two files.
// Of a page neither the same format comes for sure, nor the same subtitles.
func (g *get) recognisable(f *spool.Fetched) bool {
	if f.Page != nil || f.Sound != nil {
		return false
	}
	// Its sum is known when all of it is here, which may be more than there is
	// room for.
	return strong(f.Tag) || f.SHA256 != "" && g.stage.Budget == nil
}

// unsure: only its sum will tell whether this is the source that was reported.
// Nothing is made of it before.
func (g *get) unsure() bool { return g.another != nil && !strong(g.another.Tag) }

// strong: two files that have the same tag are the same, byte for byte
// (RFC 9110 8.8.1).
func strong(tag string) bool { return tag != "" && !strings.HasPrefix(tag, "W/") }

// sameVersion reports whether a source that comes is one that was reported, as
// its server says.
func sameVersion(before, now *spool.Fetched) bool {
	sized := before.Size == 0 || now.Size == 0 || before.Size == now.Size
	return sized && strong(before.Tag) && before.Tag == now.Tag
}

// again gives a source that is wholly here, unless nothing shows that it is the
// one that was reported. Where both sums are known, the scheduler compares them.
func (g *get) again(f spool.Fetched, err error) (spool.Fetched, error) {
	before := g.another
	if err != nil || before == nil || before.SHA256 != "" && f.SHA256 != "" || sameVersion(before, &f) {
		return f, err
	}
	return spool.Fetched{}, replaced()
}
