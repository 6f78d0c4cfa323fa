// Package callback tells the programs that asked for it how a video ended: by
// an HTTP request to an address of theirs, signed as Standard Webhooks has it.
//
// What is to be told is in the ledger, from the transaction in which the video
// ended until a receiver has answered with a 2xx, or has not for a day. So a
// message may come twice, after a crash between the answer and the commit: its
// webhook-id is then the same.
//
// A receiver is somebody else's, named by who hands videos in: it is asked
// within the guard's policy, redirects are not followed, and one that is slow
// or away holds up no other.
package callback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/guard"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/plaintext"
)

// outbox is the part of a ledger that is wanted here.
type outbox interface {
	Notices(ctx context.Context, a ledger.NoticeAsk) ([]ledger.Notice, error)
	PutOff(ctx context.Context, n ledger.Notice) error
	Told(ctx context.Context, id string) error
}

// Sender delivers what an outbox holds. Its fields are set before Run.
type Sender struct {
	Outbox  outbox
	Secrets Secrets
	Policy  guard.Policy
	Master  func(video string) string // where a video's master lies, as a person would open it
	Version string                    // of the program
	Tried   func(Try)                 // told of every try, from several goroutines; nil: nobody

	rest func(tries int) time.Duration // nil: wait
}

// Try is what came of one try.
type Try struct {
	ledger.Notice // as it is kept now; of one that is delivered, as it was
	Event         string
	Outcome       Outcome
	Why           string // what is wrong, in words; "" when it was delivered
	Took          time.Duration
}

// Outcome is what came of a try.
type Outcome string

// The outcomes of a try.
const (
	Delivered Outcome = "delivered"
	PutOff    Outcome = "failed" // it is tried again at Next
	GivenUp   Outcome = "given-up"
)

const (
	// timeout is how long a receiver has for all of a request.
	timeout = 15 * time.Second
	// lookEvery is how often the outbox is looked at.
	lookEvery = time.Second
	// together is how many receivers are asked at a time.
	together = 16
	// lastWords is how long the outbox may take to note what came of a try when
	// Run is to end.
	lastWords = 5 * time.Second
)

// Run delivers until ctx ends. Each host is asked one thing at a time, and not
// for a while when it has failed. An error is the outbox's.
func (s *Sender) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	client := s.client()
	defer client.CloseIdleConnections()
	var going sync.WaitGroup
	defer going.Wait()
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	hosts := map[string]time.Time{} // asked now, or not to be asked before; of those that are asked now, zero
	ended := make(chan asked, together)
	for {
		next, err := s.next(ctx, hosts)
		if err != nil {
			return quiet(ctx, err)
		}
		if next != nil {
			hosts[next.Host()] = time.Time{}
			going.Go(func() { ended <- s.try(ctx, client, *next) })
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case a := <-ended:
			if a.err != nil {
				return quiet(ctx, a.err)
			}
			hosts[a.host] = a.until
		}
	}
}

// asked is what came of asking a host: when it may be asked again.
type asked struct {
	host  string
	until time.Time
	err   error
}

func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("deliver callbacks: %w", err)
}

// next is a notice that is due, of a host that can be asked; nil when there is
// none.
func (s *Sender) next(ctx context.Context, hosts map[string]time.Time) (*ledger.Notice, error) {
	now := time.Now()
	var except []string
	busy := 0
	for host, until := range hosts {
		switch {
		case until.IsZero():
			busy++
			except = append(except, host)
		case until.After(now):
			except = append(except, host)
		default:
			delete(hosts, host)
		}
	}
	if busy >= together {
		return nil, nil
	}
	due, err := s.Outbox.Notices(ctx, ledger.NoticeAsk{Due: now, Except: except, Limit: 1})
	if err != nil || len(due) == 0 {
		return nil, err
	}
	return &due[0], nil
}

// client asks what the policy allows, and goes nowhere else.
func (s *Sender) client() *http.Client {
	c := s.Policy.Client()
	c.Timeout = timeout
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// try asks a receiver once, and keeps what came of it.
func (s *Sender) try(ctx context.Context, client *http.Client, n ledger.Notice) asked {
	began := time.Now()
	why, after, err := s.send(ctx, client, n)
	if ctx.Err() != nil && why != "" || err != nil {
		return asked{host: n.Host(), err: err} // nobody knows what came of it
	}
	t := Try{Notice: n, Event: Event(n), Why: why, Took: time.Since(began), Outcome: Delivered}
	a := asked{host: n.Host(), until: began}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	if why == "" {
		a.err = s.Outbox.Told(ctx, n.ID)
	} else {
		t.Notice = s.putOff(n, why, after, time.Now())
		if t.Outcome = PutOff; t.GivenUp {
			t.Outcome = GivenUp
		}
		a.until = time.Now().Add(min(time.Until(t.Next), longestPause))
		a.err = s.Outbox.PutOff(ctx, t.Notice)
	}
	if s.Tried != nil && a.err == nil {
		s.Tried(t)
	}
	return a
}

// gone is what after is of a receiver that wants to hear no more.
const gone time.Duration = -1

// send asks a receiver. why is what is wrong, "" when it has taken the message;
// after is how long it wants to be left alone.
func (s *Sender) send(ctx context.Context, client *http.Client, n ledger.Notice) (why string, after time.Duration, err error) {
	body, err := s.body(n)
	if err != nil {
		return "", 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.Callback, bytes.NewReader(body))
	if err != nil {
		return "its address cannot be read", gone, nil //nolint:nilerr // that is what came of it
	}
	now := time.Now()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Spool/"+s.Version)
	r.Header.Set("Webhook-Id", n.ID)
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("Webhook-Signature", s.Secrets.sign(n.ID, now, body))
	res, err := client.Do(r)
	if err != nil {
		return unanswered(err), 0, nil
	}
	defer res.Body.Close()                                      //nolint:errcheck // read only
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 8<<10)) // so that the connection can be used again
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return "", 0, nil
	case res.StatusCode == http.StatusGone:
		return "it answered with 410: it wants to hear no more", gone, nil
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return fmt.Sprintf("it answered with %d, and redirects are not followed", res.StatusCode), 0, nil
	}
	return fmt.Sprintf("it answered with %d", res.StatusCode), retryAfter(res.Header, now), nil
}

// unanswered says why there is no answer, without the address.
func unanswered(err error) string {
	var refused *spool.Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	var timer net.Error
	if errors.As(err, &timer) && timer.Timeout() {
		return "it did not answer in time"
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return plaintext.Cut(plaintext.Show(err.Error()), 200)
}

// retryAfter is how long a receiver says that it wants to be left alone.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
