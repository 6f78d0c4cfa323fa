package publish

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/spool-video/spool"
)

func TestFullScratch(t *testing.T) {
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=128k")
	if errors.Is(err, syscall.EPERM) {
		t.Skip("a full disk needs the right to mount a small tmpfs")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	p := open(t, dir, "mark")
	_, err = p.Write(Plain{Rendition: "v0-360p"}, make([]byte, 1<<20))
	var e *spool.Error
	if !errors.As(err, &e) || e.Class != spool.Environment || e.Code != "no-space" || e.Hint == "" {
		t.Fatalf("%v", err)
	}
	// What was half-written is gone: there is room again.
	write(t, p, 1)
}

// mounted is a network mount: its files can be synced, and of its folders it
// says something else.
type mounted struct {
	fs.LoopbackNode
	says syscall.Errno
}

func (m *mounted) Fsync(ctx context.Context, f fs.FileHandle, flags uint32) syscall.Errno {
	if file, ok := f.(fs.FileFsyncer); ok {
		return file.Fsync(ctx, flags)
	}
	return m.says
}

// OpendirHandle hides the folder's own handle, whose fsync would work.
func (m *mounted) OpendirHandle(ctx context.Context, _ uint32) (fs.FileHandle, uint32, syscall.Errno) {
	stream, errno := m.Readdir(ctx)
	return &listing{stream}, 0, errno
}

type listing struct{ stream fs.DirStream }

func (l *listing) Readdirent(context.Context) (*fuse.DirEntry, syscall.Errno) {
	if !l.stream.HasNext() {
		return nil, 0
	}
	entry, errno := l.stream.Next()
	return &entry, errno
}

func (l *listing) Releasedir(context.Context, uint32) { l.stream.Close() }

func mountSaying(t *testing.T, says syscall.Errno) string {
	t.Helper()
	dir := t.TempDir()
	data := &fs.LoopbackRoot{Path: t.TempDir()}
	data.NewNode = func(root *fs.LoopbackRoot, _ *fs.Inode, _ string, _ *syscall.Stat_t) fs.InodeEmbedder { //nolint:staticcheck // its successor wraps nodes; these are made
		return &mounted{fs.LoopbackNode{RootData: root}, says}
	}
	data.RootNode = &mounted{fs.LoopbackNode{RootData: data}, says}
	server, err := fs.Mount(dir, data.RootNode, &fs.Options{MountOptions: fuse.MountOptions{FsName: "scratch"}})
	if err != nil {
		t.Skipf("may not mount a FUSE folder: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// Scratch may lie where folders cannot be synced; one that fails to is no
// place for it.
func TestScratchThatCannotSyncFolders(t *testing.T) {
	for _, says := range []syscall.Errno{syscall.EINVAL, syscall.ENOTSUP} {
		p := open(t, mountSaying(t, says), "mark")
		if _, err := p.Read(write(t, p, 1)); err != nil {
			t.Errorf("%v: %v", says, err)
		}
	}
	_, err := OpenPart(mountSaying(t, syscall.EIO), key, "mark")
	var e *spool.Error
	if !errors.As(err, &e) || e.Class != spool.Environment || e.Code != "scratch-not-writable" {
		t.Errorf("a broken disk: %v", err)
	}
}
