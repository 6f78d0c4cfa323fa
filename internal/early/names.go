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

// ListOf gives the revision of a growing list by its name below the video's
// folder; false for other names.
func ListOf(name string) (revision string, ok bool) {
	parts := liveURI.FindStringSubmatch(name)
	if parts == nil {
		return "", false
	}
	return parts[1], true
}

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
		of, ok := ListOf(uri)
		if !ok || revision != "" && of != revision {
			return "", false
		}
		revision = of
	}
	return revision, revision != ""
}
