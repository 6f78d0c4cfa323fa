// Package queue is the contract of what carries jobs out and reports back. A
// queue is a doorbell, not the truth: it may lose a message or deliver it
// twice, and the ledger makes both harmless.
//
// An engine over a network may be away for a while, or for long. It then
// reconnects for ever, says so (Link.Says), and calls wait: a Send until the
// engine has the message, a Receive until there is one, and so do those of an
// engine that is full. Who cannot wait gives them a context that ends. What no
// waiting mends comes back as a *spool.Error: a body over the engine's limit
// has CodeTooBig.
package queue

import (
	"context"
	"errors"
)

// ErrClosed is returned by a queue that was closed.
var ErrClosed = errors.New("queue is closed")

// MaxBody is the longest body, in bytes, that every engine carries as Spool
// sets it up. An engine that somebody else set up may carry less, and warns of
// that when it is opened (Link.Warns), where it can know.
const MaxBody = 8 << 20

// MaxOpen is how many messages of a topic one process may have received and
// not acknowledged, at least; an engine may keep back the ones after that.
const MaxOpen = 100

// Queue carries messages by topic. An engine is safe for concurrent use.
type Queue interface {
	// Send returns when the engine has the message; of a topic that is kept,
	// on its disk. Messages that one sender sends to a topic one after the
	// other come in that order, unless one comes again. The engine keeps a
	// copy: body may be changed afterwards. A body may be empty.
	Send(ctx context.Context, topic string, body []byte) error
	// Receive blocks until there is a message on topic and returns one. A
	// message goes to one receiver; until it is acknowledged it may come
	// again, and surely does when its receiver's engine is gone and the
	// message was not kept in that receiver's memory alone. A Receive whose
	// ctx ends returns ctx.Err() and has taken no message. A message of a
	// topic that is not kept does not come when it is older than Brief.
	Receive(ctx context.Context, topic string) (Delivery, error)
	// Close ends all waiting calls with ErrClosed, and later ones too. Closing
	// twice is no error.
	Close() error
}

// Delivery is one received message.
type Delivery struct {
	Body []byte // the receiver's own
	// Ack tells the engine that the message was dealt with. It does not wait
	// for an engine that is away. An error means that the message may come
	// again, and nothing else: whoever bears that goes on. A second Ack does
	// nothing.
	Ack func(ctx context.Context) error
}
