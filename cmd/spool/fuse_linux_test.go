package main

import (
	"context"
	"os"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// rude is a mounted bucket that neither syncs nor renames.
type rude struct{ fs.LoopbackNode }

func (*rude) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno { return syscall.ENOTSUP }

func (*rude) Rename(context.Context, string, fs.InodeEmbedder, string, uint32) syscall.Errno {
	return syscall.ENOSYS
}

// OpendirHandle hides the folder's own handle, whose fsync would work.
func (r *rude) OpendirHandle(ctx context.Context, _ uint32) (fs.FileHandle, uint32, syscall.Errno) {
	stream, errno := r.Readdir(ctx)
	return &folderStream{stream}, 0, errno
}

type folderStream struct{ stream fs.DirStream }

func (f *folderStream) Readdirent(context.Context) (*fuse.DirEntry, syscall.Errno) {
	if !f.stream.HasNext() {
		return nil, 0
	}
	entry, errno := f.stream.Next()
	return &entry, errno
}

func (f *folderStream) Releasedir(context.Context, uint32) { f.stream.Close() }

// A mounted bucket that refuses fsync and rename takes a video all the same,
// also when spool is killed in between.
func TestRudeBucket(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for _, dir := range []string{"behind", "bucket"} {
		if err := os.Mkdir(h.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	data := &fs.LoopbackRoot{Path: h.path("behind")}
	data.NewNode = func(root *fs.LoopbackRoot, _ *fs.Inode, _ string, _ *syscall.Stat_t) fs.InodeEmbedder {
		return &rude{fs.LoopbackNode{RootData: root}}
	}
	root := &rude{fs.LoopbackNode{RootData: data}}
	data.RootNode = root
	server, err := fs.Mount(h.path("bucket"), root, &fs.Options{MountOptions: fuse.MountOptions{FsName: "bucket"}})
	if err != nil {
		t.Skipf("a FUSE folder may not be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	h.gate(t)
	c := h.start(t, "run", "film.mp4", "--keys", "keys")
	h.held(t, c)
	c.signal(t, os.Kill)
	<-c.ended
	h.open(t)
	h.do(t, exitReady, "run", "--keys", "keys")
	h.good(t, 1)
}
