package intake

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

// MakeID names a video whose ID was not given: "<extractor>-<page id>" when a
// named extractor of the page tool knows the video, else a slug of the file's
// name and 6 hex digits of the canonical source's hash. The same arguments
// give the same ID, for ever.
func MakeID(canonical, extractor, pageID string) string {
	if id := siteID(extractor, pageID); id != "" {
		return id
	}
	return hashIDs(canonical)[0]
}

// siteID is the ID by which a site itself knows the video, or "".
func siteID(extractor, pageID string) string {
	name := extractorName(extractor)
	id := name + "-" + pageID
	if name == "" || pageID == "" || !spool.ValidID(id) {
		return ""
	}
	return id
}

// hashIDs are the IDs that a source gives, the shortest first; the next one
// is for a clash with another video.
func hashIDs(canonical string) []string {
	const longestSlug = 40
	slug := plaintext.Slug(fileName(canonical), longestSlug)
	if slug == "" {
		slug = "video"
	}
	sum := sha256.Sum256([]byte(canonical))
	digits := hex.EncodeToString(sum[:])
	return []string{slug + "-" + digits[:6], slug + "-" + digits[:12], slug + "-" + digits[:20]}
}

// extractorName is the part of an ID that stands for an extractor; "" for
// those that know no site and make up their page IDs. The page tool says
// "twitch:vod" in one place and "TwitchVod" in another: both are twitchvod.
func extractorName(extractor string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(extractor) {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			b.WriteRune(r)
		}
	}
	name := b.String()
	if strings.HasPrefix(name, "generic") || strings.HasPrefix(name, "html5") {
		return ""
	}
	return name
}

var extension = regexp.MustCompile(`^\.[A-Za-z0-9]{1,5}$`)

// fileName is what a person would call the file: the last part of the path,
// without its extension; the host of a URL without a path.
func fileName(canonical string) string {
	name := path.Base(canonical)
	if IsURL(canonical) {
		u, err := url.Parse(canonical)
		if err != nil {
			return ""
		}
		if name = path.Base(u.Path); name == "/" || name == "." {
			return u.Hostname()
		}
	}
	if ext := path.Ext(name); ext != name && extension.MatchString(ext) {
		name = strings.TrimSuffix(name, ext)
	}
	return name
}
