package intake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/spool-video/spool"
)

// HeadSize is how many bytes of a file tell whether it is media.
const HeadSize = 4 << 10

// Contents remembers which files are media although their names do not say so,
// for as long as they look the same. The zero value is ready; it is safe for
// concurrent use.
type Contents struct {
	mu   sync.Mutex
	seen map[string]content // by path, or NAME:PATH; guarded by mu
}

// content is what the bytes of a file told.
type content struct {
	stamp spool.SourceStamp
	media bool
}

// media reports whether a file is media by its first bytes. What cannot be read
// is not.
func (c *Contents) media(name string, stamp spool.SourceStamp, head func() ([]byte, error)) bool {
	if stamp.Size < HeadSize || unfinished[strings.ToLower(path.Ext(name))] {
		return false
	}
	if known, found := c.find(name); found && known.stamp == stamp {
		return known.media
	}
	b, err := head()
	if err != nil {
		return false // asked again, next time
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]content{}
	}
	c.seen[name] = content{stamp, surelyMedia(b)}
	return c.seen[name].media
}

func (c *Contents) find(name string) (content, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, found := c.seen[name]
	return known, found
}

// unfinished are names of files that programs are still writing, and of those
// that are parts of a video.
var unfinished = set(".part", ".partial", ".crdownload", ".download", ".tmp", ".temp", ".filepart", ".!qb", ".m4s", ".cmfv", ".cmfa")

// pictures are the brands of files that are packed as MP4 is, and hold none.
var pictures = set("heic", "heix", "hevc", "heim", "heis", "mif1", "msf1", "avif", "avis", "crx ", "jp2 ", "jpx ")

// beginnings are what files begin with that can only be media.
var beginnings = []struct {
	at    int
	bytes string
}{
	{0, "\x1a\x45\xdf\xa3"}, // Matroska, WebM
	{8, "AVI LIST"},
	{8, "WAVEfmt "},
	{0, "FLV\x01"},
	{0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11"}, // ASF
	{0, "OggS\x00"},
	{0, "fLaC\x00"},
	{0, "\x00\x00\x01\xba"},                 // MPEG program stream
	{0, "\x06\x0e\x2b\x34\x02\x05\x01\x01"}, // MXF
	{4, "moov"},
}

// surelyMedia reports whether the first bytes of a file are those of media, for
// sure.
func surelyMedia(head []byte) bool {
	if len(head) >= 12 && string(head[4:8]) == "ftyp" {
		return !pictures[string(head[8:12])]
	}
	for _, b := range beginnings {
		if len(head) > b.at && bytes.HasPrefix(head[b.at:], []byte(b.bytes)) {
			return true
		}
	}
	// MPEG transport streams: a sync byte in each packet, which may have a
	// time before it.
	for _, form := range []struct{ first, size int }{{0, 188}, {4, 192}} {
		packets := 0
		for at := form.first; at < len(head) && head[at] == 0x47; at += form.size {
			packets++
		}
		if packets*form.size >= len(head)-form.size {
			return packets > 8
		}
	}
	return false
}

// localHead reads the first bytes of a file here.
func localHead(name string) (head []byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err //nolint:wrapcheck // it is not shown
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, HeadSize))
}

// storedMedia says which files of a store are media: by their names, or else by
// what is in them, several at a time.
func (in *Intake) storedMedia(ctx context.Context, files []StoredFile) []StoredFile {
	const atOnce = 16
	is, slots := make([]bool, len(files)), make(chan struct{}, atOnce)
	var group sync.WaitGroup
	for i, f := range files {
		if name := f.At.String(); HasMediaName(name) || in.Contents == nil {
			is[i] = HasMediaName(name)
			continue
		}
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			is[i] = in.Contents.media(f.At.String(), f.Stamp, func() ([]byte, error) { return in.Stores.Head(ctx, f.At, HeadSize) })
		})
	}
	group.Wait()
	var media []StoredFile
	for i, f := range files {
		if is[i] {
			media = append(media, f)
		}
	}
	return media
}
