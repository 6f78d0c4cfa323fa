package publish

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/disk"
)

// Plain is one finished media file in scratch, not encrypted.
type Plain struct {
	Rendition string `json:"rendition"`
	Number    int    `json:"number"`
	Units     int    `json:"units"` // video frames, or audio packets
	KeyFrames int    `json:"keyFrames,omitempty"`
	Type      string `json:"type,omitempty"` // content type; fragmented MP4's when ""
	// IFrames are where the key frames lie in the file.
	IFrames []spool.IFrame `json:"iframes,omitempty"`
	Size    int64          `json:"size"`
	SHA256  string         `json:"sha256"`
}

func (p Plain) file() string { return fmt.Sprintf("%05d-%s.m4s", p.Number, p.Rendition) }

// Init is a rendition's init section in scratch: the section without its
// object, and its bytes. There are none in a container that needs no init
// section.
type Init struct {
	spool.InitSection
	Bytes []byte `json:"bytes"`
}

// Record is what a part's job made, all proofs passed.
type Record struct {
	Inits    []Init   `json:"inits"`
	Segments []Plain  `json:"segments"`
	Notes    []string `json:"notes,omitempty"` // in words, for a person
}

// Part is the folder of one job's files. It is for one goroutine, but for
// Write and Read, which may be called at once for different files.
type Part struct {
	dir     string
	resumed bool // the folder was there: some of it may be published
}

// OpenPart makes the folder of a job below the scratch folder of its
// revision. mark says with what the part is made; files made with another
// mark are thrown away.
func OpenPart(revision string, key spool.JobKey, mark any) (*Part, error) {
	p := &Part{dir: filepath.Join(revision, fmt.Sprintf("%s-%05d", key.Kind, key.Number))}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, p.trouble("make folder", p.dir, err)
	}
	want, err := json.Marshal(mark)
	if err != nil {
		return nil, fmt.Errorf("mark of %s: %w", key, err)
	}
	sum := sha256.Sum256(want)
	made := struct{ With string }{hex.EncodeToString(sum[:])}
	var have struct{ With string }
	if err := p.load(markFile, &have); err == nil && have == made {
		p.resumed = true
		return p, p.sweep()
	}
	if err := p.Clear(); err != nil {
		return nil, err
	}
	return p, p.save(markFile, made)
}

// sweep removes files that a crash left half-written.
func (p *Part) sweep() error {
	left, err := filepath.Glob(filepath.Join(p.dir, writing+"*"))
	if err != nil {
		return fmt.Errorf("sweep %s: %w", p.dir, err)
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil {
			return p.trouble("remove", path, err)
		}
	}
	return nil
}

// writing begins the names of files that are not whole yet.
const writing = ".writing-"

const (
	markFile     = "mark.json"
	completeFile = "complete.json"
	madeFile     = "made.json"
)

// Dir is the folder.
func (p *Part) Dir() string { return p.dir }

// Clear removes all files but the mark: the part is made anew.
func (p *Part) Clear() error {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return p.trouble("read folder", p.dir, err)
	}
	for _, e := range entries {
		if e.Name() == markFile {
			continue
		}
		if err := os.RemoveAll(filepath.Join(p.dir, e.Name())); err != nil {
			return p.trouble("remove", e.Name(), err)
		}
	}
	return nil
}

// Write makes a segment's file durable and fills in Size and SHA256.
func (p *Part) Write(s Plain, data []byte) (Plain, error) {
	sum := sha256.Sum256(data)
	s.Size, s.SHA256 = int64(len(data)), hex.EncodeToString(sum[:])
	return s, p.write(s.file(), data)
}

// Read gives a segment's bytes, when they are what Write wrote.
func (p *Part) Read(s Plain) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(p.dir, s.file()))
	if err != nil {
		return nil, fmt.Errorf("read segment %d of %s: %w", s.Number, s.Rendition, err)
	}
	sum := sha256.Sum256(data)
	if int64(len(data)) != s.Size || hex.EncodeToString(sum[:]) != s.SHA256 {
		return nil, fmt.Errorf("read segment %d of %s: %w", s.Number, s.Rendition, errChanged)
	}
	return data, nil
}

var errChanged = errors.New("the file is not what was written")

// Complete says that the part is made. All segments were written before.
func (p *Part) Complete(r Record) error { return p.save(completeFile, r) }

// Record gives what Complete saved, when every segment's file is there and
// unchanged.
func (p *Part) Record() (Record, bool) {
	var r Record
	if p.load(completeFile, &r) != nil {
		return Record{}, false
	}
	for _, s := range r.Segments {
		if _, err := p.Read(s); err != nil {
			return Record{}, false
		}
	}
	return r, true
}

// Checkpoint says that segment number is complete in all renditions, while
// the part is still being made.
func (p *Part) Checkpoint(number int, r Record) error {
	return p.save(checkpointFile(number), r)
}

// Checkpoints gives what consecutive checkpoints from segment first on hold,
// and how many they are.
func (p *Part) Checkpoints(first int) (Record, int) {
	var all Record
	for n := 0; ; n++ {
		var r Record
		if p.load(checkpointFile(first+n), &r) != nil {
			return all, n
		}
		for _, s := range r.Segments {
			if _, err := p.Read(s); err != nil {
				return all, n
			}
		}
		all.Inits = r.Inits
		all.Segments = append(all.Segments, r.Segments...)
	}
}

func checkpointFile(number int) string { return fmt.Sprintf("%05d.json", number) }

// Published says that all objects of the part are in the store, and frees the
// segments' files.
func (p *Part) Published(m spool.Made) error {
	if err := p.save(madeFile, m); err != nil {
		return err
	}
	for _, s := range m.Segments {
		plain := Plain{Rendition: s.Rendition, Number: s.Number}
		if err := os.Remove(filepath.Join(p.dir, plain.file())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p.trouble("remove", plain.file(), err)
		}
	}
	return nil
}

// Made gives what Published saved.
func (p *Part) Made() (spool.Made, bool) {
	var m spool.Made
	err := p.load(madeFile, &m)
	return m, err == nil
}

// Config gives the codec configuration that another part of the same
// revision recorded for a rendition, if it did.
func Config(revision string, key spool.JobKey, rendition string) ([]byte, bool) {
	p := &Part{dir: filepath.Join(revision, fmt.Sprintf("%s-%05d", key.Kind, key.Number))}
	var r Record
	if p.load(completeFile, &r) != nil {
		return nil, false
	}
	for _, i := range r.Inits {
		if i.Rendition == rendition {
			return i.Config, true
		}
	}
	return nil, false
}

func (p *Part) save(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	return p.write(name, data)
}

func (p *Part) load(name string, v any) error {
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		return fmt.Errorf("load %s: %w", name, err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("load %s: %w", name, err)
	}
	return nil
}

// write puts a file in place so that after a power cut it is whole or absent.
func (p *Part) write(name string, data []byte) (err error) {
	path := filepath.Join(p.dir, name)
	f, err := os.CreateTemp(p.dir, writing+"*")
	if err != nil {
		return p.trouble("make file for", name, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close() // the write has failed already
			_ = os.Remove(f.Name())
			err = p.trouble("write", name, err)
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	// What fsync refused is lost, and trying again would not bring it back:
	// the file is made anew.
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return disk.Sync(p.dir)
}

// trouble tells a full or broken disk from everything else.
func (p *Part) trouble(what, name string, err error) error {
	wrapped := fmt.Errorf("%s %s in scratch: %w", what, filepath.Base(name), err)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		free, _ := disk.Free(p.dir) // 0 when even that is refused
		return &spool.Error{
			Class: spool.Environment, Code: "no-space", Err: wrapped,
			Reason: fmt.Sprintf("the scratch disk is full: %d MB are free at %s", free>>20, p.dir),
			Hint:   "free some space or choose another folder with --work; the encode goes on by itself",
		}
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EIO),
		errors.Is(err, fs.ErrPermission):
		return &spool.Error{
			Class: spool.Environment, Code: "scratch-not-writable", Err: wrapped,
			Reason: "the scratch folder " + p.dir + " cannot be written",
			Hint:   "look at the disk, or choose another folder with --work",
		}
	}
	return wrapped
}
