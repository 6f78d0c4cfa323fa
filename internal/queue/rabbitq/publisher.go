package rabbitq

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/rabbitmq/amqp091-go"

	"github.com/spool-video/spool/internal/queue"
)

// publisher is the one channel that is published on, and the one goroutine
// that does: a server that takes no more stops the writer, not the senders.
type publisher struct {
	s        *session
	requests chan *publishing
}

// publishing is one message on its way.
type publishing struct {
	topic  string
	body   []byte
	routed bool       // the server did not send it back
	done   chan error // with room for one
}

// confirming is what the reader of confirmations is told of a publishing.
type confirming struct {
	tag uint64
	p   *publishing
}

// answers are what the server says on a publisher's channel.
type answers struct {
	returns  <-chan amqp091.Return
	confirms <-chan amqp091.Confirmation
	ends     <-chan *amqp091.Error
}

var errNotConfirmed = errors.New("RabbitMQ did not take the message")

func newPublisher(s *session) (*publisher, error) {
	var ch *amqp091.Channel
	err := s.call(context.Background(), func() (err error) {
		if ch, err = s.conn.Channel(); err != nil {
			return err
		}
		return ch.Confirm(false)
	})
	if err != nil {
		return nil, err
	}
	p := &publisher{s: s, requests: make(chan *publishing)}
	under := make(chan confirming)
	// Without room: the server sends a message back before it confirms it, and
	// the reader has to hear of it in this order.
	says := answers{
		returns:  ch.NotifyReturn(make(chan amqp091.Return)),
		confirms: ch.NotifyPublish(make(chan amqp091.Confirmation)),
		ends:     ch.NotifyClose(make(chan *amqp091.Error, 1)),
	}
	s.work.Go(func() { p.write(ch, under) })
	s.work.Go(func() { p.read(says, under) })
	return p, nil
}

// publish sends a message and waits until the server has it; false is that no
// queue took it.
func (p *publisher) publish(ctx context.Context, topic string, body []byte) (routed bool, err error) {
	m := &publishing{topic: topic, body: body, routed: true, done: make(chan error, 1)}
	late := time.NewTimer(requestTime)
	defer late.Stop()
	select {
	case p.requests <- m:
	case <-p.s.lost:
		return false, errLost
	case <-ctx.Done():
		return false, ctx.Err()
	}
	select {
	case err := <-m.done:
		return m.routed, err
	case <-late.C:
		_ = p.s.raw.Close() // a server that does not answer is as good as gone
		return false, errLost
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// write publishes in turn, and tells the reader before what to expect. A
// channel that fails ends the session: there is one publisher a session.
func (p *publisher) write(ch *amqp091.Channel, under chan<- confirming) {
	for {
		select {
		case <-p.s.lost:
			return
		case m := <-p.requests:
			tag := ch.GetNextPublishSeqNo()
			select {
			case under <- confirming{tag, m}:
			case <-p.s.lost:
				m.done <- errLost
				return
			}
			mode := amqp091.Transient
			if queue.Kept(m.topic) {
				mode = amqp091.Persistent
			}
			err := ch.PublishWithContext(context.Background(), "", prefix+m.topic, true, false, amqp091.Publishing{
				MessageId: strconv.FormatUint(tag, 10), DeliveryMode: mode, Body: m.body,
			})
			if err != nil {
				_ = p.s.raw.Close() // what is under way is told so by the reader
			}
		}
	}
}

// read matches what the server says to what is under way, until the channel or
// the session ends; then all that is under way is lost.
func (p *publisher) read(says answers, under <-chan confirming) {
	waiting := map[uint64]*publishing{}
	why := errLost
	defer func() {
		_ = p.s.raw.Close() // there is one publisher a session
		for _, m := range waiting {
			m.done <- why
		}
	}()
	for {
		select {
		case <-p.s.lost:
			return
		case c := <-under:
			waiting[c.tag] = c.p
		case r, ok := <-says.returns:
			tag, _ := strconv.ParseUint(r.MessageId, 10, 64) // ours, from write
			if m := waiting[tag]; ok && m != nil {
				m.routed = false
			}
			if !ok {
				says.returns = nil
			}
		case c, ok := <-says.confirms:
			if m := waiting[c.DeliveryTag]; ok && m != nil {
				delete(waiting, c.DeliveryTag)
				m.done <- refused(c.Ack)
			}
			if !ok {
				says.confirms = nil
			}
		case err := <-says.ends:
			if err != nil {
				why = err
			}
			return
		}
	}
}

func refused(taken bool) error {
	if taken {
		return nil
	}
	return errNotConfirmed
}
