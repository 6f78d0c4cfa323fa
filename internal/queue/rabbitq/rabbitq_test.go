package rabbitq_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/queuetest"
	"github.com/spool-video/spool/internal/queue/rabbitq"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const brief = time.Second

// TestRabbitMQ is all tests on one server, which takes a while to start. Each
// begins without queues.
func TestRabbitMQ(t *testing.T) {
	b := brokertest.RabbitMQ(t)
	t.Run("conformance", func(t *testing.T) { conforms(t, b) })
	t.Run("refuses", func(t *testing.T) { refuses(t, b) })
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
		"work.one", "work.two", "work.one.more", "WORK.ONE",
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
