package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"syscall"

	"github.com/spool-video/spool"
)

// maxPlaylist is the size in bytes from which a playlist is not believed to
// be one: 24 hours in 6-second segments are 3 MB.
const maxPlaylist = 32 << 20

// contentTypes are those that Spool publishes with. Everything else in the
// folder is bytes: a page that someone left there is not a page here.
var contentTypes = map[string]string{
	".m3u8": "application/vnd.apple.mpegurl",
	".mp4":  "video/mp4",
	".m4s":  "video/iso.segment",
	".m4a":  "audio/mp4",
	".ts":   "video/mp2t",
	".aac":  "audio/aac",
	".vtt":  "text/vtt; charset=utf-8",
	".jpg":  "image/jpeg",
	".json": "application/json",
}

// media serves <video>/<name> of the folder.
func (h *handler) media(w http.ResponseWriter, r *http.Request, name string) {
	video, below, ok := strings.Cut(name, "/")
	if !ok || below == "" || !spool.ValidID(video) {
		notFound(w)
		return
	}
	file, info, err := h.root.open(r.Context(), name)
	if err != nil {
		fail(w, err)
		return
	}
	defer file.Close()
	kind, known := contentTypes[path.Ext(name)]
	if !known {
		kind = "application/octet-stream"
	}
	w.Header().Set("Content-Type", kind)
	if path.Ext(name) == ".m3u8" {
		h.playlist(w, r, published{file, info, name})
		return
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size()))
	http.ServeContent(w, r, "", info.ModTime(), file)
}

// missing makes of an error that says "there is no such file for you" one
// that says it plainly; what is left is the disk's fault.
func missing(err error) error {
	var p *fs.PathError
	if errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ESTALE) || errors.Is(err, syscall.EMFILE) || !errors.As(err, &p) {
		return err
	}
	return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
}

// published is an open file of a video.
type published struct {
	io.Reader
	info fs.FileInfo
	name string
}

// playlist serves a playlist whose keys are looked for here, whatever URI
// players elsewhere get them from.
func (h *handler) playlist(w http.ResponseWriter, r *http.Request, p published) {
	text, err := io.ReadAll(io.LimitReader(p.Reader, maxPlaylist+1))
	if err == nil && len(text) > maxPlaylist {
		err = fmt.Errorf("read playlist %s: it is larger than %d bytes", p.name, maxPlaylist)
	}
	if err != nil {
		fail(w, err)
		return
	}
	text = localKeys(text, p.name)
	sum := sha256.Sum256(text)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	http.ServeContent(w, r, "", p.info.ModTime(), bytes.NewReader(text))
}

// localKeys points the keys of the media playlist <video>/<revision>/…, and of
// the master that leads to it, to this server, which is told the URI that stood
// there. Lists that grow, in live-<revision>, have the keys of their revision.
// A session key of a master that tells no revision goes: it is only a hint.
func localKeys(text []byte, name string) []byte {
	parts := strings.SplitN(name, "/", 3)
	if len(parts) < 2 || !bytes.Contains(text, []byte("-KEY:")) {
		return text
	}
	revision := strings.TrimPrefix(parts[1], "live-")
	if len(parts) == 2 {
		revision = leadsTo(text)
	}
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		switch {
		case bytes.HasPrefix(line, []byte("#EXT-X-SESSION-KEY:")) && !spool.ValidID(revision):
		case bytes.HasPrefix(line, []byte("#EXT-X-KEY:")), bytes.HasPrefix(line, []byte("#EXT-X-SESSION-KEY:")):
			out.WriteString(localKey(string(line), parts[0], revision))
		default:
			out.Write(line)
		}
	}
	return out.Bytes()
}

// leadsTo is the revision whose playlists a master names, or "".
func leadsTo(master []byte) string {
	for line := range bytes.Lines(master) {
		if folder, _, below := strings.Cut(string(line), "/"); below && !strings.HasPrefix(folder, "#") {
			return strings.TrimPrefix(folder, "live-")
		}
	}
	return ""
}

// localKey changes the URI attribute of the line of one key.
func localKey(line, video, revision string) string {
	start, end := keyURI(line)
	if start < 0 || !spool.ValidID(revision) {
		return line
	}
	local := "/keys/" + video + "/" + revision + ".key?uri=" + url.QueryEscape(line[start:end])
	return line[:start] + local + line[end:]
}

// keyURI finds the value of the URI attribute, which is a quoted string
// without quotes in it (RFC 8216, section 4.2); start is -1 without one.
func keyURI(line string) (start, end int) {
	_, list, _ := strings.Cut(line, ":")
	for at := len(line) - len(list); at < len(line); {
		name, value, ok := strings.Cut(line[at:], "=")
		if !ok {
			return -1, -1
		}
		from := at + len(name) + 1
		if !strings.HasPrefix(value, `"`) {
			comma := strings.IndexByte(value, ',')
			if comma < 0 {
				return -1, -1
			}
			at = from + comma + 1
			continue
		}
		length := strings.IndexByte(value[1:], '"')
		if length < 0 {
			return -1, -1
		}
		if strings.TrimSpace(name) == "URI" {
			return from + 1, from + 1 + length
		}
		at = from + length + 3 // both quotes and the comma
	}
	return -1, -1
}

// key serves <video>/<name>.key to programs on this machine.
func (h *handler) key(w http.ResponseWriter, r *http.Request, rest string) {
	w.Header().Set("Cache-Control", "no-store")
	video, file, _ := strings.Cut(rest, "/")
	name, isKey := strings.CutSuffix(file, ".key")
	if !isKey || !spool.ValidID(video) || !spool.ValidID(name) || !fromHere(r) || h.preview.Keys == nil {
		notFound(w)
		return
	}
	uri := r.URL.Query().Get("uri")
	if uri == "" {
		uri = r.URL.Path
	}
	key, err := h.preview.Keys(r.Context(), KeyRequest{Video: video, Name: name, URI: uri})
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(key) // an error means that nobody listens any more
}
