package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/ledger"
)

// keyring gives the content keys of revisions: from the ledger, where they lie
// wrapped, made on first use. A revision's key is named like the revision.
type keyring struct {
	ledger ledger.Ledger
	master *keys.Master
}

// Content gives the key of a video's current revision. When it returns, the
// ledger has the key: nothing is ever encrypted with one that could be lost.
func (k *keyring) Content(ctx context.Context, v spool.Video) (*spool.ContentKey, error) {
	wrapped, err := k.ledger.Key(ctx, v.ID, v.Revision)
	if errors.Is(err, ledger.ErrNotFound) {
		wrapped, err = k.make(ctx, v)
	}
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", v.ID, err)
	}
	key, err := k.open(v.ID, v.Revision, wrapped)
	if err != nil {
		return nil, err
	}
	uri, err := keys.ExpandURI(v.Settings.KeyURI, v.ID, v.Revision)
	if err != nil {
		return nil, err
	}
	return &spool.ContentKey{ID: v.Revision, Bytes: key, URI: uri}, nil
}

// Bytes gives the key of any revision that the ledger has one for.
func (k *keyring) Bytes(ctx context.Context, video, revision string) ([]byte, error) {
	wrapped, err := k.ledger.Key(ctx, video, revision)
	if err != nil {
		return nil, fmt.Errorf("key %s of %s: %w", revision, video, err)
	}
	return k.open(video, revision, wrapped)
}

func (k *keyring) open(video, revision string, wrapped []byte) ([]byte, error) {
	if k.master == nil {
		return nil, noMaster(video)
	}
	key, err := k.master.Unwrap(video, revision, wrapped)
	if err != nil {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "wrong-master-key", Err: err,
			Reason: "the key of " + video + " does not open with the master key in the state folder",
			Hint:   "put back the master.key that belongs to this ledger",
		}
	}
	return key, nil
}

func noMaster(video string) error {
	return &spool.Error{
		Class: spool.Environment, Code: "no-master-key",
		Reason: "the master key that the key of " + video + " is wrapped with is not in the state folder",
		Hint:   "put back the master.key that belongs to this ledger",
	}
}

func (k *keyring) make(ctx context.Context, v spool.Video) ([]byte, error) {
	if k.master == nil {
		return nil, noMaster(v.ID)
	}
	key, err := keys.NewContentKey()
	if err != nil {
		return nil, err
	}
	wrapped, err := k.master.Wrap(v.ID, v.Revision, key)
	if err != nil {
		return nil, err
	}
	if err := k.ledger.PutKey(ctx, v.ID, v.Revision, wrapped); err != nil {
		return nil, err
	}
	// What was there first counts, should somebody else have made one.
	return k.ledger.Key(ctx, v.ID, v.Revision)
}
