package folder_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/folder"
)

func TestDeleteRemovesEmptyFolders(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, folder.Options{})
	mustPut(t, s, "v/r1/v0-360p/a", "v/r2/b")
	mustDelete(t, s, "v/r1/v0-360p/a")
	if _, err := os.Stat(filepath.Join(dir, "v/r1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("v/r1: %v, want it gone", err)
	}
	mustDelete(t, s, "v/r2/b")
	if _, err := os.Stat(filepath.Join(dir, "v")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("v: %v, want it gone", err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the store itself: %v", err)
	}
}

func TestFoldersAndModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "in", "bucket")
	s := open(t, dir, folder.Options{})
	mustPut(t, s, "v/a")
	for name, want := range map[string]os.FileMode{"v": 0o755, "v/a": 0o644} { // a web server reads them
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	if s.Properties().Address != dir {
		t.Errorf("address %q, want %q", s.Properties().Address, dir)
	}
}

func TestOwnFilesAreNoObjects(t *testing.T) {
	s := open(t, t.TempDir(), folder.Options{})
	for _, name := range []string{".spool-store", ".spool-tmp/x", ".spool-tmp"} {
		if _, err := s.Stat(t.Context(), name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("stat %s = %v, want ErrNotFound", name, err)
		}
		wantError(t, "put "+name, s.Put(t.Context(), name, strings.NewReader("x"), store.PutOptions{}), spool.Permanent, "bad-object-name")
		wantError(t, "delete "+name, s.Delete(t.Context(), name), spool.Permanent, "bad-object-name")
	}
	for info := range s.List(t.Context(), "") {
		t.Errorf("list shows %s", info.Name)
	}
}

func TestOpenSweepsWhatAKilledRunLeft(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, folder.Options{})
	old, fresh := filepath.Join(dir, ".spool-tmp/old"), filepath.Join(dir, ".spool-tmp/fresh")
	for _, name := range []string{old, fresh} {
		if err := os.WriteFile(name, []byte("part"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	open(t, dir, folder.Options{})
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("old: %v, want it gone", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("fresh: %v; another run may be writing it", err)
	}
}

func TestTemporaryFolderMayGo(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, folder.Options{})
	if err := os.RemoveAll(filepath.Join(dir, ".spool-tmp")); err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, "v/a")
}

// Links that lead out of the folder are refused, whoever made them and
// wherever they stand.
func TestLinksOutAreRefused(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := open(t, dir, folder.Options{})
	link(t, outside, filepath.Join(dir, "out"))
	link(t, filepath.Join(outside, "secret"), filepath.Join(dir, "file"))
	for _, name := range []string{"out/secret", "file"} {
		_, openErr := s.Open(t.Context(), name, 0, -1)
		wantError(t, "open "+name, openErr, spool.Permanent, "object-in-the-way")
	}
	wantError(t, "put", s.Put(t.Context(), "out/new", strings.NewReader("x"), store.PutOptions{}), spool.Permanent, "object-in-the-way")
	wantError(t, "delete", s.Delete(t.Context(), "out/secret"), spool.Permanent, "object-in-the-way")
	for info, err := range s.List(t.Context(), "") {
		t.Errorf("list shows %v, %v", info, err)
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 1 {
		t.Errorf("outside: %v, %v", left, err)
	}
}

func TestForeignThingsInTheWay(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, folder.Options{})
	mustPut(t, s, "file", "folder/x")
	put := func(name string) error {
		return s.Put(t.Context(), name, strings.NewReader("x"), store.PutOptions{})
	}
	wantError(t, "put below a file", put("file/a"), spool.Permanent, "object-in-the-way")
	wantError(t, "put over a folder", put("folder"), spool.Permanent, "object-in-the-way")
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stat(t.Context(), "pipe"); !errors.Is(err, store.ErrNotFound) { // and it does not wait for a writer
		t.Errorf("stat of a pipe = %v, want ErrNotFound", err)
	}
}

// A destination that vanishes in mid-run is not made again: an empty mount
// point looks just like it.
func TestVanishedFolderIsAway(t *testing.T) {
	for name, vanish := range map[string]func(dir string) error{
		"removed":                    os.RemoveAll,
		"moved":                      func(dir string) error { return os.Rename(dir, dir+".old") },
		"another one in its place":   func(dir string) error { return errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o755)) },
		"another store in its place": otherStore,
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "bucket")
			s := open(t, dir, folder.Options{CheckEvery: time.Nanosecond})
			mustPut(t, s, "v/a")
			if err := vanish(dir); err != nil {
				t.Fatal(err)
			}
			for operation, err := range everything(t, s) {
				wantError(t, operation, err, spool.Environment, "dest-away")
			}
			if _, err := os.Stat(filepath.Join(dir, "v")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("v in the new folder: %v, want nothing there", err)
			}
		})
	}
}

func otherStore(dir string) error {
	if err := os.Rename(dir, dir+".old"); err != nil {
		return err
	}
	s, err := folder.Open(dir, folder.Options{})
	if err != nil {
		return err
	}
	return s.Close()
}

// The token of an earlier run tells that the bucket is not mounted now.
func TestTokenOfAnEarlierRun(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "bucket")
	first := open(t, dir, folder.Options{})
	if first.Token() == "" || first.Token() != open(t, dir, folder.Options{Token: first.Token()}).Token() {
		t.Fatalf("token %q is not the same when opened again", first.Token())
	}
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, folder.Options{Token: first.Token()}, "dest-away")
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, folder.Options{Token: first.Token()}, "dest-away")
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("in the mount point: %v, %v; want nothing", left, err)
	}
}

func TestReadOnlyUse(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, folder.Options{ReadOnly: true})
	if _, err := s.Stat(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	wantError(t, "put", s.Put(t.Context(), "b", strings.NewReader("x"), store.PutOptions{}), spool.Permanent, "store-read-only")
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("reading has written: %v, %v", left, err)
	}
	refused(t, filepath.Join(dir, "nowhere"), folder.Options{ReadOnly: true}, "dest-away")
}

func TestNotAFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := folder.Open(file, folder.Options{}); err == nil {
		t.Error("opened", s.Close())
	} else if e := spool.AsError(err); e.Class != spool.Permanent || e.Code != "dest-not-a-folder" {
		t.Errorf("open = %+v, want dest-not-a-folder", e)
	}
}

// everything does every operation and gives its error.
func everything(t *testing.T, s store.Store) map[string]error {
	t.Helper()
	ctx := t.Context()
	_, openErr := s.Open(ctx, "v/a", 0, -1)
	_, statErr := s.Stat(ctx, "v/a")
	var listErr error
	for _, err := range s.List(ctx, "") {
		listErr = err
	}
	return map[string]error{
		"open": openErr, "stat": statErr, "list": listErr, "delete": s.Delete(ctx, "v/a"),
		"put":              s.Put(ctx, "v/a", strings.NewReader("x"), store.PutOptions{}),
		"put in a new one": s.Put(ctx, "w/r1/a", strings.NewReader("x"), store.PutOptions{}),
	}
}

func wantError(t *testing.T, operation string, err error, class spool.Class, code string) *spool.Error {
	t.Helper()
	var e *spool.Error
	if !errors.As(err, &e) || e.Class != class || e.Code != code {
		t.Fatalf("%s = %v (%+v), want %s %s", operation, err, e, class, code)
	}
	return e
}

func refused(t *testing.T, dir string, o folder.Options, code string) {
	t.Helper()
	s, err := folder.Open(dir, o)
	if err == nil {
		t.Fatal("opened", s.Close())
	}
	wantError(t, "open", err, spool.Environment, code)
}

func mustPut(t *testing.T, s store.Store, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := s.Put(context.WithoutCancel(t.Context()), name, strings.NewReader(name), store.PutOptions{}); err != nil {
			t.Fatalf("put %s: %v", name, err)
		}
	}
}

func mustDelete(t *testing.T, s store.Store, name string) {
	t.Helper()
	if err := s.Delete(t.Context(), name); err != nil {
		t.Fatalf("delete %s: %v", name, err)
	}
}

func link(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
}
