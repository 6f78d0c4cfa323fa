// Package remote is a store in any of the stores that rclone speaks to: S3,
// Swift, SFTP, SMB, WebDAV and others. It is the only package that knows
// rclone.
//
// What an object store puts is there whole or not at all. Where files are
// written piece by piece, an object is written under a temporary name and
// renamed when it is confirmed. Every put is confirmed: the store is asked for
// the object's size and checksum, and where it knows none the object is read
// back. A token object tells the store from every other.
package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	rclone "github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config"
	"github.com/rclone/rclone/fs/hash"
	"github.com/rclone/rclone/lib/atexit"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
)

const (
	tokenName = ".spool-store" // holds a random ID, made once
	tempName  = ".spool-tmp"   // folder of what is being written

	connecting = 20 * time.Second
)

var _ store.Store = (*Store)(nil)

// Options are how a store is opened; the zero value is usual.
type Options struct {
	// Remotes reads the user's remotes. It is called for every connection, so
	// that credentials which were renewed are found.
	Remotes func() (Remotes, error)
	// Token is the Token of an earlier Open of the same destination: a store
	// that has another one is not it. "" takes any.
	Token string
	// ReadOnly: nothing is made or swept, and Put and Delete fail. The store is
	// not asked for anything before it is used.
	ReadOnly bool
	// VerifyRead: what is put is read back, even where the store gives a
	// checksum.
	VerifyRead bool
	// SweepAge is how old a temporary file must be for Open to delete it; it
	// must be longer than any one Put. 0 is an hour.
	SweepAge time.Duration
	// CheckEvery is how often the token is looked at while all goes well. 0 is
	// 30 seconds.
	CheckEvery time.Duration
	// Rest is how long to wait before a second try; each next one waits twice
	// as long. 0 is 250 ms.
	Rest time.Duration
	// Silence is how long a server may say nothing. 0 is a minute.
	Silence time.Duration
}

// Store is an open store.
type Store struct {
	at   spool.RemotePath
	o    Options
	kind kind
	puts turns
	busy overload

	// folders is held for reading while an object is moved into a folder that
	// must stay, for writing while empty folders are removed.
	folders sync.RWMutex

	mu      sync.Mutex // owns what follows
	fs      rclone.Fs  // nil: not connected yet
	unasked rclone.Fs  // as fs, for objects that nobody asked for before; nil: not needed yet
	sum     hash.Type  // what the store is asked for after a put
	token   string
	checked time.Time // when the token was last seen
	ranges  *bool     // whether a web server gives files from any place on; nil: not asked yet
}

// Open opens a place as a store: a folder is made when it is not there, a
// bucket is not. A store that is away, or does not let us in, is an Environment
// spool.Error.
func Open(ctx context.Context, at spool.RemotePath, o Options) (*Store, error) {
	if o.SweepAge == 0 {
		o.SweepAge = time.Hour
	}
	if o.CheckEvery == 0 {
		o.CheckEvery = 30 * time.Second
	}
	if o.Rest == 0 {
		o.Rest = 250 * time.Millisecond
	}
	if o.Silence == 0 {
		o.Silence = time.Minute
	}
	s := &Store{at: at, o: o}
	remotes, err := o.Remotes()
	if err != nil {
		return nil, err
	}
	info, _, err := remotes.find(at.Remote)
	if err != nil {
		return nil, err
	}
	s.kind = kinds[info.Name]
	if s.kind.readOnly && !o.ReadOnly {
		return nil, onlyRead(at, info.Name)
	}
	if o.ReadOnly {
		return s, nil
	}
	if err := s.open(ctx); err != nil {
		_ = s.Close() // the error that matters is the one at hand
		return nil, err
	}
	return s, nil
}

// Token is what tells this store from every other; keep it, and give it to the
// next Open. "" when a store is only read.
func (s *Store) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token
}

// Properties states what the store can do.
func (s *Store) Properties() store.Properties {
	return store.Properties{
		Address: s.at.String(), AtomicPut: s.kind.atomicPut && !s.kind.blinks || s.kind.atomicMove,
		Checksum: true, // Put confirms what it put
	}
}

// Close gives the connections back; a store that is closed cannot be used.
func (s *Store) Close() error {
	s.mu.Lock()
	f, other := s.fs, s.unasked
	s.fs, s.unasked = nil, nil
	s.mu.Unlock()
	if err := errors.Join(disconnect(f), disconnect(other)); err != nil {
		return fmt.Errorf("close %s: %w", s.at, err)
	}
	return nil
}

func disconnect(f rclone.Fs) error {
	if f == nil || f.Features().Shutdown == nil {
		return nil
	}
	const long = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	return f.Features().Shutdown(ctx)
}

// open connects, makes what is missing and sweeps what was left.
func (s *Store) open(ctx context.Context) error {
	return s.again(ctx, "open", "", func(ctx context.Context) error {
		f, err := s.live(ctx)
		if err != nil {
			return err
		}
		if !s.kind.atomicPut { // it has folders
			if err := f.Mkdir(ctx, ""); err != nil {
				return err
			}
		}
		if err := s.identify(ctx, f); err != nil {
			return err
		}
		return s.sweep(ctx, f)
	})
}

// live gives the connected store.
func (s *Store) live(ctx context.Context) (rclone.Fs, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fs != nil {
		return s.fs, nil
	}
	remotes, err := s.o.Remotes()
	if err != nil {
		return nil, err
	}
	// The store outlives the call that happened to connect it.
	f, err := remotes.connect(context.WithoutCancel(ctx), s.at, s.o.Silence, nil)
	if errors.Is(err, rclone.ErrorIsFile) {
		return nil, errors.Join(notAFolder(s.at), disconnect(f))
	}
	if err != nil {
		return nil, &connectError{err}
	}
	if f.Features().BucketBased && f.Root() == "" {
		return nil, noBucket(s.at)
	}
	if !s.o.ReadOnly {
		s.sum = sumOf(f) // once, and by one: rclone finds it out without a lock
	}
	s.fs = f
	return f, nil
}

// blind gives the store in which objects are opened unasked.
func (s *Store) blind(ctx context.Context) (rclone.Fs, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unasked != nil {
		return s.unasked, nil
	}
	remotes, err := s.o.Remotes()
	if err != nil {
		return nil, err
	}
	if s.unasked, err = remotes.connect(context.WithoutCancel(ctx), s.at, s.o.Silence, s.kind.unasked); err != nil {
		s.unasked = nil // whatever came with the error
		return nil, &connectError{err}
	}
	return s.unasked, nil
}

// forget makes the next call connect anew.
func (s *Store) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fs, s.unasked = nil, nil // others may be using them; they close what they hold when nobody does
}

// quiet keeps rclone's log off the terminal: what matters of it comes as an
// error, too. Nor does rclone ask anything there.
var quiet = sync.OnceFunc(func() {
	settings := rclone.GetConfig(context.Background())
	settings.LogLevel = rclone.LogLevelEmergency
	settings.AskPassword = false
	atexit.IgnoreSignals() // or it would end the process at Ctrl-C, in the middle of everything
	// What rclone makes at its first use, or copies while others may be making
	// it, is made here, by one.
	config.LoadedData()
	if shared, ok := http.DefaultTransport.(*http.Transport); ok {
		shared.CloseIdleConnections()
	}
})
