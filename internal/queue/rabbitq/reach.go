package rabbitq

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/rabbitmq/amqp091-go"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
)

const (
	engine = "the RabbitMQ server"
	oldest = "3.10.0" // the first with ages of messages in quorum queues
)

// address reads the URL.
func (q *Queue) address() error {
	u, err := amqp091.ParseURI(q.url)
	if err != nil {
		return &spool.Error{
			Class: spool.Permanent, Code: queue.CodeURL, Reason: "the queue's URL cannot be read",
			Hint: "it looks like amqp://user:password@host:5672/vhost; special signs are written as %2F",
		}
	}
	if q.link.TLS != nil && u.Scheme == "amqp" {
		return &spool.Error{
			Class: spool.Permanent, Code: queue.CodeURL, Reason: "the queue's URL names files for TLS and begins with amqp:, which is without TLS",
			Hint: "write amqps:// and the port for TLS, usually 5671",
		}
	}
	q.at = net.JoinHostPort(u.Host, strconv.Itoa(u.Port))
	return nil
}

// judge says what an error of the connection means to the user. All but what
// is permanent is waited for.
func (q *Queue) judge(err error) *spool.Error {
	var known *spool.Error
	if errors.As(err, &known) {
		return known
	}
	if distrust := queue.Distrust(engine, q.at, err); distrust != nil {
		return distrust
	}
	var e *amqp091.Error
	switch {
	case errors.Is(err, amqp091.ErrVhost), errors.As(err, &e) && e.Code == amqp091.NotAllowed:
		return unusable(q.at, "it has no such vhost, or this user may not enter it", "the vhost stands last in the queue's URL; rabbitmqctl add_vhost makes one")
	case errors.Is(err, amqp091.ErrCredentials), errors.Is(err, amqp091.ErrSASL), errors.As(err, &e) && e.Code == amqp091.AccessRefused:
		return queue.Refused(engine, q.at, err)
	}
	return queue.Away(engine, q.at, err)
}

func unusable(at, why, hint string) *spool.Error {
	return &spool.Error{
		Class: spool.Permanent, Code: queue.CodeSetup, Hint: hint,
		Reason: fmt.Sprintf("the RabbitMQ server at %s cannot carry jobs: %s", at, why),
	}
}
