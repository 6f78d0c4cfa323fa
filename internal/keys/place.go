package keys

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spool-video/spool"
)

// ExpandURI makes a key's URI, as it stands in playlists, from a template with
// {video} and {key}. At least one of them must occur, so that videos do not
// share a key's place. It is an http or https URL, an absolute path or a
// relative one.
func ExpandURI(template, video, key string) (string, error) {
	if !strings.Contains(template, "{key}") && !strings.Contains(template, "{video}") {
		return "", badTemplate("holds neither {key} nor {video}, so all videos would share one key")
	}
	expanded := strings.NewReplacer("{video}", url.PathEscape(video), "{key}", url.PathEscape(key)).Replace(template)
	if strings.ContainsAny(expanded, "{}\"\\<>^`| ") || strings.ContainsFunc(expanded, notGraphicASCII) {
		return "", badTemplate("holds a character that a URI may not hold, or an unknown {place}")
	}
	u, err := url.Parse(expanded)
	if err != nil {
		return "", badTemplate("is not a URI")
	}
	switch {
	case u.Scheme == "" && u.Host == "":
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
	default:
		return "", badTemplate("is neither an http(s) URL nor a path")
	}
	if u.User != nil {
		return "", badTemplate("holds a user name or password, which everyone could read in the playlist")
	}
	return expanded, nil
}

func notGraphicASCII(r rune) bool { return r <= ' ' || r > '~' }

// badTemplate does not repeat the template, which may hold a secret.
func badTemplate(why string) error {
	return &spool.Error{
		Class: spool.Permanent, Code: "bad-key-uri",
		Reason: "the key URI template " + why,
		Hint:   "give --key-uri something like https://keys.example.com/{video}/{key}.key",
	}
}

// CheckOutside refuses a keys folder inside the destination, where everyone
// could read the keys, and one that holds the destination, where a video of
// the right name would put its keys there. Symbolic links are followed, also
// when the ends of the paths do not exist yet.
func CheckOutside(keysDir, dest string) error {
	inside, err := contains(dest, keysDir)
	if err != nil {
		return fmt.Errorf("compare keys folder with destination: %w", err)
	}
	around, err := contains(keysDir, dest)
	if err != nil {
		return fmt.Errorf("compare keys folder with destination: %w", err)
	}
	if !inside && !around {
		return nil
	}
	how := "lies inside"
	if !inside {
		how = "holds"
	}
	return &spool.Error{
		Class: spool.Permanent, Code: "keys-in-destination",
		Reason: fmt.Sprintf("the keys folder %s %s the destination %s, where players could read every key", keysDir, how, dest),
		Hint:   "choose a --keys folder beside the destination",
	}
}

// contains reports whether inner is outer or lies below it. Every existing
// parent of inner is compared as a file too, which sees through letter case
// and bind mounts.
func contains(outer, inner string) (bool, error) {
	outer, err := resolve(outer)
	if err != nil {
		return false, err
	}
	inner, err = resolve(inner)
	if err != nil {
		return false, err
	}
	outerInfo, outerErr := os.Stat(outer)
	for at := inner; ; at = filepath.Dir(at) {
		if at == outer {
			return true, nil
		}
		if info, err := os.Stat(at); err == nil && outerErr == nil && os.SameFile(info, outerInfo) {
			return true, nil
		}
		if at == filepath.Dir(at) {
			return false, nil
		}
	}
}

// resolve makes a path absolute and follows its symbolic links, also where
// they lead to what does not exist yet.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	const mostLinks = 40 // as the kernel's own limit
	for range mostLinks {
		next, done := follow(path)
		if done {
			return next, nil
		}
		path = next
	}
	return "", fmt.Errorf("%s: too many symbolic links", path)
}

// follow resolves the longest part of path that exists. It is not done when
// the first missing part is itself a link, which it replaces by its target.
func follow(path string) (next string, done bool) {
	rest := ""
	for at := path; ; at = filepath.Dir(at) {
		if found, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(found, rest), true
		}
		if target, err := os.Readlink(at); err == nil {
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(at), target)
			}
			return filepath.Join(target, rest), false
		}
		if at == filepath.Dir(at) {
			return path, true
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}
