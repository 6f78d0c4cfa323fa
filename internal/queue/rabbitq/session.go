package rabbitq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rabbitmq/amqp091-go"

	"github.com/spool-video/spool/internal/queue"
)

// session is one connection and what lives on it. It is never mended: when it
// is lost, another one takes its place, with channels of its own.
type session struct {
	q    *Queue
	raw  net.Conn
	conn *amqp091.Connection
	pub  *publisher
	lost chan struct{} // closed when the connection has ended
	work sync.WaitGroup

	mu       sync.Mutex // owns what follows
	declared map[string]bool
	channels map[string]*amqp091.Channel // that topics are read on
	ending   bool                        // nothing more is begun
	cause    error                       // why the connection ended
}

// errLost is what a call gets whose session ended under it.
var errLost = errors.New("the connection to RabbitMQ was lost")

// dial connects once.
func (q *Queue) dial() (*session, error) {
	s := &session{q: q, lost: make(chan struct{}), declared: map[string]bool{}, channels: map[string]*amqp091.Channel{}, cause: errLost}
	cfg := amqp091.Config{
		Heartbeat: heartbeat, TLSClientConfig: q.link.TLS, Properties: amqp091.NewConnectionProperties(),
		Dial: func(network, addr string) (conn net.Conn, err error) {
			s.raw, err = amqp091.DefaultDial(dialTime)(network, addr)
			return s.raw, err
		},
	}
	cfg.Properties.SetClientConnectionName("spool")
	conn, err := amqp091.DialConfig(q.url, cfg)
	if err != nil {
		return nil, err
	}
	s.conn = conn
	if has, _ := conn.Properties["version"].(string); !queue.NewEnough(has, oldest) {
		return nil, errors.Join(queue.TooOld(engine, q.at, has, oldest), conn.Close())
	}
	s.watch()
	if s.pub, err = newPublisher(s); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

// watch notices the end of the connection, and that the server takes no more
// for now. Both channels are always read: the library waits for their readers.
func (s *session) watch() {
	ends := s.conn.NotifyClose(make(chan *amqp091.Error, 1))
	blocks := s.conn.NotifyBlocked(make(chan amqp091.Blocking, 8))
	s.work.Go(func() {
		for {
			select {
			case b, ok := <-blocks:
				switch {
				case !ok:
					blocks = nil
				case b.Active:
					s.q.tells.Away(queue.Full(engine, s.q.at, errors.New(b.Reason)))
				default:
					s.q.tells.Back()
				}
			case err := <-ends:
				s.mu.Lock()
				if err != nil {
					s.cause = err
				}
				s.mu.Unlock()
				close(s.lost)
				return
			}
		}
	})
}

func (s *session) why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// end closes the connection, by force if the server does not answer, and
// waits for all that ran on it.
func (s *session) end() {
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	if err := s.conn.CloseDeadline(time.Now().Add(dialTime)); err != nil {
		_ = s.raw.Close() // it is gone, or as good as gone
	}
	s.work.Wait()
}

// call makes one request on the session. The library waits for the answer
// without an end: when it does not come in time, the connection is cut.
func (s *session) call(ctx context.Context, request func() error) error {
	answer := make(chan error, 1)
	s.mu.Lock()
	if s.ending {
		s.mu.Unlock()
		return errLost
	}
	s.work.Go(func() { answer <- request() })
	s.mu.Unlock()
	late := time.NewTimer(requestTime)
	defer late.Stop()
	select {
	case err := <-answer:
		return err
	case <-late.C:
		_ = s.raw.Close() // the answer is then an error
		return errLost
	case <-ctx.Done():
		return ctx.Err()
	}
}

// declare makes a topic's queue if it is missing. One that is there with other
// arguments is taken as it is.
func (s *session) declare(ctx context.Context, topic string, again bool) error {
	s.mu.Lock()
	known := s.declared[topic] && !again
	s.mu.Unlock()
	if known {
		return nil
	}
	err := s.call(ctx, func() error {
		ch, err := s.conn.Channel() // of its own: a refusal closes it
		if err != nil {
			return err
		}
		_, err = ch.QueueDeclare(prefix+topic, true, false, false, false, s.arguments(topic))
		var e *amqp091.Error
		if errors.As(err, &e) && e.Code == amqp091.PreconditionFailed {
			return nil
		}
		return errors.Join(err, ch.Close())
	})
	if err != nil {
		return fmt.Errorf("declare queue %s: %w", prefix+topic, err)
	}
	s.mu.Lock()
	s.declared[topic] = true
	s.mu.Unlock()
	return nil
}

// arguments are a queue's. A quorum queue drops what was given back too often,
// from RabbitMQ 4.0 on after 20 times if nothing is said: here the ledger
// counts. Ages are in milliseconds.
func (s *session) arguments(topic string) amqp091.Table {
	if queue.Kept(topic) {
		return amqp091.Table{"x-queue-type": "quorum", "x-delivery-limit": int64(1 << 30)}
	}
	brief := s.q.link.Brief
	return amqp091.Table{
		"x-queue-type": "classic", "x-message-ttl": brief.Milliseconds(),
		"x-expires": max(4*brief, time.Minute).Milliseconds(),
	}
}

// send publishes to a topic's queue. A queue that has ended since it was
// declared is declared again.
func (s *session) send(ctx context.Context, topic string, body []byte) error {
	for _, again := range []bool{false, true} {
		if err := s.declare(ctx, topic, again); err != nil {
			return err
		}
		routed, err := s.pub.publish(ctx, topic, body)
		if err != nil {
			return err
		}
		if routed {
			return nil
		}
	}
	return fmt.Errorf("queue %s: %w", prefix+topic, errUnroutable)
}

var errUnroutable = errors.New("it ended as soon as it was made")
