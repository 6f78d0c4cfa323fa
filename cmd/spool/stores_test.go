package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hosttest"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/remote"
)

// publishTo makes a place in a store the destination of a home. Its remote is
// called far.
func (h *home) publishTo(t *testing.T, options map[string]string, at string) *remote.Store {
	t.Helper()
	text := "[far]\n"
	for name, value := range options {
		text += name + " = " + value + "\n"
	}
	if err := os.WriteFile(h.path("rclone.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.env = append(h.env, "SPOOL_TO=far:"+at, "SPOOL_RCLONE_CONFIG=rclone.conf")
	s, err := remote.Open(t.Context(), spool.RemotePath{Remote: "far", Path: at}, remote.Options{ReadOnly: true, Remotes: func() (remote.Remotes, error) {
		return remote.ReadRemotes(h.path("rclone.conf"))
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// objects are all that a store holds, with the times of their puts.
func objects(t *testing.T, s *remote.Store) map[string]time.Time {
	t.Helper()
	found := map[string]time.Time{}
	for info, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		found[info.Name] = info.Modified
	}
	return found
}

// The main job, into a bucket: encrypted; killed in the middle and gone on
// with; what is ready is left alone; what is removed is gone.
func TestPublishToABucket(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.publishTo(t, hosttest.S3(t), hosttest.Bucket+"/site")
	h.gate(t)
	list := h.publishAs(t, "film", h.clip)
	c := h.start(t, "run", list, "--keys", "keys", "--early", "soon")
	h.held(t, c)
	c.await(t, `far:films/site/film/early.m3u8`)
	if said := h.do(t, exitReady, "show", "film"); !strings.Contains(said, "far:films/site/film/early.m3u8") {
		t.Errorf("show:\n%s", said)
	}
	begun := objects(t, s)
	c.signal(t, syscall.SIGKILL)
	<-c.ended
	h.open(t)
	if said := h.do(t, exitReady, "run", "--keys", "keys"); !strings.Contains(said, "far:films/site/film/master.m3u8") {
		t.Errorf("run:\n%s", said)
	}
	h.good(t, 1)
	for _, at := range []string{"far:films/site", "far:films/site/film"} {
		if said := h.do(t, exitReady, "verify", at); strings.Count(said, "good") != 1 || !strings.Contains(said, ", 0 MUST, ") {
			t.Errorf("verify %s:\n%s", at, said)
		}
	}
	h.do(t, exitUsage, "verify", "far:films/none")
	verifyOthers(t, h)
	all := objects(t, s)
	kept := 0
	for name, put := range begun {
		if strings.HasSuffix(name, ".m4s") && all[name].Equal(put) {
			kept++
		}
	}
	if kept == 0 {
		t.Errorf("nothing that the killed run had published was kept: %v, then %v", begun, all)
	}
	h.do(t, exitReady, "run", list, "--keys", "keys")
	for name, put := range objects(t, s) {
		if !all[name].Equal(put) {
			t.Errorf("a run with nothing to do has put %s", name)
		}
	}
	h.do(t, exitReady, "rm", "film")
	if left := objects(t, s); len(left) > 0 {
		t.Errorf("left in the bucket: %v", left)
	}
}

// In clear, to a server of files; and what the doctor says of both.
func TestPublishBySFTP(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	options, folder := hosttest.SSH(t)
	s := h.publishTo(t, options, path.Join(folder, "site"))
	h.do(t, exitReady, "run", h.publishAs(t, "film", h.clip))
	h.good(t, 1)
	master, err := os.ReadFile(path.Join(folder, "site/film/master.m3u8"))
	if err != nil || !strings.HasPrefix(string(master), "#EXTM3U") {
		t.Errorf("the master: %q, %v", master, err)
	}
	if said := h.do(t, exitReady, "doctor"); !strings.Contains(said, "can be written, read by ranges, and deleted") {
		t.Errorf("doctor:\n%s", said)
	}
	for name := range objects(t, s) {
		if !strings.HasPrefix(name, "film/") {
			t.Errorf("left there: %s", name)
		}
	}
}

func TestDoctorLooksAtABucketAsPlayersDo(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.publishTo(t, hosttest.S3(t), hosttest.Bucket+"/site")
	said := h.do(t, exitReady, "doctor")
	for _, want := range []string{
		"ok    destination  far:films/site can be written, read by ranges, and deleted",
		"ok    players      playlists are served with their content type, and by ranges",
		"warn  cors", `"AllowedMethods": ["GET", "HEAD"]`,
	} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	if left := objects(t, s); len(left) > 0 {
		t.Errorf("left in the bucket: %v", left)
	}
}

func TestNoSuchStore(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for to, want := range map[string]string{
		"nas:films": `there is no remote "nas"`,
		":sftp,ssh=\"touch " + h.path("pwned") + "\":x":                                           "connection string",
		":webdav,url='http://127.0.0.1:9/',bearer_token_command='touch " + h.path("pwned") + "':": "connection string",
		":local:/etc/passwd":  "connection string",
		"remote:../../x":      "leads out",
		"remote:--config=/x":  "begins with -",
		"far:":                "no folder",
		"s3://bucket/folder":  "not a folder",
		"far,type=local:/tmp": "connection string",
	} {
		said := h.do(t, exitUsage, "run", h.clip, "--to", to)
		if !strings.Contains(said, want) {
			t.Errorf("--to %s: no %q in\n%s", to, want, said)
		}
	}
	if _, err := os.Stat(h.path("pwned")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program was run: %v", err)
	}
}

// Sources in stores: one file, and a folder of them; what was taken once is
// taken again only when it changed there.
func TestSourcesInStores(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	options, folder := hosttest.SSH(t)
	h.publishTo(t, options, path.Join(folder, "site"))
	clip, err := os.ReadFile(h.clip)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"in/one.mp4", "in/deep/two films.mp4", "in/notes.txt"} {
		if err := os.MkdirAll(path.Dir(path.Join(folder, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		content := clip
		if path.Ext(name) == ".txt" {
			content = []byte("words of the one who filmed it\n")
		}
		if err := os.WriteFile(path.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"in/link.mp4": h.clip, "in/linked": h.dir} {
		if err := os.Symlink(to, path.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	from := "far:" + folder + "/in"
	if said := h.do(t, exitReady, "plan", from+"/one.mp4"); !strings.Contains(said, "publish") || !strings.Contains(said, "3 chunks") {
		t.Errorf("plan:\n%s", said)
	}
	h.do(t, exitReady, "run", from+"/one.mp4")
	h.good(t, 1)
	said := h.do(t, exitReady, "run", from)
	if !strings.Contains(said, "holds 2 videos") {
		t.Errorf("run of a folder:\n%s", said)
	}
	h.good(t, 2)
	longer := append(slices.Clone(clip), "\x00\x00\x00\x08free"...) // an empty box
	if err := os.WriteFile(path.Join(folder, "in/one.mp4"), longer, 0o600); err != nil {
		t.Fatal(err)
	}
	if said := h.do(t, exitReady, "run", from); !strings.Contains(said, "made anew") {
		t.Errorf("run after a change:\n%s", said)
	}
	h.good(t, 2)
	for source, want := range map[string]string{from + "/none.mp4": "there is no file", "nas:x.mp4": "there is no remote", ":local:/etc/passwd": "connection string"} {
		if said := h.do(t, exitSomeFailed, "run", source); !strings.Contains(said, want) {
			t.Errorf("run %s:\n%s", source, said)
		}
	}
}

// A bucket's object is encoded while it comes, by ranges, and goes on where a
// killed run was.
func TestSourceInABucketArrives(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	options := hosttest.S3(t)
	s, err := remote.Open(t.Context(), spool.RemotePath{Remote: "far", Path: hosttest.Bucket + "/in"}, remote.Options{Remotes: func() (remote.Remotes, error) {
		return remote.Remotes{"far": options}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	clip, err := os.Open(h.clip)
	if err != nil {
		t.Fatal(err)
	}
	defer clip.Close()
	if err := s.Put(t.Context(), "film.mp4", clip, store.PutOptions{ContentType: "video/mp4"}); err != nil {
		t.Fatal(err)
	}
	h.publishTo(t, options, hosttest.Bucket+"/site")
	h.gate(t)
	c := h.start(t, "run", "far:"+hosttest.Bucket+"/in/film.mp4")
	h.held(t, c)
	c.signal(t, syscall.SIGKILL)
	<-c.ended
	h.open(t)
	h.do(t, exitReady, "run")
	h.good(t, 1)
	if said := h.do(t, exitReady, "ls", "--json"); !strings.Contains(said, `"source": "far:films/in/film.mp4"`) {
		t.Errorf("ls:\n%s", said)
	}
}

// doorkeeper stands before an S3 server and, while shut, refuses everybody as
// S3 does when credentials have expired.
type doorkeeper struct {
	behind http.Handler
	shut   atomic.Bool
}

func (d *doorkeeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !d.shut.Load() {
		d.behind.ServeHTTP(w, r)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body) // so that the answer is read
	w.WriteHeader(http.StatusForbidden)
	_, _ = io.WriteString(w, "<Error><Code>ExpiredToken</Code><Message>as told</Message></Error>")
}

// Credentials that expire in the middle are waited for: nothing fails, and
// nothing that was encoded is encoded again.
func TestExpiredCredentialsAreWaitedFor(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	options := hosttest.S3(t)
	server, err := url.Parse(options["endpoint"])
	if err != nil {
		t.Fatal(err)
	}
	door := &doorkeeper{behind: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = server.Scheme, server.Host, r.In.Host // which is signed
	}}}
	front := httptest.NewServer(door)
	t.Cleanup(front.Close)
	options["endpoint"] = front.URL
	h.publishTo(t, options, hosttest.Bucket+"/site")
	h.stub(t, `echo $PWD >> $home/starts; case $PWD in */encode-00001) : > $home/held; while [ ! -e $home/open ]; do sleep 0.02; done;; esac`)
	c := h.start(t, "run", h.publishAs(t, "film", h.clip), "--copy", "never", "--encodes", "1")
	h.held(t, c)
	door.shut.Store(true)
	h.open(t)
	c.await(t, `refuses the credentials of the remote far \((ExpiredToken|Forbidden)\)`) // the answer to a HEAD has no code
	door.shut.Store(false)
	c.end(t, exitReady)
	h.good(t, 1)
	starts, err := os.ReadFile(h.path("starts"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"encode-00000", "encode-00001", "encode-00002"} {
		if n := strings.Count(string(starts), part+"\n"); n != 1 {
			t.Errorf("ffmpeg was started %d times for %s:\n%s", n, part, starts)
		}
	}
}
