package intake

import (
	"path"
	"strings"
)

// matches reports whether a pattern names a file, which is given by its path
// below the folder that is searched. * stands for any part of a name, ? for a
// character, [a-z] for one of these; a pattern without a slash is for the name
// alone, and ** between slashes stands for any folders, or none.
func matches(pattern, file string) bool {
	if !strings.Contains(pattern, "/") {
		return matchPart(pattern, path.Base(file))
	}
	return matchParts(strings.Split(strings.Trim(pattern, "/"), "/"), strings.Split(file, "/"))
}

func matchParts(pattern, file []string) bool {
	for i, part := range pattern {
		if part == "**" {
			for skip := range len(file) - i + 1 {
				if matchParts(pattern[i+1:], file[i+skip:]) {
					return true
				}
			}
			return false
		}
		if i >= len(file) || !matchPart(part, file[i]) {
			return false
		}
	}
	return len(file) == len(pattern)
}

// matchPart matches one name; a pattern that is none matches nothing.
func matchPart(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}

// chosen reports whether a file below a folder is to be taken.
func (in *Intake) chosen(file string) bool {
	named := func(patterns []string) bool {
		for _, p := range patterns {
			if matches(p, file) {
				return true
			}
		}
		return false
	}
	return (len(in.Include) == 0 || named(in.Include)) && !named(in.Exclude)
}
