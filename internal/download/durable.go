package download

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spool-video/spool/internal/disk"
)

// due reports whether it is time for a checkpoint, and nobody makes one: age is
// the longest time between two. Where they take little of it there are more.
func (p *part) due(bytes int64, age time.Duration) bool {
	if !p.saving.TryLock() {
		return false
	}
	defer p.saving.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	age = min(age, max(checkpointOften, idleFor*p.took))
	return p.got().Len()-p.Have.Len()-p.Gone.Len() >= bytes || time.Since(p.saved) >= age
}

// idleFor is how many times as long as a checkpoint takes there is none.
const idleFor = 25

// checkpoint makes all bytes that are here durable, then the record that says
// so. Others may go on writing meanwhile.
func (p *part) checkpoint() error {
	p.saving.Lock()
	defer p.saving.Unlock()
	next, err := p.snapshot()
	if err != nil || slices.Equal(next.Have, p.Have) && slices.Equal(next.Gone, p.Gone) {
		return err
	}
	if err := p.file.Sync(); err != nil {
		return p.lost(err)
	}
	if err := writeJSON(p.recordName(), next); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = time.Since(p.saved)
	p.Have, p.Gone, p.Hashed, p.Hash = next.Have, next.Gone, next.Hashed, next.Hash
	return nil
}

// saveIdle makes what is here durable when nothing has come for a while; the
// function that it returns ends that, and gives its error.
func (p *part) saveIdle() (end func() error) {
	var failed error
	done := make(chan struct{})
	timer := time.AfterFunc(checkpointOften, func() {
		defer close(done)
		failed = p.checkpoint()
	})
	return func() error {
		if timer.Stop() {
			return nil
		}
		<-done
		return failed
	}
}

// snapshot is the record as it will be true after the next fsync.
func (p *part) snapshot() (record, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.saved = time.Now()
	state, err := p.digest.save()
	if err != nil {
		return record{}, fmt.Errorf("checkpoint %s: %w", p.path, err)
	}
	next := p.record
	next.Have, next.Gone, next.Hashed, next.Hash = p.here, p.gone, p.digest.at, state
	return next, nil
}

// lost goes back to the last checkpoint: after a failed fsync nobody knows
// which of the newer bytes are on the disk, and a second fsync would not tell.
func (p *part) lost(cause error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.here, p.gone = p.Have.Without(p.goes), p.Gone
	// A state that was saved here can be loaded.
	p.digest, _ = loadDigest(p.Hash, p.Hashed)
	return diskFault("make durable", p.file.Name(), cause)
}

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
func syncFolder(dir string) error {
	if err := disk.Sync(dir); err != nil {
		return diskFault("make durable", dir, err)
	}
	return nil
}
