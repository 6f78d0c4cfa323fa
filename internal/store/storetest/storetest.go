// Package storetest is the conformance suite of stores: what every bucket and
// folder must do for what is published in it to be right.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
)

// Open gives a store without objects, for one test.
type Open func(t *testing.T) store.Store

// Run holds a store against the contract.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"states its address", testProperties},
		{"gives back what was put", testPutOpen},
		{"replaces", testReplace},
		{"puts from the start of the body", testRewind},
		{"opens ranges", testRanges},
		{"says what is not there", testNotFound},
		{"refuses names", testNames},
		{"takes unusual names", testUnusualNames},
		{"lists by prefix", testList},
		{"stops listing", testListStops},
		{"deletes", testDelete},
		{"leaves what was there when the body breaks", testBrokenBody},
		{"obeys ended contexts", testEndedContext},
		{"keeps an object when its put is stopped", testStoppedPut},
		{"keeps whole objects under concurrent puts", testConcurrentPuts},
		{"never shows a part", testNoParts},
		{"puts beside deletes", testPutBesideDelete},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func testProperties(t *testing.T, s store.Store) {
	if s.Properties().Address == "" {
		t.Error("no address")
	}
}

func testPutOpen(t *testing.T, s store.Store) {
	for name, body := range map[string][]byte{
		"empty":              {},
		"video/master.m3u8":  []byte("#EXTM3U\n"),
		"video/r1/v0/0.m4s":  bytes.Repeat([]byte{0, 1, 2, 0xff}, 5<<20/4),
		"video/r1/v0/0.m4s2": []byte("beside"),
	} {
		put(t, s, name, body)
		if got := read(t, s, name, 0, -1); !bytes.Equal(got, body) {
			t.Errorf("%s: got %d bytes that are not the %d put", name, len(got), len(body))
		}
		info, err := s.Stat(t.Context(), name)
		if err != nil || info.Name != name || info.Size != int64(len(body)) || info.Modified.IsZero() {
			t.Errorf("%s: stat gave %+v, %v", name, info, err)
		}
	}
}

func testReplace(t *testing.T, s store.Store) {
	for _, body := range []string{"a long first one", "short", ""} {
		put(t, s, "v/master.m3u8", []byte(body))
		if got := read(t, s, "v/master.m3u8", 0, -1); string(got) != body {
			t.Errorf("got %q, want %q", got, body)
		}
	}
}

func testRewind(t *testing.T, s store.Store) {
	body := strings.NewReader("all of it")
	if _, err := body.Seek(4, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "a", body, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, s, "a", 0, -1); string(got) != "all of it" {
		t.Errorf("got %q: a put that is tried again must begin at the start", got)
	}
}

func testRanges(t *testing.T, s store.Store) {
	put(t, s, "v/a", []byte("0123456789"))
	for _, c := range []struct {
		offset, length int64
		want           string
	}{
		{0, -1, "0123456789"},
		{3, -1, "3456789"},
		{3, 4, "3456"},
		{0, 4, "0123"},
		{0, 100, "0123456789"},
		{0, 0, ""},
		{8, 100, "89"},
		{10, -1, ""},
		{10, 5, ""},
		{99, 1, ""},
	} {
		if got := read(t, s, "v/a", c.offset, c.length); string(got) != c.want {
			t.Errorf("open from %d, %d bytes: %q, want %q", c.offset, c.length, got, c.want)
		}
	}
	put(t, s, "v/empty", nil)
	if got := read(t, s, "v/empty", 0, 5); len(got) > 0 {
		t.Errorf("the first bytes of an empty object: %q", got)
	}
}

func testNotFound(t *testing.T, s store.Store) {
	put(t, s, "v/r1/a", []byte("x"))
	for _, name := range []string{"b", "v", "v/r1", "v/r2/a", "v/r1/a/b", "v/r1/A2", "v/r1/a.m4s"} {
		if _, err := s.Open(t.Context(), name, 0, -1); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("open %s = %v, want ErrNotFound", name, err)
		}
		if _, err := s.Stat(t.Context(), name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("stat %s = %v, want ErrNotFound", name, err)
		}
		if err := s.Delete(t.Context(), name); err != nil {
			t.Errorf("delete %s = %v, want nil", name, err)
		}
	}
	if got := read(t, s, "v/r1/a", 0, -1); string(got) != "x" {
		t.Errorf("the object beside is %q now", got)
	}
}

func testNames(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, name := range []string{
		"", ".", "..", "/", "/a", "a/", "a//b", "./a", "a/.", "a/..", "../a", "a/../b", "a/../../b", "a\x00b", `a\b`, "a\nb",
	} {
		_, openErr := s.Open(ctx, name, 0, -1)
		_, statErr := s.Stat(ctx, name)
		putErr := s.Put(ctx, name, strings.NewReader("x"), store.PutOptions{})
		for operation, err := range map[string]error{"put": putErr, "open": openErr, "stat": statErr, "delete": s.Delete(ctx, name)} {
			if err == nil || spool.AsError(err).Class != spool.Permanent {
				t.Errorf("%s %q = %v, want a permanent error", operation, name, err)
			}
		}
	}
	if names := list(t, s, ""); len(names) != 0 {
		t.Errorf("the store holds %q", names)
	}
}

func testUnusualNames(t *testing.T, s store.Store) {
	names := []string{
		"-x", "a b", "%d.m4s", "%2e%2e", "ünï/日本.m4s", "...", "a:b", "a?b#c&d", ".hidden",
		strings.Repeat("n", 64) + "/" + strings.Repeat("m", 120),
	}
	for _, name := range names {
		put(t, s, name, []byte(name))
	}
	for _, name := range names {
		if got := read(t, s, name, 0, -1); string(got) != name {
			t.Errorf("%q holds %q", name, got)
		}
	}
	slices.Sort(names)
	if got := list(t, s, ""); !slices.Equal(got, names) {
		t.Errorf("list gave %q, want %q", got, names)
	}
}

func testList(t *testing.T, s store.Store) {
	names := []string{"cat/master.m3u8", "cat/r1/a0/0", "cat/r1/v0/0", "cat/r1/v0/1", "cat/r10/v0/0", "cats/video.json", "dog"}
	for i, name := range names {
		put(t, s, name, make([]byte, i))
	}
	for prefix, want := range map[string][]string{
		"": names, "cat": names[:6], "cat/": names[:5], "cat/r1": names[1:5], "cat/r1/": names[1:4],
		"cat/r1/v0/1": names[3:4], "cat/r1/v0/1/": nil, "cat/r2/": nil, "d": names[6:], "dog/": nil, "x/y": nil, "/": nil, "../": nil,
	} {
		if got := list(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("list %q = %q, want %q", prefix, got, want)
		}
	}
	for info, err := range s.List(t.Context(), "cat/r1/v0/1") {
		if err != nil || info.Size != 3 || info.Modified.IsZero() {
			t.Errorf("list gave %+v, %v", info, err)
		}
	}
}

func testListStops(t *testing.T, s store.Store) {
	for i := range 5 {
		put(t, s, fmt.Sprintf("a/%d", i), nil)
	}
	n := 0
	for range s.List(t.Context(), "") {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d objects came, want 2", n)
	}
}

func testDelete(t *testing.T, s store.Store) {
	put(t, s, "v/r1/a", []byte("x"))
	put(t, s, "v/r2/b", []byte("y"))
	for range 2 { // what is gone can be deleted again
		if err := s.Delete(t.Context(), "v/r1/a"); err != nil {
			t.Fatal(err)
		}
	}
	if got := list(t, s, ""); !slices.Equal(got, []string{"v/r2/b"}) {
		t.Errorf("left: %q", got)
	}
	// A name that was a folder's can be an object's.
	put(t, s, "v/r1", []byte("z"))
	if got := read(t, s, "v/r1", 0, -1); string(got) != "z" {
		t.Errorf("got %q", got)
	}
}

func testEndedContext(t *testing.T, s store.Store) {
	put(t, s, "a", []byte("x"))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, openErr := s.Open(ended, "a", 0, -1)
	_, statErr := s.Stat(ended, "a")
	putErr := s.Put(ended, "b", strings.NewReader("y"), store.PutOptions{})
	deleteErr := s.Delete(ended, "a")
	var listErr error
	for _, err := range s.List(ended, "") {
		listErr = err
	}
	for operation, err := range map[string]error{
		"open": openErr, "stat": statErr, "put": putErr, "delete": deleteErr, "list": listErr,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want canceled", operation, err)
		}
	}
	if got := list(t, s, ""); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the store holds %q, want a", got)
	}
}

func put(t *testing.T, s store.Store, name string, body []byte) {
	t.Helper()
	o := store.PutOptions{ContentType: "application/octet-stream", CacheControl: "no-cache"}
	if err := s.Put(t.Context(), name, bytes.NewReader(body), o); err != nil {
		t.Fatalf("put %s: %v", name, err)
	}
}

func read(t *testing.T, s store.Store, name string, offset, length int64) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), name, offset, length)
	if err != nil {
		t.Fatalf("open %s: %v", name, err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	return b
}

// list gives the names, sorted.
func list(t *testing.T, s store.Store, prefix string) []string {
	t.Helper()
	var names []string
	for info, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("list %q: %v", prefix, err)
		}
		names = append(names, info.Name)
	}
	slices.Sort(names)
	return names
}
