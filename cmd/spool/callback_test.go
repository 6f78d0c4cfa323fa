package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/spool-video/spool/internal/callback"
	"github.com/spool-video/spool/internal/webapi"
)

// hook is somebody who wants to be told how videos end.
type hook struct {
	*httptest.Server
	got chan call

	mu      sync.Mutex
	answers []int // of the next requests; 0: none, until the caller is gone; then 204
}

// call is one request to a hook.
type call struct {
	path   string
	header http.Header
	body   []byte
}

func newHook(t *testing.T, answers ...int) *hook {
	t.Helper()
	k := &hook{got: make(chan call, 100), answers: answers}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		k.mu.Lock()
		answer := http.StatusNoContent
		if len(k.answers) > 0 {
			answer, k.answers = k.answers[0], k.answers[1:]
		}
		k.mu.Unlock()
		k.got <- call{r.URL.Path, r.Header, body}
		if answer == 0 {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(answer)
	}))
	t.Cleanup(k.Close)
	return k
}

// called waits for the next request, and holds that it is well signed.
func (k *hook) called(t *testing.T, c *child, secret string) (call, callback.Message) {
	t.Helper()
	var m callback.Message
	select {
	case got := <-k.got:
		reference, err := standard.NewWebhook(secret)
		if err == nil {
			err = reference.Verify(got.body, got.header)
		}
		if err == nil {
			err = json.Unmarshal(got.body, &m)
		}
		if err != nil {
			t.Fatalf("%v\n%v\n%s", err, got.header, got.body)
		}
		return got, m
	case <-time.After(patient):
		t.Fatalf("nobody was called:\n%s", c.said())
		panic("unreachable")
	}
}

// Who asked is told how a video ended, also when serve is killed between the
// end and the message, and when the receiver fails twice.
func TestCallback(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	k := newHook(t, 0, http.StatusInternalServerError, http.StatusBadGateway)
	args := []string{"serve", "--http", "127.0.0.1:0", "--allow-source", h.dir}
	refused := h.start(t, args...)
	h.until(t, refused, "the API", func() bool { return h.serves() != "" })
	if said := h.do(t, exitSomeFailed, "add", h.clip, "--callback", k.URL+"/hook?k=hidden"); !strings.Contains(said, "the callback cannot be made") || !strings.Contains(said, "--allow-cidr 127.0.0.1/32") {
		t.Errorf("a private address:\n%s", said)
	}
	refused.signal(t, syscall.SIGTERM)
	refused.end(t, exitReady)
	info, err := os.Stat(h.path("state", "webhook-secret"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the secret: %v, %v", info, err)
	}
	text, err := os.ReadFile(h.path("state", "webhook-secret"))
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.TrimSpace(string(text))

	args = append(args, "--allow-cidr", "127.0.0.1/32")
	c := h.start(t, args...)
	h.until(t, c, "the API", func() bool { return h.serves() != "" })
	h.do(t, exitReady, "add", h.clip, "--callback", k.URL+"/hook?k=hidden")
	first, m := k.called(t, c, secret)
	c.signal(t, syscall.SIGKILL)
	<-c.ended
	id := h.id(t)
	if m.V != callback.Version || m.Type != "video.ready" || m.Data.Video != id || m.Data.Path != id+"/master.m3u8" || m.Data.Master != h.path("bucket", id, "master.m3u8") || len(m.Data.Sizes) == 0 {
		t.Errorf("the message is %s", first.body)
	}

	c = h.start(t, args...)
	for range 3 { // 500, 502, 204
		again, _ := k.called(t, c, secret)
		if again.header.Get("Webhook-Id") != first.header.Get("Webhook-Id") || string(again.body) != string(first.body) {
			t.Errorf("the second time it is %v\n%s", again.header, again.body)
		}
	}
	h.do(t, exitReady, "add", h.clip, "--callback", k.URL+"/hook?k=hidden") // who was told is not told again
	h.do(t, exitReady, "add", h.clip, "--callback", k.URL+"/late")
	if late, m := k.called(t, c, secret); late.path != "/late" || m.Data.Video != id || late.header.Get("Webhook-Id") == first.header.Get("Webhook-Id") {
		t.Errorf("who asks when it is ready gets %s: %s", late.path, late.body)
	}
	if err := os.WriteFile(h.path("broken.mp4"), []byte("no film"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.do(t, exitReady, "add", h.path("broken.mp4"), "--callback", k.URL+"/failed")
	if failed, m := k.called(t, c, secret); m.Type != "video.failed" || m.Data.Failure == nil || m.Data.Failure.Reason == "" || m.Data.Path != "" {
		t.Errorf("of one that failed: %s", failed.body)
	}
	if said := h.do(t, exitReady, "show", id, "--json"); strings.Contains(said, "hidden") || !strings.Contains(said, k.URL+"/hook?k=…") {
		t.Errorf("show:\n%s", said)
	}
	if said := c.said(); strings.Contains(said, "hidden") {
		t.Errorf("serve shows the callback:\n%s", said)
	}
	holdsMany(t, h, k, c, secret)
	c.signal(t, syscall.SIGTERM)
	c.end(t, exitReady)
	for range len(k.got) {
		more := <-k.got
		t.Errorf("more than was asked for: %s %s", more.path, more.body)
	}
}

// holdsMany: a source that is handed in by everybody is not a way to have many
// called; a callback that cannot be made refuses its source alone, and one of a
// duplicate is called, too.
func holdsMany(t *testing.T, h *home, k *hook, c *child, secret string) {
	t.Helper()
	const had = 2
	token, err := webapi.ReadToken(h.path("state", "api-token"))
	if err != nil {
		t.Fatal(err)
	}
	bad := []string{"ftp://example.com/", "https://", "https://example.com:22/", "http://127.1/", "http://[::1]/", strings.Repeat("x", 2000)}
	var all []webapi.Submission
	for n := range mostCallbacks + 1 - had {
		all = append(all, webapi.Submission{Source: h.clip, Callback: fmt.Sprintf("%s/%d", k.URL, n)})
	}
	for _, b := range bad {
		all = append(all, webapi.Submission{Source: h.clip, Callback: b})
	}
	taken, err := (&webapi.Client{URL: h.serves(), Token: token}).Add(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]int{}
	for _, v := range taken {
		if v.Problem != nil {
			codes[v.Problem.Code]++
		}
	}
	if fmt.Sprint(codes) != "map[address-refused:1 bad-callback:3 host-refused:1 port-refused:1 too-many-callbacks:1]" {
		t.Errorf("refused are %v of %+v", codes, taken)
	}
	for range mostCallbacks - had {
		k.called(t, c, secret)
	}
}
