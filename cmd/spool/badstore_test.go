package main

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hosttest"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/remote"
)

// anyBucket is a bucket films in memory, of a server that takes every name. The
// home calls it far.
func (h *home) anyBucket(t *testing.T) (put func(key string, body []byte)) {
	t.Helper()
	memory := s3mem.New()
	if err := memory.CreateBucket(hosttest.Bucket); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(gofakes3.New(memory).Server())
	t.Cleanup(s.Close)
	h.remotes(t, map[string]map[string]string{"far": {
		"type": "s3", "provider": "Other", "endpoint": s.URL, "access_key_id": "a", "secret_access_key": "b",
	}})
	return func(key string, body []byte) {
		t.Helper()
		to := url.URL{Scheme: "http", Host: strings.TrimPrefix(s.URL, "http://"), Path: "/" + hosttest.Bucket + "/" + key}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, to.String(), bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("put %q: %s, %v", key, res.Status, err)
		}
	}
}

// remotes gives a home an rclone.conf.
func (h *home) remotes(t *testing.T, all map[string]map[string]string) {
	t.Helper()
	text := ""
	for name, options := range all {
		text += "[" + name + "]\n"
		for key, value := range options {
			text += key + " = " + value + "\n"
		}
	}
	if err := os.WriteFile(h.path("rclone.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.env = append(h.env, "SPOOL_RCLONE_CONFIG=rclone.conf")
}

// A bucket may hold objects of any name. Each is published, or told of in a
// sentence; what is published into the bucket itself is no source.
func TestBucketOfHostileNames(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	put := h.anyBucket(t)
	short := h.path("short.mp4")
	h.remux(t, h.clip, short, "-t", "2")
	clip, err := os.ReadFile(short)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat(strings.Repeat("n", 219)+"/", 4) + "end.mp4" // 900 bytes with in/ and the rest
	long = strings.Repeat("m", 900-len(long)-len("in/")) + long
	for _, name := range []string{"two words.mp4", "ünï 日本.mp4", long, "new\nline.mp4", "a/../up.mp4"} {
		put("in/"+name, clip)
	}
	put("in/empty.mp4", nil)
	put("in/folder.mp4/", nil)
	h.env = append(h.env, "SPOOL_TO=far:films/in/site")
	said := h.do(t, exitSomeFailed, "run", "far:films/in")
	for _, want := range []string{
		"4 ready · 2 failed",
		"there is no file far:films/in/a/．．/up.mp4", // as rclone writes what is no path
		"the file far:films/in/empty.mp4 is empty",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	h.good(t, 4)
	if again := h.do(t, exitSomeFailed, "run", "far:films/in"); !strings.Contains(again, "0 ready · 2 failed · 4 skipped") {
		t.Errorf("run again:\n%s", again)
	}
}

// Whatever is wrong with a remote is said in a sentence, once for each source,
// and the others go on; of a destination it is said at the start.
func TestWrongRemotes(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	right := hosttest.S3(t)
	wrong := map[string]string{}
	for key, value := range right {
		wrong[key] = value
	}
	wrong["secret_access_key"] = "CANARY"
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	away := map[string]string{"type": "s3", "provider": "Other", "endpoint": gone.URL, "access_key_id": "a", "secret_access_key": "b"}
	h.remotes(t, map[string]map[string]string{"far": right, "wrong": wrong, "away": away, "page": {"type": "http", "url": gone.URL}})
	list := ""
	for at, want := range map[string]struct {
		asSource, asDestination string
		code                    int
	}{
		"nas:films":       {`there is no remote "nas"`, `there is no remote "nas"`, exitUsage},
		"wrong:films/x":   {"refuses the credentials of the remote wrong", "refuses the credentials of the remote wrong", exitTryAgain},
		"far:none/x":      {"there is no bucket or folder far:none", "there is no bucket or folder far:none", exitTryAgain},
		"away:films/x":    {"cannot be reached", "cannot be reached", exitTryAgain},
		"page:films/x":    {"", "can only be read", exitUsage},
		"far:films/x.mp4": {"there is no file far:films/x.mp4", "", exitReady},
	} {
		if want.asDestination != "" {
			said := h.do(t, want.code, "run", h.clip, "--to", at)
			if !strings.Contains(said, want.asDestination) || strings.Contains(said, "CANARY") || strings.Count(said, want.asDestination) > 1 {
				t.Errorf("--to %s: not once %q in\n%s", at, want.asDestination, said)
			}
		}
		if want.asSource != "" {
			list += at + "\n"
		}
	}
	list += h.clip + " id=film\n"
	if err := os.WriteFile(h.path("list.txt"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	said := h.do(t, exitSomeFailed, "run", "list.txt")
	for _, want := range []string{
		"1 ready · 5 failed", `there is no remote "nas"`, "refuses the credentials", "there is no bucket or folder far:none", "cannot be reached", "there is no file far:films/x.mp4",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	h.good(t, 1)
}

// troubled is an S3 server on a bad day: a tenth of what it is asked for goes
// wrong, by a seed, but the same thing never more than twice.
type troubled struct {
	mu     sync.Mutex
	asked  map[string]int // how often, by request; guarded by mu
	faults map[string]int // by kind; guarded by mu
	wrong  int            // how many; guarded by mu
}

func (s *troubled) serve(w http.ResponseWriter, r *http.Request, behind http.Handler) {
	trouble := s.trouble(r.Method + " " + r.URL.Path)
	s.mu.Lock()
	s.faults[trouble]++
	s.mu.Unlock()
	switch trouble {
	case "500":
		s.answer(w, r, http.StatusInternalServerError, "<Error><Code>InternalError</Code></Error>")
	case "503":
		s.answer(w, r, http.StatusServiceUnavailable, "<Error><Code>SlowDown</Code></Error>")
	case "timeout":
		s.answer(w, r, http.StatusBadRequest, "<Error><Code>RequestTimeout</Code></Error>")
	case "lie":
		s.answer(w, r, http.StatusOK, "")
	case "reset":
		panic(http.ErrAbortHandler)
	case "cut":
		behind.ServeHTTP(&cut{ResponseWriter: w, left: 100}, r)
	default:
		behind.ServeHTTP(w, r)
	}
}

func (s *troubled) answer(w http.ResponseWriter, r *http.Request, status int, text string) {
	_, _ = io.Copy(io.Discard, r.Body) // so that the answer is read
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// trouble is what goes wrong with a request, "" for nothing.
func (s *troubled) trouble(request string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.asked[request]
	s.asked[request]++
	h := fnv.New32a()
	fmt.Fprint(h, "seed 5", request, n)
	kinds := []string{"500", "503", "timeout", "reset"}
	switch {
	case strings.HasPrefix(request, http.MethodPut):
		kinds = append(kinds, "lie")
	case strings.HasPrefix(request, http.MethodGet):
		kinds = append(kinds, "cut")
	}
	dice := int(h.Sum32() >> 4)
	if n >= 2 || dice%10 != 0 {
		return ""
	}
	s.wrong++
	return kinds[s.wrong%len(kinds)]
}

// A tenth of all that a bucket is asked for goes wrong: it answers 500 or 503,
// gives up waiting, ends connections, cuts answers short, says that it has what
// it threw away. Nothing comes of it, and nothing is encoded twice.
func TestBucketOnABadDay(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	b := h.sourcesIn(t)
	b.put(t, "film.mp4", h.clip)
	s := &troubled{asked: map[string]int{}, faults: map[string]int{}}
	b.wrong.Store(s.serve)
	h.stub(t, `echo $PWD >> $home/starts`)
	h.env = append(h.env, "SPOOL_TO=far:films/site")
	h.do(t, exitReady, "run", h.publishAs(t, "film", "far:films/in/film.mp4"), "--copy", "never", "--encodes", "1")
	h.good(t, 1)
	h.blameless(t)
	starts, err := os.ReadFile(h.path("starts"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"encode-00000", "encode-00001", "encode-00002"} {
		if n := strings.Count(string(starts), part+"\n"); n != 1 {
			t.Errorf("ffmpeg was started %d times for %s", n, part)
		}
	}
	if len(s.faults) < 5 { // "" is one, too
		t.Errorf("little went wrong: %v", s.faults)
	}
}

// Two machines publish the same video to one place: both end well, and what
// lies there is whole.
func TestTwoMachinesOneDestination(t *testing.T) {
	t.Parallel()
	one, two := newHome(t), newHome(t)
	options := hosttest.S3(t)
	for _, h := range []*home{one, two} {
		h.publishTo(t, options, hosttest.Bucket+"/site")
		h.gate(t)
	}
	first := one.start(t, "run", one.publishAs(t, "film", one.clip))
	one.held(t, first)
	second := two.start(t, "run", two.publishAs(t, "film", two.clip))
	two.held(t, second)
	one.open(t)
	first.end(t, exitReady)
	one.good(t, 1)
	two.open(t)
	second.end(t, exitReady)
	two.good(t, 1)
	one.good(t, 1)
}

// verifyOthers puts a package that Spool did not publish beside the video film,
// looks whether it is held against the rules, and removes it.
func verifyOthers(t *testing.T, h *home) {
	t.Helper()
	w, err := remote.Open(t.Context(), spool.RemotePath{Remote: "far", Path: hosttest.Bucket + "/others"}, remote.Options{Remotes: func() (remote.Remotes, error) {
		return remote.ReadRemotes(h.path("rclone.conf"))
	}})
	if err != nil {
		t.Fatal(err)
	}
	h.remux(t, h.clip, h.path("hls.m3u8"), "-f", "hls", "-hls_time", "4", "-hls_playlist_type", "vod")
	segments, err := filepath.Glob(h.path("hls*"))
	if err != nil || len(segments) < 3 {
		t.Fatalf("%v, %v", segments, err)
	}
	for _, name := range segments {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Put(t.Context(), "film/"+filepath.Base(name), bytes.NewReader(body), store.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []string{"far:films/others/film", "far:films/others/film/hls.m3u8"} {
		said := h.do(t, exitReady, "verify", at)
		if !strings.Contains(said, fmt.Sprintf("1 playlist, %d segments, 14s, 0 MUST", len(segments)-1)) {
			t.Errorf("verify %s:\n%s", at, said)
		}
	}
	if err := w.Delete(t.Context(), "film/hls1.ts"); err != nil {
		t.Fatal(err)
	}
	if said := h.do(t, exitSomeFailed, "verify", "far:films/others/film"); !strings.Contains(said, "hls1.ts") || !strings.Contains(said, "it is not there") {
		t.Errorf("verify of what has a hole:\n%s", said)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
