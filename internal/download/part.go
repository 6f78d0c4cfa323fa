package download

import (
	"bytes"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spool-video/spool"
)

const (
	partSuffix   = ".part"
	recordSuffix = ".json"
	recordFormat = 2 // of a part's side-file
	finalFormat  = 1 // of a finished file's
)

// record is the side-file of a part. It never holds the URL's secrets.
type record struct {
	V            int         `json:"v"`
	Key          string      `json:"key"` // identity of the URL
	URL          string      `json:"url"` // redacted, for people
	ETag         string      `json:"etag,omitempty"`
	LastModified string      `json:"lastModified,omitempty"`
	ContentType  string      `json:"contentType,omitempty"`
	SHA256       string      `json:"sha256,omitempty"` // of the whole file as the server announces it, hex
	Length       int64       `json:"length"`           // of the whole file; -1 = unknown
	Have         spool.Spans `json:"have"`             // bytes that are durable
	Gone         spool.Spans `json:"gone,omitempty"`   // bytes that were here, and were given back
	Use          string      `json:"use,omitempty"`    // that has no need of them any more
	Limit        int64       `json:"limit,omitempty"`  // of the room that the part was made in; 0 = none
	Hashed       int64       `json:"hashed"`           // so many bytes from the start are in Hash
	Hash         []byte      `json:"hash,omitempty"`
}

// final is the side-file of a finished download.
type final struct {
	V        int    `json:"v"`
	Key      string `json:"key"`
	URL      string `json:"url"`
	Modified int64  `json:"modified"` // of the file, nanoseconds since 1970
	Result
}

// part is a file that is being downloaded, with holes where bytes are missing.
// Several connections write to it; what the server said of the file is set only
// while there is one.
type part struct {
	record
	path   string // of the final file
	file   *os.File
	saving sync.Mutex // held by who makes a checkpoint; taken before mu

	mu     sync.Mutex  // guards the rest, the file's bytes, and Have, Gone, Hashed and Hash
	here   spool.Spans // bytes written, durable or not
	gone   spool.Spans // bytes given back; there is a hole when Gone says so
	goes   spool.Spans // a hole is being made of these: nobody may fetch or write them
	digest digest
	saved  time.Time     // last checkpoint
	took   time.Duration // how long it took
}

// RecordPath names the file beside path that says how path was downloaded.
func RecordPath(path string) string { return path + recordSuffix }

// PartPath names the file that holds the bytes of an unfinished download.
func PartPath(path string) string { return path + partSuffix }

// Finished reports whether path is a completed download of the URL, unchanged
// since, and what was learned of it. It asks no server.
func Finished(path, rawURL string) (Result, bool) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return Result{}, false
	}
	return finished(path, identity(u))
}

func finished(path, key string) (Result, bool) {
	var f final
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || readJSON(RecordPath(path), &f) != nil {
		return Result{}, false
	}
	same := f.V == finalFormat && f.Key == key &&
		f.Size == info.Size() && f.Modified == info.ModTime().UnixNano()
	return f.Result, same
}

// Discard removes all that an unfinished download into path left.
func Discard(path string) error {
	for _, name := range []string{PartPath(path), PartPath(path) + recordSuffix} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return diskFault("remove", name, err)
		}
	}
	return nil
}

// openNamed opens the part of path with the bytes in it that are durable, if
// they are of the file that key stands for.
func openNamed(path, key string, u *url.URL) (*part, error) {
	name := PartPath(path)
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, diskFault("open", name, err)
	}
	p := &part{path: path, file: file, saved: time.Now()}
	if p.restore(key) {
		if err := file.Truncate(p.end()); err != nil {
			_ = file.Close() // nothing was written that could be lost
			return nil, diskFault("truncate", name, err)
		}
		return p, nil
	}
	p.record = record{V: recordFormat, Key: key, URL: redact(u)}
	if err := p.reset(); err != nil {
		_ = p.file.Close() // nothing was written that could be lost
		return nil, err
	}
	return p, nil
}

// restore loads the side-file; false means that the part is of no use.
func (p *part) restore(key string) bool {
	if readJSON(p.recordName(), &p.record) != nil || p.V != recordFormat || p.Key != key || !p.sound() {
		return false
	}
	var ok bool
	p.digest, ok = loadDigest(p.Hash, p.Hashed)
	p.here, p.gone = p.Have, p.Gone
	return ok
}

// end is where the last byte is that came.
func (p *part) end() int64 {
	if came := p.Have.With(p.Gone); len(came) > 0 {
		return came[len(came)-1].To
	}
	return 0
}

// sound reports whether what the side-file says can be true of the file.
func (p *part) sound() bool {
	if !inOrder(p.Have) || !inOrder(p.Gone) {
		return false
	}
	end, hashed := p.end(), p.Have.With(p.Gone).After(0)
	if len(p.Gone) > 0 {
		hashed = end // what was given back may have been wanted again
	}
	info, err := p.file.Stat()
	return err == nil && end > 0 && info.Size() >= end && (p.Length < 0 || p.Length >= end) &&
		p.Hashed >= 0 && p.Hashed <= hashed
}

// inOrder: the spans are as spool.Spans have to be.
func inOrder(all spool.Spans) bool {
	end := int64(-1)
	for _, s := range all {
		if s.From <= end || s.To <= s.From {
			return false
		}
		end = s.To
	}
	return true
}

// sized notes the file's length.
func (p *part) sized(length int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Length = length
}

// reset forgets all bytes, and what the server said of them. The next ones go
// to a new file: whoever reads the old one sees what it was.
func (p *part) reset() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.here, p.gone, p.goes, p.digest = nil, nil, nil, newDigest()
	p.record = record{V: p.V, Key: p.Key, URL: p.URL, Use: p.Use, Limit: p.Limit, Length: -1}
	// The record goes first, and durably: it must never speak of the new file.
	switch err := os.Remove(p.recordName()); {
	case err == nil:
		if err := syncFolder(filepath.Dir(p.path)); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return diskFault("remove", p.recordName(), err)
	}
	name := PartPath(p.path)
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return diskFault("remove", name, err)
	}
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return diskFault("open", name, err)
	}
	_ = p.file.Close() // its bytes are not wanted any more
	p.file = file
	return nil
}

// put writes bytes at their place. Those that are here already are compared
// with b instead; known is how many of b's last bytes those are. The error is a
// *misfit when they are others. Those that were given back, or are now, stay
// away.
func (p *part) put(b []byte, at int64) (known int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(b) > 0 {
		n := min(p.here.After(at)-at, int64(len(b)))
		past := min(p.gone.With(p.goes).After(at)-at, int64(len(b)))
		switch {
		case n > 0:
			err = p.compare(b[:n], at)
			known += n
		case past > 0:
			n, known = past, 0
		default:
			n = p.got().With(p.goes).Missing(spool.Span{From: at, To: at + int64(len(b))}).Len()
			err = p.write(b[:n], at)
			known = 0
		}
		if err != nil {
			return known, err
		}
		b, at = b[n:], at+n
	}
	return known, nil
}

func (p *part) compare(b []byte, at int64) error {
	old := make([]byte, len(b))
	if _, err := p.file.ReadAt(old, at); err != nil {
		return diskFault("read", p.file.Name(), err)
	}
	if !bytes.Equal(old, b) {
		return &misfit{"bad-range", "two answers of the server do not fit together"}
	}
	return nil
}

func (p *part) write(b []byte, at int64) error {
	n, err := p.file.WriteAt(b, at)
	p.here = p.here.Add(spool.Span{From: at, To: at + int64(n)})
	p.digest.take(b[:n], at)
	if err != nil {
		return diskFault("write", p.file.Name(), err)
	}
	return p.follow(followMost)
}

// follow hashes at most so many bytes whose turn has come.
func (p *part) follow(most int64) error {
	if err := p.digest.follow(p.file, p.got().After(0), most); err != nil {
		return diskFault("read", p.file.Name(), err)
	}
	return nil
}

// spans are the bytes that are here, durable or not.
func (p *part) spans() spool.Spans {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.here
}

// got are the bytes that are here or were given back. The caller holds mu.
func (p *part) got() spool.Spans { return p.here.With(p.gone) }

// come are the bytes that need not be fetched, or not yet.
func (p *part) come() spool.Spans {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.got().With(p.goes)
}

// held is how many bytes need not be fetched.
func (p *part) held() int64 { return p.come().Len() }

// complete reports whether no byte is missing.
func (p *part) complete() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Length > 0 && p.got().Has(spool.Span{To: p.Length})
}

// sha256 is the hash of the complete file, in hex.
func (p *part) sha256() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.follow(p.got().After(0)); err != nil {
		return "", err
	}
	return p.digest.hex(), nil
}

// result is what is known of the complete part, all of which is durable.
func (p *part) result() (Result, error) {
	sum, err := p.sha256()
	if err != nil {
		return Result{}, err
	}
	res := Result{Size: p.Length, SHA256: sum, ContentType: p.ContentType, ETag: p.ETag, Gone: p.gaveBack()}
	return res, p.checkpoint()
}

// publish gives the complete part its final name.
func (p *part) publish() (Result, error) {
	res, err := p.result()
	if err != nil {
		return Result{}, err
	}
	info, err := p.file.Stat()
	if err != nil {
		return Result{}, diskFault("stat", p.file.Name(), err)
	}
	f := final{V: finalFormat, Key: p.Key, URL: p.URL, Modified: info.ModTime().UnixNano(), Result: res}
	// The record comes first: a file without one would be fetched again.
	if err := writeJSON(RecordPath(p.path), f); err != nil {
		return Result{}, err
	}
	if err := os.Rename(PartPath(p.path), p.path); err != nil {
		return Result{}, diskFault("rename", p.file.Name(), err)
	}
	if err := os.Remove(p.recordName()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Result{}, diskFault("remove", p.recordName(), err)
	}
	return f.Result, syncFolder(filepath.Dir(p.path))
}

// close ends the use of the part. An empty one leaves nothing behind.
func (p *part) close() error {
	err := p.file.Close()
	if p.held() == 0 {
		return errors.Join(err, Discard(p.path))
	}
	return err
}

func (p *part) recordName() string { return PartPath(p.path) + recordSuffix }
