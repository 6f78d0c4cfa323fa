package fetch

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spool-video/spool"
)

// mostBeside is how many files of subtitles may lie beside a source.
const mostBeside = 32

// languagePart is a part of a file's name that may be a language's tag.
var languagePart = regexp.MustCompile(`^[a-z]{2,3}(-[a-z0-9]{2,8}){0,2}$`)

// Beside finds the files of subtitles that lie beside a local file and
// belong to it by their names: film.srt, film.en.srt, film.pt-BR.forced.vtt. A
// folder that cannot be read has none.
func Beside(path string) []spool.SubtitleFile {
	folder, name := filepath.Split(path)
	stem := strings.TrimSuffix(name, filepath.Ext(name))
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	var found []spool.SubtitleFile
	for _, e := range entries {
		ending := filepath.Ext(e.Name())
		rest, ours := strings.CutPrefix(strings.TrimSuffix(e.Name(), ending), stem)
		if !ours || rest != "" && rest[0] != '.' || !isText(ending) || !e.Type().IsRegular() {
			continue
		}
		if rest != "" && hasOwner(entries, strings.TrimSuffix(e.Name(), ending)) {
			continue
		}
		file := describeText(rest)
		file.Path = filepath.Join(folder, e.Name())
		if found = append(found, file); len(found) == mostBeside {
			break
		}
	}
	return found
}

func isText(ending string) bool {
	return slices.Contains([]string{".srt", ".vtt", ".ass", ".ssa"}, strings.ToLower(ending))
}

// hasOwner reports whether another file is called like a file of subtitles: then
// the subtitles are that one's.
func hasOwner(entries []os.DirEntry, stem string) bool {
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		ending := filepath.Ext(e.Name())
		return !isText(ending) && strings.TrimSuffix(e.Name(), ending) == stem
	})
}

// describeText reads what stands between the name of the film and the ending:
// ".en.forced", ".ger.sdh", ".Director's cut".
func describeText(rest string) spool.SubtitleFile {
	var f spool.SubtitleFile
	var title []string
	for part := range strings.SplitSeq(strings.Trim(rest, "."), ".") {
		switch small := strings.ToLower(part); {
		case part == "" || small == "default":
		case small == "forced":
			f.Forced = true
		case small == "sdh", small == "cc", small == "hi" && f.Language != "": // alone it is Hindi
			f.Role = spool.Impaired
		case f.Language == "" && languagePart.MatchString(small):
			f.Language = small
		default:
			title = append(title, part)
		}
	}
	f.Title = strings.Join(title, " ")
	return f
}
