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
// wrapped, made on first use.
type keyring struct {
	ledger ledger.Ledger
	master *keys.Master
}

// Content gives the keys of segments from..to (exclusive) of a video's current
// revision. When it returns, the ledger has the keys: nothing is ever encrypted
// with one that could be lost.
func (k *keyring) Content(ctx context.Context, v spool.Video, from, to int) (spool.ContentKeys, error) {
	each := v.Settings.KeyRotation
	first, last := 0, 0
	if each > 0 {
		first, last = from/each, max(to-1, from)/each
	}
	all := make(spool.ContentKeys, 0, last-first+1)
	for n := first; n <= last; n++ {
		id := keys.ID(v.Revision, n, each > 0)
		uri, err := keys.ExpandURI(v.Settings.KeyURI, v.ID, id)
		if err != nil {
			return nil, err
		}
		all = append(all, spool.ContentKey{ID: id, URI: uri, First: n * each})
	}
	if err := k.make(ctx, v, all); err != nil {
		return nil, fmt.Errorf("keys of %s: %w", v.ID, err)
	}
	for i := range all {
		var err error
		if all[i].Bytes, err = k.Bytes(ctx, v.ID, all[i].ID); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// make makes the keys that the ledger does not have. Of what somebody else has
// made meanwhile the ledger keeps the first.
func (k *keyring) make(ctx context.Context, v spool.Video, all spool.ContentKeys) error {
	fresh := map[string][]byte{}
	for _, key := range all {
		_, err := k.ledger.Key(ctx, v.ID, key.ID)
		if err == nil {
			continue
		}
		if !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
		if k.master == nil {
			return noMaster(v.ID)
		}
		content, err := keys.NewContentKey()
		if err != nil {
			return err
		}
		if fresh[key.ID], err = k.master.Wrap(v.ID, key.ID, content); err != nil {
			return err
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return k.ledger.PutKeys(ctx, v.ID, fresh)
}

// Bytes gives a key that the ledger has.
func (k *keyring) Bytes(ctx context.Context, video, id string) ([]byte, error) {
	wrapped, err := k.ledger.Key(ctx, video, id)
	if err != nil {
		return nil, fmt.Errorf("key %s of %s: %w", id, video, err)
	}
	if k.master == nil {
		return nil, noMaster(video)
	}
	key, err := k.master.Unwrap(video, id, wrapped)
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
