package schedule_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	network "net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/download"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/worker"
)

// resolver is a network whose name server is away until a time.
type resolver struct {
	until time.Time
	why   network.DNSError
	took  time.Duration // for each name, until then
}

func (r *resolver) RoundTrip(q *http.Request) (*http.Response, error) {
	if time.Now().Before(r.until) {
		if err := takes(r.took)(q.Context(), spool.Job{}); err != nil {
			return nil, err
		}
		return nil, &network.OpError{Op: "dial", Net: "tcp", Err: &r.why}
	}
	body := append([]byte("\x00\x00\x00\x18ftypmp42"), bytes.Repeat([]byte{1, 2, 3}, 1<<10)...)
	return &http.Response{
		StatusCode: http.StatusOK, Request: q, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// fetches is a fetch by link.
type fetches struct {
	client *download.Client
	dir    string
}

func (f fetches) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	path := filepath.Join(f.dir, job.Video)
	_, err := f.client.Get(ctx, download.Request{URL: job.Source, Path: path}, func(done, total int64) {
		progress(spool.Progress{Phase: spool.Downloading, Done: done, Total: total})
	})
	return spool.Result{Fetched: &spool.Fetched{Path: path}}, err
}

// outage lets a video that is accepted pause, and looks that it stays so until
// the end of the outage and is ready soon after it.
func (b *site) outage(end time.Time, kind spool.Kind, reason string) {
	b.Helper()
	status := func() spool.Status {
		rec, err := b.ledger.Get(b.ctx, "v")
		if err != nil {
			b.Fatal(err)
		}
		return rec.Video.Status
	}
	b.until("it is paused", func() bool { return status() == spool.Paused })
	for time.Until(end) > time.Second {
		if is := status(); is != spool.Paused {
			b.Fatalf("it is %s while it waits", is)
		}
		b.says("v", "paused: "+reason)
		<-time.After(time.Second)
	}
	b.until("ready", b.ready("v"))
	rec, err := b.ledger.Get(b.ctx, "v")
	if err != nil || rec.Job(kind, 0).Attempts != 0 || time.Since(end) > time.Minute {
		b.Errorf("ready %v after the outage: %+v, %v", time.Since(end), rec.Job(kind, 0), err)
	}
}

// A name server that is away for two minutes is waited for, whether it says so
// or says nothing.
func TestNoNameServer(t *testing.T) {
	for name, r := range map[string]*resolver{
		"it fails":       {why: network.DNSError{Err: "server misbehaving", IsTemporary: true}},
		"it is mute":     {why: network.DNSError{Err: "i/o timeout", IsTimeout: true, IsTemporary: true}, took: 20 * time.Second},
		"no way to it":   {why: network.DNSError{Err: "dial udp 192.0.2.1:53: connect: network is unreachable", IsTemporary: true}},
		"it knows no IP": {why: network.DNSError{Err: "server misbehaving"}}, // as a router's says without a line
	} {
		dir := t.TempDir()
		t.Run(name, func(t *testing.T) {
			inBubble(t, schedule.Scheduler{}, func(b *site) {
				r.until = time.Now().Add(2 * time.Minute)
				stages := crewOf(takes(time.Second))
				stages[spool.Fetch] = fetches{&download.Client{Transport: r}, dir}
				b.hire(worker.Config{Name: "w", Stages: stages})
				b.accept(link("v"))
				b.outage(r.until, spool.Fetch, "the name x cannot be resolved")
			})
		})
	}
}

// A destination that answers 503 for three minutes is waited for by those who
// publish.
func TestBusyDestination(t *testing.T) {
	for _, kind := range []spool.Kind{spool.Encode, spool.Finish} {
		t.Run(string(kind), func(t *testing.T) {
			inBubble(t, schedule.Scheduler{}, func(b *site) {
				end := time.Now().Add(3 * time.Minute)
				const reason = "the store far:films answers with status 503 Service Unavailable"
				b.hire(worker.Config{Name: "w", Stages: crewOf(func(_ context.Context, job spool.Job) error {
					if job.Kind != kind || time.Now().After(end) {
						return nil
					}
					return &spool.Error{Class: spool.Environment, Code: "dest-busy", Reason: reason}
				})})
				b.accept(link("v"))
				b.outage(end, kind, reason)
			})
		})
	}
}

// hiccups is a download that breaks off again and again.
type hiccups struct {
	times, gain int64 // how often, and after how many bytes
	begun       *atomic.Int64
}

func (h hiccups) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	n := h.begun.Add(1)
	progress(spool.Progress{Phase: spool.Downloading, Done: (n - 1) * h.gain})
	if err := takes(time.Minute)(ctx, job); err != nil {
		return spool.Result{}, err
	}
	progress(spool.Progress{Phase: spool.Downloading, Done: n * h.gain})
	if n <= h.times {
		return spool.Result{}, errors.New("the server hung up")
	}
	return spool.Result{Fetched: &spool.Fetched{Remote: &spool.Remote{URL: job.Source}}}, nil
}

// A download that gets on is not given up, however often it breaks off; one that
// does not is, after five times.
func TestBrokenDownloads(t *testing.T) {
	for gain, want := range map[int64]spool.Status{100 << 20: spool.Ready, 1 << 20: spool.Ready, 1 << 10: spool.Failed, 0: spool.Failed} {
		inBubble(t, schedule.Scheduler{}, func(b *site) {
			h := hiccups{times: 20, gain: gain, begun: &atomic.Int64{}}
			stages := crewOf(takes(time.Second))
			stages[spool.Fetch] = h
			b.hire(worker.Config{Name: "w", Stages: stages})
			b.accept(link("v"))
			var v spool.Video
			b.until("it has ended", func() bool {
				rec, err := b.ledger.Get(b.ctx, "v")
				v = rec.Video
				return err == nil && v.Status.Ended()
			})
			if v.Status != want || want == spool.Failed && (h.begun.Load() != 5 || v.Failure.Had != 0) {
				b.Errorf("%d bytes each time: %s after %d tries, %+v", gain, v.Status, h.begun.Load(), v.Failure)
			}
		})
	}
}
