package folder_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/folder"
	"github.com/spool-video/spool/internal/store/storetest"
)

// manners are those of a mounted bucket.
type manners struct {
	fsync  syscall.Errno // what fsync of a file or folder says
	rename syscall.Errno // what rename says
	lies   bool          // the last byte of each write is lost, without a word
	broken *atomic.Bool  // while true, fsync says that the disk is at fault; may be nil
}

// bucket is a mounted folder with such manners.
type bucket struct {
	fs.LoopbackNode
	manners
}

func (b *bucket) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	if b.broken != nil && b.broken.Load() {
		return syscall.EIO
	}
	return b.fsync
}

func (b *bucket) Rename(ctx context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if b.rename != 0 {
		return b.rename
	}
	return b.LoopbackNode.Rename(ctx, name, parent, newName, flags)
}

// OpendirHandle hides the folder's own handle, whose fsync would work.
func (b *bucket) OpendirHandle(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	stream, errno := b.Readdir(context.Background())
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

func (b *bucket) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	node, handle, fuseFlags, errno := b.LoopbackNode.Create(ctx, name, flags, mode, out)
	if b.lies && errno == 0 {
		handle = &liar{handle}
	}
	return node, handle, fuseFlags, errno
}

// liar is a file that says it has written all of it.
type liar struct{ file fs.FileHandle }

func (l *liar) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	if _, errno := l.file.(fs.FileWriter).Write(ctx, data[:len(data)-1], off); errno != 0 {
		return 0, errno
	}
	return uint32(len(data)), 0
}

func (l *liar) Flush(ctx context.Context) syscall.Errno { return l.file.(fs.FileFlusher).Flush(ctx) }

func (l *liar) Release(ctx context.Context) syscall.Errno {
	return l.file.(fs.FileReleaser).Release(ctx)
}

// mountBucket mounts such a bucket until the end of the test; die ends it like
// a program that serves it and is killed.
func mountBucket(t *testing.T, m manners) (dir string, die func()) {
	t.Helper()
	behind, dir := t.TempDir(), t.TempDir()
	data := &fs.LoopbackRoot{Path: behind}
	data.NewNode = func(root *fs.LoopbackRoot, _ *fs.Inode, _ string, _ *syscall.Stat_t) fs.InodeEmbedder { //nolint:staticcheck // its successor wraps nodes; these are made
		return &bucket{fs.LoopbackNode{RootData: root}, m}
	}
	root := &bucket{fs.LoopbackNode{RootData: data}, m}
	data.RootNode = root
	server, err := fs.Mount(dir, root, &fs.Options{MountOptions: fuse.MountOptions{FsName: "bucket"}})
	if err != nil {
		t.Skipf("may not mount a FUSE folder: %v", err)
	}
	dead := false
	t.Cleanup(func() {
		if dead {
			return
		}
		if err := server.Unmount(); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir, func() {
		if err := syscall.Unmount(dir, syscall.MNT_FORCE|syscall.MNT_DETACH); err != nil {
			t.Skipf("may not unmount by force: %v", err)
		}
		dead = true
		server.Wait()
	}
}

func TestConformanceOfMountedBuckets(t *testing.T) {
	for name, c := range map[string]struct {
		manners
		atomic bool
	}{
		"refuses fsync":            {manners{fsync: syscall.EINVAL}, true},
		"refuses fsync and rename": {manners{fsync: syscall.ENOTSUP, rename: syscall.ENOSYS}, false},
		"does not permit renaming": {manners{rename: syscall.EPERM}, false},
		"renames only what is new": {manners{rename: syscall.EEXIST}, false},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) store.Store {
				dir, _ := mountBucket(t, c.manners)
				s := open(t, dir, folder.Options{})
				if p := s.Properties(); p.AtomicPut != c.atomic || p.Checksum == c.atomic {
					t.Errorf("properties %+v, want atomic: %v, and to read back otherwise", p, c.atomic)
				}
				return s
			})
		})
	}
}

// Where nothing can be renamed, what is written is read back: a bucket that
// loses a byte is found out.
func TestLostByteIsFound(t *testing.T) {
	dir, _ := mountBucket(t, manners{rename: syscall.ENOSYS, lies: true})
	s, err := folder.Open(dir, folder.Options{})
	if err == nil {
		t.Fatal("opened", s.Close())
	}
	if e := spool.AsError(err); e.Class != spool.Transient || !strings.Contains(err.Error(), "read back") {
		t.Errorf("open = %v, want a transient error about what was read back", err)
	}
}

// A disk that reports an error at fsync has lost what was written, and a
// second fsync would say that all is well: the old object stays, and the next
// put writes all of it again.
func TestFailedFsyncPutsNothing(t *testing.T) {
	broken := &atomic.Bool{}
	dir, _ := mountBucket(t, manners{broken: broken})
	s := open(t, dir, folder.Options{})
	mustPut(t, s, "v/a")
	broken.Store(true)
	err := s.Put(t.Context(), "v/a", strings.NewReader("new"), store.PutOptions{})
	if !errors.Is(err, syscall.EIO) || spool.AsError(err).Class != spool.Transient {
		t.Errorf("put = %v, want the disk's error, to be tried again", err)
	}
	if b, err := os.ReadFile(dir + "/v/a"); err != nil || string(b) != "v/a" {
		t.Errorf("v/a holds %q, %v; want what was there", b, err)
	}
	if left, err := os.ReadDir(dir + "/.spool-tmp"); err != nil || len(left) != 0 {
		t.Errorf("temporary files: %v, %v; want none", left, err)
	}
	broken.Store(false)
	mustPut(t, s, "v/a", "v/b")
}

// A bucket that is unmounted while it is in use is away; nothing is written
// into the empty folder below it, and it is found again.
func TestUnmountedBucketIsAway(t *testing.T) {
	behind := t.TempDir()
	mountpoint := t.TempDir()
	bind := func() {
		t.Helper()
		if err := syscall.Mount(behind, mountpoint, "", syscall.MS_BIND, ""); err != nil {
			t.Skipf("may not mount: %v", err)
		}
	}
	unbind := func() {
		if err := syscall.Unmount(mountpoint, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}
	bind()
	s := open(t, mountpoint, folder.Options{CheckEvery: time.Nanosecond})
	mustPut(t, s, "v/a")
	unbind()
	for operation, err := range everything(t, s) {
		wantError(t, operation, err, spool.Environment, "dest-away")
	}
	if left, err := os.ReadDir(mountpoint); err != nil || len(left) != 0 {
		t.Errorf("below the mount point: %v, %v; want nothing", left, err)
	}
	bind()
	defer unbind()
	mustPut(t, s, "v/b")
	if _, err := os.Stat(behind + "/v/b"); err != nil {
		t.Error(err)
	}
}

// The program that serves a mounted bucket has died: "transport endpoint is
// not connected".
func TestDeadBucketIsAway(t *testing.T) {
	dir, die := mountBucket(t, manners{})
	s := open(t, dir, folder.Options{})
	mustPut(t, s, "v/a")
	die()
	for operation, err := range everything(t, s) {
		wantError(t, operation, err, spool.Environment, "dest-away")
	}
}
