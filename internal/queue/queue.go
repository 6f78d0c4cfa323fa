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
	// Send returns when the engine has the message.
	Send(ctx context.Context, topic string, body []byte) error
	// Receive blocks until there is a message on topic and returns one. A
	// message goes to one receiver; until it is acknowledged it may come again.
	Receive(ctx context.Context, topic string) (Delivery, error)
	// Close ends all waiting calls with ErrClosed.
	Close() error
}

// Delivery is one received message.
type Delivery struct {
	Body []byte
	// Ack tells the engine that the message was dealt with. An error means
	// that it may come again.
	Ack func(ctx context.Context) error
}
