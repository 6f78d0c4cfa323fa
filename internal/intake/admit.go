package intake

import (
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"github.com/spool-video/spool"
)

// Admission says which sources may be handed in by those who may not read what
// Spool can read: programs that speak to its API or its inbox.
type Admission struct {
	// Link judges a link. Nil: all are taken.
	Link func(*url.URL) error
	// Places are the absolute folders, and the folders in stores (NAME:PATH),
	// below which files may be named. None: no file may.
	Places []string
}

// Admit judges one source. Symbolic links are followed: it is what is read
// that has to lie below a place. It gives the source as it is to be read.
func (a Admission) Admit(source string) (string, error) {
	canonical, err := Canonical(source)
	switch {
	case err != nil:
		return "", err
	case IsURL(source):
		return source, a.link(source)
	case spool.IsRemotePath(source):
		if a.below(canonical, "", a.Places) {
			return source, nil
		}
		return "", notAllowed(source)
	case !filepath.IsAbs(source):
		return "", badSource("source-relative", "the source "+shown(source)+" is a relative path, which nobody here knows the beginning of", "give the whole path")
	}
	real, err := filepath.EvalSymlinks(canonical)
	if err != nil {
		if !a.below(filepath.Clean(source), "/", a.Places) {
			return "", notAllowed(source) // whether it is there is nobody's business
		}
		return "", localError(err, source)
	}
	var places []string
	for _, place := range a.Places {
		if at, err := filepath.EvalSymlinks(place); err == nil && filepath.IsAbs(place) {
			places = append(places, at)
		}
	}
	if !a.below(real, "/", places) {
		return "", notAllowed(source)
	}
	return real, nil
}

func (a Admission) link(source string) error {
	u, err := url.Parse(source)
	if err != nil {
		return badSource("bad-url", "the source "+shown(source)+" is not a URL that can be read", howToName)
	}
	if a.Link == nil {
		return nil
	}
	return a.Link(u)
}

// below reports whether a path is one of the places, or lies below one. Paths
// of this machine begin with root, those in stores do not.
func (a Admission) below(name, root string, places []string) bool {
	for _, place := range places {
		if strings.HasPrefix(place, "/") != (root == "/") {
			continue
		}
		if place = clean(place); name == place || strings.HasPrefix(name, strings.TrimSuffix(place, "/")+"/") || strings.HasSuffix(place, ":") && strings.HasPrefix(name, place) {
			return true
		}
	}
	return false
}

func clean(place string) string {
	if name, at, found := strings.Cut(place, ":"); found && !strings.HasPrefix(place, "/") {
		if at = strings.Trim(path.Clean("/"+at), "/"); at == "" {
			return name + ":"
		}
		return name + ":" + at
	}
	return path.Clean(place)
}

func notAllowed(source string) error {
	return badSource("source-not-allowed", "the source "+shown(source)+" may not be named here: it is no link, and lies in no place that is allowed",
		"spool serve --allow-source FOLDER allows what is below it")
}
