package main

import (
	"context"
	"maps"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/intake"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/folder"
	"github.com/spool-video/spool/internal/store/remote"
)

// opened is a store that was opened, whichever engine it is of.
type opened interface {
	store.Store
	Token() string // tells it from every other; "" when it was never written to
	Close() error
}

// remotes reads the user's remotes: those of rclone's file, and over them
// those of the config file.
func remotes(cfg config.Config) func() (remote.Remotes, error) {
	return func() (remote.Remotes, error) {
		path := cfg.RcloneConfig
		if path == "" {
			path = remote.UsualConfig()
		}
		all, err := remote.ReadRemotes(path)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, cfg.Remotes)
		return all, nil
	}
}

// toRead opens the destination for reading: nothing is made in it.
func toRead(ctx context.Context, cfg config.Config) (opened, error) {
	if at, ok := cfg.RemoteTo(); ok {
		return orNil(remote.Open(ctx, at, remote.Options{Remotes: remotes(cfg), ReadOnly: true}))
	}
	return orNil(folder.Open(cfg.To, folder.Options{ReadOnly: true}))
}

// toWrite opens the destination for writing. token is that of an earlier
// opening, or "" for any.
func toWrite(ctx context.Context, cfg config.Config, token string) (opened, error) {
	if at, ok := cfg.RemoteTo(); ok {
		return orNil(remote.Open(ctx, at, remote.Options{Remotes: remotes(cfg), Token: token, VerifyRead: cfg.VerifyRead}))
	}
	return orNil(folder.Open(cfg.To, folder.Options{Token: token}))
}

// orNil keeps a nil pointer from being a store.
func orNil[S opened](s S, err error) (opened, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// inStores lets intake look for sources in stores.
type inStores struct{ *remote.Sources }

// Look finds a file, or those of a folder.
func (s inStores) Look(ctx context.Context, at spool.RemotePath) ([]intake.StoredFile, bool, error) {
	files, folder, err := s.Sources.Look(ctx, at)
	found := make([]intake.StoredFile, len(files))
	for i, f := range files {
		found[i] = intake.StoredFile(f)
	}
	return found, folder, err
}
