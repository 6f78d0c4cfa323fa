package callback

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/guard"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/ledgertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver is somebody who wants to be told: it answers as it is told to, and
// keeps what it got.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	answers []int // of the next requests; then 204
	got     []*http.Request
	bodies  []string
	slow    chan struct{} // nil, or: no answer before it is closed
}

func newReceiver(t *testing.T, answers ...int) *receiver {
	t.Helper()
	r := &receiver{answers: answers}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got, r.bodies = append(r.got, q), append(r.bodies, string(body))
	status := http.StatusNoContent
	if len(r.answers) > 0 {
		status, r.answers = r.answers[0], r.answers[1:]
	}
	if r.slow != nil {
		<-r.slow
	}
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(status)
}

// bench is a sender at work on an outbox.
type bench struct {
	*ledgertest.Process
	sender *Sender
	tries  chan Try
	n      int
}

func newBench(t *testing.T) *bench {
	t.Helper()
	secrets, err := Make(filepath.Join(t.TempDir(), "state", "secret"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Process: ledgertest.NewMemory().Open(), tries: make(chan Try, 100)}
	b.sender = &Sender{
		Outbox: b, Secrets: secrets, Version: "1.2", Policy: guard.Policy{Private: true}, Tried: func(r Try) { b.tries <- r },
		Master: func(id string) string { return "https://cdn.example/" + id + "/master.m3u8" }, rest: func(int) time.Duration { return time.Millisecond },
	}
	return b
}

// start lets the sender run until the test is over.
func (b *bench) start(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.sender.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// add has a video end whose callback is url.
func (b *bench) add(t *testing.T, url string) string {
	t.Helper()
	b.n++
	v := spool.Video{
		ID: fmt.Sprint("film-", b.n), Title: "A \x1b[1mfilm", Canonical: "https://example.com/f.mp4", Status: spool.Ready, Revision: "r1", Published: "r1",
		Sizes: []string{"360p"}, Changed: time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC), Callbacks: []string{url},
	}
	if b.n%2 == 0 {
		v.Status, v.Published, v.Failure = spool.Failed, "", &spool.Failure{Class: spool.Permanent, Code: "http-404", Reason: strings.Repeat("gone ", 9000), Hint: "look"}
	}
	if err := b.Accept(t.Context(), ledger.Record{Video: v}); err != nil {
		t.Fatal(err)
	}
	return v.ID
}

func (b *bench) next(t *testing.T) Try {
	t.Helper()
	select {
	case r := <-b.tries:
		return r
	case <-time.After(time.Minute):
		t.Fatal("nothing was tried")
		panic("unreachable")
	}
}

// left is how many notices the outbox holds.
func (b *bench) left(t *testing.T) int {
	t.Helper()
	all, err := b.Notices(t.Context(), ledger.NoticeAsk{})
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// A receiver that fails, redirects and then accepts gets one message, three
// times, under one ID; the reference implementation finds it well signed.
func TestDelivery(t *testing.T) {
	b, r := newBench(t), newReceiver(t, 500, 302)
	b.add(t, r.URL+"/hook?k=S")
	b.add(t, r.URL+"/hook")
	b.start(t)
	var outcomes []string
	for range 4 {
		try := b.next(t)
		outcomes = append(outcomes, fmt.Sprint(try.Video.ID, " ", try.Event, " ", try.Outcome, " ", try.Why))
		if strings.Contains(try.Why, "k=") {
			t.Errorf("the callback is shown: %s", try.Why)
		}
	}
	slices.Sort(outcomes)
	joined := strings.Join(outcomes, "\n")
	for _, want := range []string{"it answered with 500", "302, and redirects are not followed", "film-1 video.ready delivered", "film-2 video.failed delivered"} {
		if strings.Count(joined, want) != 1 {
			t.Errorf("tries without %q:\n%s", want, joined)
		}
	}
	if n := b.left(t); n != 0 {
		t.Errorf("%d notices are left", n)
	}
	key, err := os.ReadFile(secretPath(t, b))
	if err != nil {
		t.Fatal(err)
	}
	reference, err := standard.NewWebhook(strings.TrimSpace(string(key)))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for i, q := range r.got {
		if err := reference.Verify([]byte(r.bodies[i]), q.Header); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
		var m Message
		if err := json.Unmarshal([]byte(r.bodies[i]), &m); err != nil || m.V != 1 || len(r.bodies[i]) > 20_000 {
			t.Errorf("%d bytes: %v\n%s", len(r.bodies[i]), err, r.bodies[i])
		}
		if before, known := ids[q.Header.Get("Webhook-Id")]; known && before != r.bodies[i] || q.URL.Path != "/hook" {
			t.Errorf("the message is another one the second time, or went to %s", q.URL.Path)
		}
		ids[q.Header.Get("Webhook-Id")] = r.bodies[i]
	}
	if len(ids) != 2 || len(r.got) != 4 {
		t.Errorf("%d requests with %d IDs", len(r.got), len(ids))
	}
}

// secretPath makes the bench's secret lie where the test can read it: what is
// signed with is what a file says.
func secretPath(t *testing.T, b *bench) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(prefix+encoded(b.sender.Secrets[0])), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What a ready and a failed video's messages look like, to the letter.
func TestBody(t *testing.T) {
	b := newBench(t)
	b.add(t, "http://192.0.2.1/")
	b.add(t, "http://192.0.2.1/")
	all, err := b.Notices(t.Context(), ledger.NoticeAsk{})
	if err != nil {
		t.Fatal(err)
	}
	ready, err := b.sender.body(all[0])
	const want = `{"v":1,"type":"video.ready","timestamp":"2026-11-23T01:02:03Z","data":{"video":"film-1","title":"A \\x1b[1mfilm",` +
		`"source":"https://example.com/f.mp4","status":"ready","revision":"r1","path":"film-1/master.m3u8",` +
		`"master":"https://cdn.example/film-1/master.m3u8","sizes":["360p"]}}`
	if err != nil || string(ready) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, ready, want)
	}
	failed, err := b.sender.body(all[1])
	if err != nil || !strings.Contains(string(failed), `"failure":{"class":"permanent","code":"http-404","reason":"gone gone `) || strings.Contains(string(failed), "master") {
		t.Errorf("%v\n%s", err, failed)
	}
}

// A receiver that does not answer, one that is gone and one that may not be
// asked hold up nobody; the last two say why.
func TestReceiversAreApart(t *testing.T) {
	b := newBench(t)
	slow, gone, good := newReceiver(t), newReceiver(t, http.StatusGone), newReceiver(t)
	slow.slow = make(chan struct{})
	defer close(slow.slow)
	// Loopback is allowed by its three ports' hosts alone, so 127.0.0.2 is not.
	b.sender.Policy = guard.Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	for range 3 {
		b.add(t, slow.URL)
	}
	b.add(t, gone.URL)
	refused := b.add(t, strings.Replace(good.URL, "127.0.0.1", "127.0.0.2", 1)+"/?k=S")
	delivered := b.add(t, good.URL)
	b.sender.rest = func(int) time.Duration { return time.Hour }
	b.start(t)
	seen := map[string]Try{}
	for range 3 {
		try := b.next(t)
		seen[try.Video.ID] = try
	}
	if try := seen[delivered]; try.Outcome != Delivered {
		t.Errorf("%s: %+v", delivered, try)
	}
	if try := seen["film-4"]; try.Outcome != GivenUp || !strings.Contains(try.Why, "410") {
		t.Errorf("gone: %+v", try)
	}
	if try := seen[refused]; try.Outcome != PutOff || !strings.Contains(try.Why, "not on the public network") || strings.Contains(try.Why, "k=") {
		t.Errorf("refused: %+v", try)
	}
	if n := b.left(t); n != 5 {
		t.Errorf("%d notices are left, want those of the slow one, the one that was refused, and the one that was given up", n)
	}
}

// For a day, less and less often, and as late as the receiver asks.
func TestPutOff(t *testing.T) {
	s := &Sender{}
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	n := ledger.Notice{}
	var at []time.Duration
	for !n.GivenUp {
		n = s.putOff(n, "away", 0, now)
		at = append(at, now.Sub(n.Began).Round(time.Second))
		now = n.Next
	}
	if last := at[len(at)-1]; last != patience || len(at) < 12 || len(at) > 20 || at[1] > 2*time.Second {
		t.Errorf("tried at %v", at)
	}
	n = s.putOff(ledger.Notice{}, "busy", time.Hour, now)
	if n.Next != now.Add(time.Hour) || n.Last != "busy" || n.Attempts != 1 {
		t.Errorf("asked for an hour: %+v", n)
	}
	if n = s.putOff(ledger.Notice{}, "busy", 40*time.Hour, now); n.Next != now.Add(mostAfter) {
		t.Errorf("asked for 40 hours: %v", n.Next)
	}
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Hour).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {header}}, now); got != want {
			t.Errorf("Retry-After %q is %v, want %v", header, got, want)
		}
	}
}
