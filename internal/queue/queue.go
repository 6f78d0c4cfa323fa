// Package queue is the contract of what carries jobs out and reports back. A
// queue is a doorbell, not the truth: it may lose a message or deliver it
// twice, and the ledger makes both harmless.
package queue

import (
	"context"
	"errors"
)

// ErrClosed is returned by a queue that was closed.
var ErrClosed = errors.New("queue is closed")

// Queue carries messages by topic. An engine is safe for concurrent use.
type Queue interface {
	// Send returns when the engine has the message. Messages that one sender
	// sends to a topic one after the other come in that order, unless one
	// comes again. The engine keeps a copy: body may be changed afterwards. A
	// body may be empty.
	Send(ctx context.Context, topic string, body []byte) error
	// Receive blocks until there is a message on topic and returns one. A
	// message goes to one receiver; until it is acknowledged it may come
	// again, and surely does when its receiver's engine is gone and the
	// message was not kept in that receiver's memory alone. A Receive whose
	// ctx ends returns ctx.Err() and has taken no message.
	Receive(ctx context.Context, topic string) (Delivery, error)
	// Close ends all waiting calls with ErrClosed, and later ones too. Closing
	// twice is no error.
	Close() error
}

// Delivery is one received message.
type Delivery struct {
	Body []byte // the receiver's own
	// Ack tells the engine that the message was dealt with. An error means
	// that it may come again. A second Ack does nothing.
	Ack func(ctx context.Context) error
}
