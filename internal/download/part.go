package download

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

const (
	partSuffix   = ".part"
	recordSuffix = ".json"
	recordFormat = 1
)

// record is the side-file of a part. It never holds the URL's secrets.
type record struct {
	V            int    `json:"v"`
	Key          string `json:"key"` // identity of the URL
	URL          string `json:"url"` // redacted, for people
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"lastModified,omitempty"`
	ContentType  string `json:"contentType,omitempty"`
	Length       int64  `json:"length"` // of the whole file; -1 = unknown
	Done         int64  `json:"done"`   // bytes that are durable
	Hash         []byte `json:"hash,omitempty"`
}

// final is the side-file of a finished download.
type final struct {
	V        int    `json:"v"`
	Key      string `json:"key"`
	URL      string `json:"url"`
	Modified int64  `json:"modified"` // of the file, nanoseconds since 1970
	Result
}

// part is a file that is being downloaded, owned by one transfer.
type part struct {
	record
	path string // of the final file
	file *os.File
	sum  hash.Hash
	held int64 // bytes written, durable or not

	saved time.Time // last checkpoint
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
	var f final
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || readJSON(RecordPath(path), &f) != nil {
		return Result{}, false
	}
	same := f.V == recordFormat && f.Key == identity(u) &&
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

// openPart opens the part of path and puts it where its durable bytes end.
func openPart(path string, u *url.URL) (*part, error) {
	name := PartPath(path)
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, diskFault("open", name, err)
	}
	p := &part{path: path, file: file, saved: time.Now()}
	if p.restore(identity(u)) {
		err = p.cut(p.Done)
	} else {
		p.record = record{V: recordFormat, Key: identity(u), URL: redact(u)}
		err = p.reset()
	}
	if err != nil {
		_ = file.Close() // nothing was written that could be lost
		return nil, err
	}
	return p, nil
}

// restore loads the side-file; false means that the part is of no use.
func (p *part) restore(key string) bool {
	if readJSON(p.recordName(), &p.record) != nil || p.V != recordFormat || p.Key != key || p.Done <= 0 {
		return false
	}
	info, err := p.file.Stat()
	if err != nil || info.Size() < p.Done || p.Length >= 0 && p.Length < p.Done {
		return false
	}
	p.sum = sha256.New()
	state, ok := p.sum.(encoding.BinaryUnmarshaler)
	return ok && state.UnmarshalBinary(p.Hash) == nil
}

// reset forgets all bytes, and what the server said of them.
func (p *part) reset() error {
	p.sum = sha256.New()
	p.ETag, p.LastModified, p.ContentType, p.Length, p.Done, p.Hash = "", "", "", -1, 0, nil
	if err := p.cut(0); err != nil {
		return err
	}
	if err := os.Remove(p.recordName()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return diskFault("remove", p.recordName(), err)
	}
	return nil
}

// cut drops what lies after the first n bytes.
func (p *part) cut(n int64) error {
	if err := p.file.Truncate(n); err != nil {
		return diskFault("truncate", p.file.Name(), err)
	}
	if _, err := p.file.Seek(n, io.SeekStart); err != nil {
		return diskFault("seek in", p.file.Name(), err)
	}
	p.held = n
	return nil
}

func (p *part) write(b []byte) error {
	n, err := p.file.Write(b)
	p.held += int64(n)
	_, _ = p.sum.Write(b[:n]) // a hash never fails
	if err != nil {
		return diskFault("write", p.file.Name(), err)
	}
	return nil
}

// complete reports whether all bytes are here.
func (p *part) complete() bool { return p.Length > 0 && p.held == p.Length }

// checkpoint makes all bytes held durable, then the record that says so.
func (p *part) checkpoint() error {
	p.saved = time.Now()
	if p.held == p.Done {
		return nil
	}
	if err := p.file.Sync(); err != nil {
		return p.lost(err)
	}
	state, ok := p.sum.(encoding.BinaryMarshaler)
	if !ok {
		return fmt.Errorf("checkpoint %s: the hash cannot be saved", p.path)
	}
	saved, err := state.MarshalBinary()
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", p.path, err)
	}
	p.Done, p.Hash = p.held, saved
	return writeJSON(p.recordName(), p.record)
}

// lost goes back to the last checkpoint: after a failed fsync nobody knows
// which of the newer bytes are on the disk, and a second fsync would not tell.
func (p *part) lost(cause error) error {
	err := diskFault("make durable", p.file.Name(), cause)
	if p.Done == 0 || !p.restore(p.Key) {
		return errors.Join(err, p.reset())
	}
	return errors.Join(err, p.cut(p.Done))
}

// publish gives the complete part its final name.
func (p *part) publish() (Result, error) {
	p.Length = p.held
	if err := p.checkpoint(); err != nil {
		return Result{}, err
	}
	info, err := p.file.Stat()
	if err != nil {
		return Result{}, diskFault("stat", p.file.Name(), err)
	}
	f := final{V: recordFormat, Key: p.Key, URL: p.URL, Modified: info.ModTime().UnixNano(), Result: Result{
		Size: p.held, SHA256: hex.EncodeToString(p.sum.Sum(nil)), ContentType: p.ContentType, ETag: p.ETag,
	}}
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
	if p.held == 0 {
		return errors.Join(err, Discard(p.path))
	}
	return err
}

func (p *part) recordName() string { return PartPath(p.path) + recordSuffix }

func readJSON(name string, v any) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// writeJSON replaces a side-file in one durable step.
func writeJSON(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	temp := name + ".new"
	if err := writeSynced(temp, b); err != nil {
		return diskFault("write", temp, err)
	}
	if err := os.Rename(temp, name); err != nil {
		return diskFault("rename", temp, err)
	}
	return syncFolder(filepath.Dir(name))
}

func writeSynced(name string, b []byte) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Sync()
}

// syncFolder makes names in a folder durable, where the file system can.
func syncFolder(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return diskFault("open", dir, err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Sync(); err != nil && !refused(err) {
		return diskFault("make durable", dir, err)
	}
	return nil
}
