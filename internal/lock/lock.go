// Package lock lets one process at a time work on a destination.
package lock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/spool-video/spool"
)

// Holder is who holds a lock.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
}

// Lock is a held lock. The kernel gives it up when the process ends, however
// it ends.
type Lock struct {
	// Abandoned: who held it before ended without Release, killed perhaps.
	Abandoned bool

	file *flock.Flock
	who  string
}

// ErrHeld is wrapped by the error of Acquire when another process holds the
// lock.
var ErrHeld = errors.New("the lock is held")

// A look by Held takes the lock for an instant; that is no holder.
const (
	lookTakes = 250 * time.Millisecond
	tryEvery  = 10 * time.Millisecond
)

// Acquire takes the lock of a state folder, or tells who has it.
func Acquire(ctx context.Context, dir, command string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unusable(dir, fmt.Errorf("make state folder %s: %w", dir, err))
	}
	l := &Lock{file: flock.New(filepath.Join(dir, "lock")), who: filepath.Join(dir, "lock.json")}
	patient, cancel := context.WithTimeout(ctx, lookTakes)
	defer cancel()
	got, err := l.file.TryLockContext(patient, tryEvery)
	switch {
	case ctx.Err() != nil:
		return nil, errors.Join(ctx.Err(), l.file.Close())
	case errors.Is(err, context.DeadlineExceeded):
		return nil, errors.Join(held(dir), l.file.Close())
	case err != nil || !got:
		return nil, unusable(dir, fmt.Errorf("lock %s: %w", dir, err))
	}
	_, err = os.Stat(l.who)
	l.Abandoned = err == nil
	if err := l.sign(command); err != nil {
		return nil, errors.Join(unusable(dir, err), l.Release())
	}
	return l, nil
}

// unusable is the error of a state folder in which nothing can be written.
func unusable(dir string, err error) error {
	reason := "the state folder " + dir + " cannot be written"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		reason = "no space is left in the state folder " + dir
	}
	return &spool.Error{
		Class: spool.Environment, Code: "state-not-writable", Err: err, Reason: reason,
		Hint: "make room or permit writing there, or choose another folder with --state DIR",
	}
}

// Held tells whether somebody holds the lock of a state folder now, and who.
func Held(ctx context.Context, dir string) (Holder, bool) {
	probe := flock.New(filepath.Join(dir, "lock"))
	if _, err := os.Stat(probe.Path()); err != nil || ctx.Err() != nil {
		return Holder{}, false
	}
	if got, err := probe.TryRLock(); err != nil || got {
		_ = probe.Close()
		return Holder{}, false
	}
	return read(dir), true
}

// Release gives the lock up.
func (l *Lock) Release() error {
	_ = os.Remove(l.who)
	return l.file.Close()
}

// sign leaves word of who holds the lock, for whoever finds it held.
func (l *Lock) sign(command string) error {
	host, _ := os.Hostname()
	b, err := json.Marshal(Holder{PID: os.Getpid(), Host: host, Command: command, Since: time.Now().UTC()})
	if err != nil {
		return fmt.Errorf("sign lock: %w", err)
	}
	if err := os.WriteFile(l.who, b, 0o600); err != nil {
		return fmt.Errorf("sign lock: %w", err)
	}
	return nil
}

func read(dir string) Holder {
	var h Holder
	if b, err := os.ReadFile(filepath.Join(dir, "lock.json")); err == nil {
		_ = json.Unmarshal(b, &h)
	}
	return h
}

func held(dir string) error {
	h := read(dir)
	who := "another process"
	if h.PID != 0 {
		who = fmt.Sprintf("process %d on %s (spool %s, since %s)", h.PID, h.Host, h.Command, h.Since.Local().Format("15:04:05"))
	}
	return &spool.Error{
		Class: spool.Environment, Code: "locked", Err: ErrHeld,
		Reason: "this destination is being worked on by " + who,
		Hint:   "wait for it to end, or stop it; spool ls shows how far it is",
	}
}
