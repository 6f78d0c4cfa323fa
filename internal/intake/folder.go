package intake

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/spelling"
)

// mediaExtensions are the names of files that a folder is searched for and
// that a URL is taken for a file by. Playlists (m3u8, mpd) are not files.
var mediaExtensions = set(
	".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".m2t", ".mpg",
	".mpeg", ".mpe", ".m2v", ".vob", ".mxf", ".flv", ".f4v", ".wmv", ".asf", ".ogv", ".ogm", ".y4m", ".dv",
	".mp3", ".m4a", ".m4b", ".aac", ".flac", ".wav", ".ogg", ".oga", ".opus", ".wma", ".ac3", ".aif", ".aiff", ".mka",
)

// HasMediaName reports whether a path or a URL's path ends like a media file.
func HasMediaName(source string) bool {
	if IsURL(source) {
		source, _, _ = strings.Cut(source, "?")
		source, _, _ = strings.Cut(source, "#")
	}
	return mediaExtensions[strings.ToLower(path.Ext(source))]
}

// statLocal looks at a local source.
func statLocal(abs, source string) (fs.FileInfo, *spool.Error) {
	info, err := os.Stat(abs)
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return nil, badSource("not-a-file", shown(source)+" is neither a file nor a folder", howToName)
	}
	if err != nil {
		return nil, localError(err, source)
	}
	return info, nil
}

func localError(err error, source string) *spool.Error {
	e := badSource("source-unreadable", shown(source)+" cannot be read", "")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e = badSource("source-missing", "there is no file or folder "+shown(source), "")
		if m := lookalike.FindStringSubmatch(source); m != nil && !HasMediaName(source) {
			e = unknownOption(m[1], source)
		} else if hostLike(source) {
			e.Hint = "if it is a link, write https:// before it"
		}
	case errors.Is(err, fs.ErrPermission):
		e = badSource("source-forbidden", "permission to read "+shown(source)+" is denied", "")
	}
	e.Err = err
	return e
}

// unknownOption is the error of a source that is not there, and ends like an
// option that nobody knows.
func unknownOption(key, source string) *spool.Error {
	e := badSource("unknown-key", fmt.Sprintf("%s= is no option of a source, nor is there a file or folder %q", plaintext.Cut(key, 40), shown(source)),
		"the options are id=, title= and ladder=")
	if near := spelling.Nearest(strings.ToLower(key), keys); near != "" {
		e.Hint = "did you mean " + near + "=?"
	}
	return e
}

// hostLike: example.com/film, but not films/a.mp4.
func hostLike(source string) bool {
	host, rest, _ := strings.Cut(source, "/")
	at := strings.LastIndexByte(host, '.')
	return at > 0 && len(host)-at > 2 && (rest != "" || !HasMediaName(host))
}

func stamp(info fs.FileInfo) spool.SourceStamp {
	return spool.SourceStamp{Size: info.Size(), Modified: info.ModTime().UnixNano()}
}

// folder is a search for media files below one root.
type folder struct {
	skip  []string  // absolute folders that hold what Spool itself writes
	known *Contents // nil: files are known by their names alone
	files []string
	bad   []*spool.Error
}

// walk collects the media files below dir. Hidden entries are left out, and
// symbolic links: what they point to inside the root is found by itself, and
// outside is not ours to publish.
func (f *folder) walk(dir string) {
	if slices.Contains(f.skip, dir) || published(dir) {
		return
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		f.bad = append(f.bad, localError(err, dir))
		return
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return compareNatural(a.Name(), b.Name()) })
	for _, entry := range entries {
		name := filepath.Join(dir, entry.Name())
		switch {
		case strings.HasPrefix(entry.Name(), "."):
		case entry.IsDir():
			f.walk(name)
		case !entry.Type().IsRegular() || !f.media(name, entry):
		case !utf8.ValidString(name):
			// The ledger and the queue speak JSON, which would change the name.
			f.bad = append(f.bad, badSource("source-not-utf8", "the name of the file "+shown(name)+" is not UTF-8", "rename the file"))
		default:
			f.files = append(f.files, name)
		}
	}
}

// media reports whether a file is media by its name, or by what is in it.
func (f *folder) media(name string, entry fs.DirEntry) bool {
	if HasMediaName(name) || f.known == nil {
		return HasMediaName(name)
	}
	info, err := entry.Info()
	return err == nil && f.known.media(name, stamp(info), func() ([]byte, error) { return localHead(name) })
}

// published recognises the folder of a published video, whose segments are
// nobody's sources.
func published(dir string) bool {
	_, master := os.Lstat(filepath.Join(dir, "master.m3u8"))
	_, video := os.Lstat(filepath.Join(dir, "video.json"))
	return master == nil && video == nil
}

// expandFolder gives the media files of a folder in natural order, and an
// error for each part of it that could not be searched.
func (in *Intake) expandFolder(abs, source string) ([]string, []*spool.Error) {
	f := folder{skip: in.Skip, known: in.Contents}
	f.walk(abs)
	f.files = slices.DeleteFunc(f.files, func(file string) bool {
		below, err := filepath.Rel(abs, file)
		return err != nil || !in.chosen(filepath.ToSlash(below))
	})
	if len(f.files) == 0 && len(f.bad) == 0 {
		f.bad = append(f.bad, badSource("folder-empty", "the folder "+shown(source)+" holds no media files",
			"files are known by their names, .mp4, .mkv, .mov, .webm, .ts, .mp3 and the like, and by what is in them; hidden ones and links are left out, and what --include and --exclude leave out"))
	}
	return f.files, f.bad
}

// compareNatural orders names as people do: "clip 2" before "clip 10", case
// aside.
func compareNatural(a, b string) int {
	x, y := strings.ToLower(a), strings.ToLower(b)
	for x != "" && y != "" {
		if digit(x[0]) && digit(y[0]) {
			var m, n string
			m, x = number(x)
			n, y = number(y)
			if len(m) != len(n) {
				return len(m) - len(n)
			}
			if c := strings.Compare(m, n); c != 0 {
				return c
			}
			continue
		}
		if x[0] != y[0] {
			return int(x[0]) - int(y[0])
		}
		x, y = x[1:], y[1:]
	}
	if len(x) != len(y) {
		return len(x) - len(y)
	}
	return strings.Compare(a, b)
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// number splits the digits at the beginning of s off, without leading zeros.
func number(s string) (digits, rest string) {
	n := 0
	for n < len(s) && digit(s[n]) {
		n++
	}
	return strings.TrimLeft(s[:n], "0"), s[n:]
}

// oneVideo refuses an id or a title for a source that holds several videos.
func (l *Line) oneVideo(n int) {
	switch {
	case n < 2:
	case l.ID != "":
		l.fail("id-of-many", fmt.Sprintf("gives the id %s to %d videos", plaintext.Sanitize(l.ID), n), "give ids to single videos")
	case l.Title != "":
		l.fail("title-of-many", fmt.Sprintf("gives one title to %d videos", n), "give titles to single videos")
	}
}
