package rabbitq_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/fleettest"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/queuetest"
	"github.com/spool-video/spool/internal/queue/rabbitq"
	"github.com/spool-video/spool/internal/queue/sealed"
)

func TestMain(m *testing.M) {
	fleettest.Child(openFor)
	goleak.VerifyTestMain(m)
}

func openFor(ctx context.Context, url, _ string) (queue.Queue, error) {
	return rabbitq.Open(ctx, url, queue.Link{})
}

const brief = time.Second

// TestRabbitMQ is all tests on one server, which takes a while to start. Each
// begins without queues.
func TestRabbitMQ(t *testing.T) {
	b := brokertest.RabbitMQ(t)
	t.Run("conformance", func(t *testing.T) { conforms(t, b) })
	t.Run("refuses", func(t *testing.T) { refuses(t, b) })
	t.Run("TLS", func(t *testing.T) { secured(t, b) })
	t.Run("another key", func(t *testing.T) { foreign(t, b) })
	t.Run("fleet", func(t *testing.T) {
		fleettest.Short(t, fleettest.Engine{Open: openFor, Scheme: "amqp", Slow: true, Start: func(t *testing.T) *brokertest.Broker {
			empty(t, b)
			return b
		}})
	})
	t.Run("faults", func(t *testing.T) {
		queuetest.Faults(t, queuetest.Host{
			Address: b.Address,
			Connect: func(t *testing.T, address string) queue.Queue { return open(t, "amqp://"+address, queue.Link{}) },
		})
	})
}

func conforms(t *testing.T, b *brokertest.Broker) {
	queuetest.Run(t, queuetest.Engine{Outlives: true, Limited: true, Brief: brief, Start: func(t *testing.T) queuetest.Connect {
		empty(t, b)
		return func(t *testing.T) queue.Queue { return open(t, "amqp://"+b.Address, queue.Link{}) }
	}})
}

// refuses: a wrong password, and a vhost that is not there.
func refuses(t *testing.T, b *brokertest.Broker) {
	for url, code := range map[string]string{
		"amqp://guest:wrong@" + b.Address: queue.CodeRefused,
		"amqp://" + b.Address + "/none":   queue.CodeSetup,
	} {
		_, err := rabbitq.Open(t.Context(), url, queue.Link{})
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%s: %v, want %s", url, err, code)
		}
	}
}

// foreign: messages of another fleet, more than the server gives out without an
// acknowledgement, hold up nobody.
func foreign(t *testing.T, b *brokertest.Broker) {
	seal := func() *sealed.Queue {
		path := filepath.Join(t.TempDir(), "key")
		if err := keys.MakeFleet(path); err != nil {
			t.Fatal(err)
		}
		fleet, err := keys.OpenFleet(path)
		if err != nil {
			t.Fatal(err)
		}
		return sealed.New(open(t, "amqp://"+b.Address, queue.Link{}), sealed.Options{Fleet: fleet})
	}
	ours, theirs := seal(), seal()
	defer ours.Close()
	defer theirs.Close()
	empty(t, b)
	for range queue.MaxOpen + 50 {
		if err := theirs.Send(t.Context(), queue.ReportTopic, []byte("theirs")); err != nil {
			t.Fatal(err)
		}
	}
	if err := ours.Send(t.Context(), queue.ReportTopic, []byte("ours")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if d, err := ours.Receive(ctx, queue.ReportTopic); err != nil || string(d.Body) != "ours" {
		t.Errorf("got %q, %v", d.Body, err)
	}
}

// empty deletes the queues that tests use.
func empty(t *testing.T, b *brokertest.Broker) {
	t.Helper()
	conn, err := amqp091.Dial("amqp://" + b.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the test goes on by itself
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{
		"a", "0", "1", "2", queue.ReportTopic, queue.BeatTopic, queue.InboxTopic, queue.WorkTopic("w"), queue.PingTopic("s"),
		"work.one", "work.two", "work.one.more", "WORK.ONE", "work.w0", "work.w1", "work.w2",
	} {
		if _, err := ch.QueueDelete("spool."+topic, false, false, false); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, url string, link queue.Link) *rabbitq.Queue {
	t.Helper()
	link.Brief = brief
	q, err := rabbitq.Open(t.Context(), url, link)
	if err != nil {
		t.Fatal(err)
	}
	return q
}
