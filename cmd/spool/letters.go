package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/inbox"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/webapi"
)

// letters takes in what other programs put into the queue's inbox.
type letters struct {
	queue queue.Queue
	take  func(context.Context, []webapi.Submission) ([]webapi.Taken, error)
	show  func(progress.Event)
	// refused is a file, with a line of JSON for each message that was refused.
	refused string
}

// returned is a message that was refused, as it is kept.
type returned struct {
	Time    time.Time `json:"time"`
	Reason  string    `json:"reason"`
	Hint    string    `json:"hint,omitempty"`
	Code    string    `json:"code"`
	Message string    `json:"message"` // its beginning, as far as it is text
}

// mostRefused is how large the file of what was refused becomes, in bytes;
// then the one before it goes.
const mostRefused = 8 << 20

// run takes messages in until ctx ends. One that was dealt with, also by being
// refused, is acknowledged; one that met a ledger that is away comes again.
func (l letters) run(ctx context.Context) error {
	for {
		d, err := l.queue.Receive(ctx, queue.InboxTopic)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the inbox: %w", err)
		}
		if err := l.open(ctx, d.Body); err != nil {
			return err
		}
		_ = d.Ack(ctx) // unheard, it comes again, and is known by then
	}
}

// open deals with one message.
func (l letters) open(ctx context.Context, body []byte) error {
	r, err := inbox.Parse(body)
	if err != nil {
		return l.refuse(body, spool.AsError(err))
	}
	if r.ID == "" && r.Key != "" {
		sum := sha256.Sum256([]byte(r.Key))
		r.ID = "key-" + hex.EncodeToString(sum[:8]) // what is handed in twice is one video
	}
	taken, err := l.take(ctx, []webapi.Submission{{Source: r.Source, ID: r.ID, Title: r.Title, Ladder: r.Ladder, Priority: r.Priority, Callback: r.Callback}})
	if err != nil {
		return err
	}
	for _, t := range taken {
		if t.Problem == nil {
			continue
		}
		if err := l.keep(body, returned{Reason: t.Problem.Detail, Hint: t.Problem.Hint, Code: t.Problem.Code}); err != nil {
			return err
		}
	}
	return nil
}

// refuse keeps a message that cannot be read, and says so.
func (l letters) refuse(body []byte, e *spool.Error) error {
	l.show(progress.Event{Type: progress.Bad, Source: "a message of the inbox", Failure: failure(e)})
	return l.keep(body, returned{Reason: e.Reason, Hint: e.Hint, Code: e.Code})
}

// keep appends to the file of what was refused.
func (l letters) keep(body []byte, r returned) error {
	const shown = 2000
	r.Time, r.Message = time.Now().UTC(), plaintext.Cut(plaintext.Sanitize(string(body)), shown)
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("keep a refused message: %w", err)
	}
	if info, err := os.Stat(l.refused); err == nil && info.Size() > mostRefused {
		if err := os.Rename(l.refused, l.refused+".1"); err != nil {
			return fmt.Errorf("keep a refused message: %w", err)
		}
	}
	f, err := os.OpenFile(l.refused, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("keep a refused message: %w", err)
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		_ = f.Close() // the first error counts
		return fmt.Errorf("keep a refused message: %w", err)
	}
	return f.Close()
}

// refusedPath is where messages of the inbox lie that were refused.
func refusedPath(state string) string { return filepath.Join(state, "inbox-refused.jsonl") }
