package early

import (
	"regexp"

	"github.com/spool-video/spool/internal/hls"
)

// Name is the early master playlist, below a video's folder.
const Name = "early.m3u8"

// Folder is where the growing lists of a revision lie, below a video's folder.
func Folder(revision string) string { return folderPrefix + revision }

const folderPrefix = "live-"

// liveURI is how an early master names a growing list.
var liveURI = regexp.MustCompile(`^` + folderPrefix + `([A-Za-z0-9][A-Za-z0-9_-]{0,63})/([va][0-9]+-[A-Za-z0-9_-]+)\.m3u8$`)

// Leads gives the revision whose growing lists an early master names; false
// when the text is not a master that a Keeper wrote.
func Leads(text []byte) (revision string, ok bool) {
	master, err := hls.ParseMaster(text)
	if err != nil {
		return "", false
	}
	var uris []string
	for _, v := range master.Variants {
		uris = append(uris, v.URI)
	}
	for _, a := range master.Audio {
		uris = append(uris, a.URI)
	}
	for _, uri := range uris {
		parts := liveURI.FindStringSubmatch(uri)
		if parts == nil || revision != "" && parts[1] != revision {
			return "", false
		}
		revision = parts[1]
	}
	return revision, revision != ""
}
