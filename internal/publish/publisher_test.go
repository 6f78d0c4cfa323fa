package publish

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/folder"
)

// liar is a store that says of every Put that it went well.
type liar struct{ store.Store }

func (l liar) Put(ctx context.Context, name string, body io.ReadSeeker, o store.PutOptions) error {
	if _, err := body.Seek(1, io.SeekStart); err != nil {
		return err
	}
	return l.Store.Put(ctx, name, body, o)
}

func TestLyingStoreIsFoundOut(t *testing.T) {
	bucket, err := folder.Open(t.TempDir(), folder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if bucket.Properties().Checksum {
		t.Log("this store compares checksums itself")
	}
	target := Publisher{Store: liar{bucket}, Uploads: flow.NewSlots(1)}.Target(spool.Job{JobKey: key})
	err = target.put(t.Context(), spool.Object{Name: "r/x", SHA256: "00"}, []byte("media"))
	var e *spool.Error
	if !bucket.Properties().Checksum && (!errors.As(err, &e) || e.Code != "store-changed-bytes") {
		t.Errorf("%v", err)
	}
}

func TestInitIsPutOnce(t *testing.T) {
	dir := t.TempDir()
	bucket, err := folder.Open(dir, folder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	target := Publisher{Store: bucket, Uploads: flow.NewSlots(1)}.Target(spool.Job{JobKey: key})
	init := Init{InitSection: spool.InitSection{Rendition: "v0-360p"}, Bytes: []byte("init")}
	first, err := target.Init(t.Context(), init)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "v", first.Name)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := target.Init(t.Context(), init); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the init section was put twice: %v", err)
	}
	made := spool.Made{Inits: []spool.InitSection{first}}
	if there, err := target.Has(t.Context(), made); !there || err != nil {
		t.Errorf("%v, %v", there, err)
	}
	if err := os.Truncate(path, 1); err != nil {
		t.Fatal(err)
	}
	if there, err := target.Has(t.Context(), made); there || err != nil {
		t.Errorf("a short object is taken for whole: %v", err)
	}
}
