package sealed_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/memq"
	"github.com/spool-video/spool/internal/queue/queuetest"
	"github.com/spool-video/spool/internal/queue/sealed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	fleet := fleet(t)
	const brief = 200 * time.Millisecond
	queuetest.Run(t, queuetest.Engine{
		Brief: brief, Start: func(*testing.T) queuetest.Connect {
			return func(*testing.T) queue.Queue {
				inner := memq.New()
				inner.Brief = brief
				return sealed.New(inner, sealed.Options{Fleet: fleet})
			}
		},
	})
}

// TestOnlyTheFleetReads: what lies in the engine shows nothing, opens only on
// its topic and unchanged, and what does not open neither ends nor blocks a
// receiver.
func TestOnlyTheFleetReads(t *testing.T) {
	inner, fleet := memq.New(), fleet(t)
	var warned []string
	q := sealed.New(inner, sealed.Options{Fleet: fleet, Warns: func(e *spool.Error) { warned = append(warned, e.Code) }})
	defer q.Close()

	const canary = "https://user:canary@example.com/"
	send(t, q, queue.ReportTopic, canary)
	seen := receive(t, inner, queue.ReportTopic)
	if strings.Contains(seen, "canary") || len(seen) < len(canary) {
		t.Errorf("in the engine lies %q", seen)
	}
	bad := []string{"", "SPL1", "SPL1\xff", "SPLX12", seen[:len(seen)-1], seen[:20] + "x" + seen[21:], "\x00\xff random", `{"job":{}}`}
	for _, b := range append(bad, seen) {
		send(t, inner, queue.BeatTopic, b) // the last one is whole, but for another topic
	}
	send(t, q, queue.BeatTopic, "good")
	if got := receive(t, q, queue.BeatTopic); got != "good" {
		t.Errorf("got %q, want good", got)
	}
	send(t, inner, queue.ReportTopic, seen)
	if got := receive(t, q, queue.ReportTopic); got != canary {
		t.Errorf("got %q, want what was sent", got)
	}
	if len(warned) == 0 || warned[0] != "message-not-sealed" {
		t.Errorf("warned of %q", warned)
	}
	send(t, q, queue.InboxTopic, "in clear")
	if got := receive(t, inner, queue.InboxTopic); got != "in clear" {
		t.Errorf("the inbox holds %q", got)
	}
}

// TestAnotherKey: both sides are told, with the file's name; what does not open
// is out of the way; a key that is being changed opens.
func TestAnotherKey(t *testing.T) {
	inner, ours, theirs := memq.New(), fleet(t), fleet(t)
	acked := &counting{Queue: inner}
	warned := map[string]*spool.Error{}
	tell := func(who string) func(*spool.Error) { return func(e *spool.Error) { warned[who] = e } }
	serve := sealed.New(acked, sealed.Options{Fleet: ours, Warns: tell("serve")})
	worker := sealed.New(inner, sealed.Options{Fleet: theirs, Worker: "w1", Warns: tell("worker")})
	defer serve.Close()

	send(t, worker, queue.ReportTopic, "unread")
	send(t, serve, queue.ReportTopic, "read")
	if got := receive(t, serve, queue.ReportTopic); got != "read" || acked.n != 2 {
		t.Errorf("got %q with %d acknowledgements, want two: what does not open would fill the engine's window", got, acked.n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if d, err := worker.Receive(ctx, queue.WorkTopic("w1")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the worker received %q, %v", d.Body, err)
	}
	for who, file := range map[string]string{"serve": ours.Path, "worker": theirs.Path} {
		if e := warned[who]; e == nil || e.Code != "fleet-key-differs" || !strings.Contains(e.Reason, file) || !strings.Contains(e.Reason, ours.ID()) {
			t.Errorf("%s was told %v, want %s and %s in it", who, e, file, ours.ID())
		}
	}

	both := filepath.Join(t.TempDir(), "both")
	copyKeys(t, both, ours.Path, theirs.Path)
	changing, err := keys.OpenFleet(both)
	if err != nil {
		t.Fatal(err)
	}
	q := sealed.New(inner, sealed.Options{Fleet: changing})
	send(t, worker, queue.ReportTopic, "old key")
	if got := receive(t, q, queue.ReportTopic); got != "old key" {
		t.Errorf("got %q", got)
	}
}

type counting struct {
	queue.Queue
	n int
}

func (c *counting) Receive(ctx context.Context, topic string) (queue.Delivery, error) {
	d, err := c.Queue.Receive(ctx, topic)
	ack := d.Ack
	d.Ack = func(ctx context.Context) error { c.n++; return ack(ctx) }
	return d, err
}

func copyKeys(t *testing.T, to string, from ...string) {
	t.Helper()
	var all []byte
	for _, f := range from {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	if err := os.WriteFile(to, all, 0o600); err != nil {
		t.Fatal(err)
	}
}

func fleet(t *testing.T) *keys.Fleet {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fleet.key")
	if err := keys.MakeFleet(path); err != nil {
		t.Fatal(err)
	}
	f, err := keys.OpenFleet(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func send(t *testing.T, q queue.Queue, topic, body string) {
	t.Helper()
	if err := q.Send(t.Context(), topic, []byte(body)); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, q queue.Queue, topic string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d, err := q.Receive(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Ack(ctx); err != nil {
		t.Fatal(err)
	}
	return string(d.Body)
}

// TestTooLongToOpen: a body that no receiver would unpack is not sent.
func TestTooLongToOpen(t *testing.T) {
	q := sealed.New(memq.New(), sealed.Options{Fleet: fleet(t)})
	defer q.Close()
	var refused *spool.Error
	if err := q.Send(t.Context(), queue.ReportTopic, make([]byte, 64<<20+1)); !errors.As(err, &refused) || refused.Code != queue.CodeTooBig {
		t.Errorf("it is sent: %v", err)
	}
}
