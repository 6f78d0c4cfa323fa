package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	rclone "github.com/rclone/rclone/fs"
)

// own reports whether a name is the store's own, and no object's.
func own(name string) bool {
	return name == tokenName || name == tempName || strings.HasPrefix(name, tempName+"/")
}

// readToken reads the store's token, "" when it has none.
func readToken(ctx context.Context, f rclone.Fs) (string, error) {
	o, err := f.NewObject(ctx, tokenName)
	if missing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	r, err := o.Open(ctx)
	if missing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	const most = 256
	b, err := io.ReadAll(io.LimitReader(r, most))
	return strings.TrimSpace(string(b)), errors.Join(err, r.Close())
}

// identify looks whether the store is the expected one, and gives a new one
// its token.
func (s *Store) identify(ctx context.Context, f rclone.Fs) error {
	token, err := readToken(ctx, f)
	if err != nil {
		return err
	}
	if token != "" && s.o.Token != "" && token != s.o.Token {
		return another(s.at)
	}
	if token == "" {
		// A bucket that does not exist has no token, too.
		if _, err := f.List(ctx, ""); err != nil {
			return err
		}
		token = rand.Text()
		if err := s.write(ctx, f, tokenName, strings.NewReader(token+"\n"), tokenOptions); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.checked = token, time.Now()
	return nil
}

// check makes sure, now and then, that the store is still the same: behind a
// server another disk may lie.
func (s *Store) check(ctx context.Context, f rclone.Fs) error {
	s.mu.Lock()
	want, fresh := s.token, s.token == "" || time.Since(s.checked) < s.o.CheckEvery
	s.mu.Unlock()
	if fresh {
		return nil
	}
	if s.kind.unasked != nil { // whoever waits for this waits for one answer less
		unasked, err := s.blind(ctx)
		if err != nil {
			return err
		}
		f = unasked
	}
	token, err := readToken(ctx, f)
	if err != nil {
		return err
	}
	if token != want {
		return another(s.at)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checked = time.Now()
	return nil
}

// sweep deletes what an earlier run was writing when it was killed.
func (s *Store) sweep(ctx context.Context, f rclone.Fs) error {
	if s.kind.atomicPut {
		return nil // what is written in one step leaves nothing
	}
	entries, err := f.List(ctx, tempName)
	if errors.Is(err, rclone.ErrorDirNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		o, ok := entry.(rclone.Object)
		if !ok || time.Since(o.ModTime(ctx)) < s.o.SweepAge {
			continue // somebody is at it
		}
		if err := o.Remove(ctx); err != nil && !missing(err) {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	return nil
}

// temporary is a new name for what is being written.
func temporary() string { return path.Join(tempName, rand.Text()) }
