package main

import (
	"context"
	"os"
	"strings"
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

// mountFUSE mounts a folder whose nodes are made by node.
func mountFUSE(t *testing.T, h *home, dir string, node func(*fs.LoopbackRoot) fs.InodeEmbedder) {
	t.Helper()
	behind := "behind-" + dir
	for _, name := range []string{behind, dir} {
		if err := os.Mkdir(h.path(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	data := &fs.LoopbackRoot{Path: h.path(behind)}
	data.NewNode = func(root *fs.LoopbackRoot, _ *fs.Inode, _ string, _ *syscall.Stat_t) fs.InodeEmbedder { //nolint:staticcheck // its successor wraps nodes; these are made
		return node(root)
	}
	data.RootNode = node(data)
	server, err := fs.Mount(h.path(dir), data.RootNode, &fs.Options{MountOptions: fuse.MountOptions{FsName: "bucket"}})
	if err != nil {
		t.Skipf("a FUSE folder may not be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
}

// A mounted bucket that refuses fsync and rename takes a video all the same,
// also when spool is killed in between.
func TestRudeBucket(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	mountFUSE(t, h, "bucket", func(root *fs.LoopbackRoot) fs.InodeEmbedder { return &rude{fs.LoopbackNode{RootData: root}} })
	h.gate(t)
	c := h.start(t, "run", "film.mp4", "--keys", "keys")
	h.held(t, c)
	c.signal(t, os.Kill)
	<-c.ended
	h.open(t)
	h.do(t, exitReady, "run", "--keys", "keys")
	h.good(t, 1)
}

// locked is a folder in which "locked" can be read by nobody, not even root.
type locked struct{ fs.LoopbackNode }

func (l *locked) OpendirHandle(ctx context.Context, _ uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if _, parent := l.EmbeddedInode().Parent(); parent != nil {
		return nil, 0, syscall.EACCES
	}
	stream, errno := l.Readdir(ctx)
	return &folderStream{stream}, 0, errno
}

// A folder of sources that cannot be read costs no other source.
func TestUnreadableSources(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	mountFUSE(t, h, "movies", func(root *fs.LoopbackRoot) fs.InodeEmbedder { return &locked{fs.LoopbackNode{RootData: root}} })
	if err := os.Mkdir(h.path("movies", "locked"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(h.path("film.mp4"), h.path("behind-movies", "film.mp4")); err != nil {
		t.Fatal(err)
	}
	said := h.do(t, exitSomeFailed, "run", "movies")
	if !strings.Contains(said, "locked") || !strings.Contains(said, "1 ready · 1 failed") {
		t.Errorf("it does not say what could not be read:\n%s", said)
	}
	h.good(t, 1)
}
