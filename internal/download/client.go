// Package download fetches a file by HTTP so that nothing is fetched twice: a
// download that was cut, by the server, by a cancel or by a power cut, goes on
// where the last bytes were made durable.
//
// While a download runs, PATH.part holds its bytes, with holes where some are
// missing, and PATH.part.json says which of them are durable, what the file
// looked like at the server, and the state of the running hash. When it is
// complete the part is renamed to PATH, and PATH.json keeps what was learned.
//
// A file can be read while it arrives. It comes from its start on; what a
// reader waits for is fetched before its turn where the server sends ranges:
// see Watcher.
package download

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/guard"
)

// Client downloads files. The zero value works; a field that is zero has the
// default that it names. It is safe for concurrent use and must not be copied
// after its first use.
type Client struct {
	PerHost    int               // downloads from one host at a time, over all Gets: at most 2, fewer when more are not faster
	Stall      time.Duration     // longest wait for the next byte: 30 s
	MinRate    int64             // bytes per second, measured over MinWindow: 1024; negative = none
	MinWindow  time.Duration     // 60 s
	Attempts   int               // tries in a row that gain less than 1 MiB each: 5
	Backoff    time.Duration     // before the second try, doubled for each next: 500 ms, at most 30 s
	Patience   time.Duration     // longest Retry-After that Get itself waits for: 30 s
	MaxBytes   int64             // refuse a larger file; 0 = no limit
	Checkpoint int64             // make bytes durable whenever that many are new: 16 MiB, and every second
	Guard      guard.Policy      // what may be fetched from: public addresses
	Transport  http.RoundTripper // nil: one that keeps to Guard; another is not held to it when it dials

	// Room is asked before bytes are fetched into path when their number is
	// known. Its error ends the download.
	Room func(path string, missing int64) error
	// Wait waits for d or the end of ctx. Nil: by the clock.
	Wait func(ctx context.Context, d time.Duration) error

	once  sync.Once
	own   *http.Transport
	hosts hosts
	pace  pace
	reach reach
}

// Request is one file to download.
type Request struct {
	URL    string      // http or https; a user and password in it are sent as Basic credentials
	Header http.Header // sent to the URL's host only
	Path   string      // the final file; its folder must exist
	Size   int64       // expected bytes; 0 = unknown
	SHA256 string      // expected, hex; "" = unknown
	// ChunkSize is how many bytes one request may ask for at most: some sites
	// slow longer ones down. 0 = no limit.
	ChunkSize int64
	// Identity names the file for good where its URL does not, because it is
	// signed anew for each visitor: what an earlier Get of the same identity
	// left is used. "" = the URL names it.
	Identity string
	// Renew gives another link to the same file when this one, which brought a
	// part of it, is refused. Nil: the download fails then.
	Renew func(ctx context.Context) (Link, error)
	// Beside is set for the lesser part of what another Get fetches at the same
	// time, as the sound that belongs to pictures. It is not held so that others
	// from the host are complete sooner: they are of use only with it.
	Beside bool
	// Watcher is told of the file while it arrives. Nil: nobody.
	Watcher Watcher
	// Space is the bounded room that the file lies in. Nil: it is not bounded,
	// or by MaxBytes alone.
	Space Space
	// Use names what the file is read for. What is given back is not needed any
	// more for that use; another one gets all of it.
	Use string
}

// Link is where a file can be had.
type Link struct {
	URL    string
	Header http.Header // as in Request
}

// Result is what was downloaded.
type Result struct {
	Size        int64  `json:"size"`
	SHA256      string `json:"sha256"`
	ContentType string `json:"contentType,omitempty"` // as the server says
	ETag        string `json:"etag,omitempty"`
	// Gone: bytes were given back, and there is no file under the path.
	Gone bool `json:"-"`
}

const (
	defaultPerHost    = 2
	defaultStall      = 30 * time.Second
	defaultMinRate    = 1024
	defaultMinWindow  = time.Minute
	defaultAttempts   = 5
	defaultBackoff    = 500 * time.Millisecond
	defaultPatience   = 30 * time.Second
	defaultCheckpoint = 16 << 20
	longestBackoff    = 30 * time.Second
	checkpointEvery   = time.Second            // what a pulled plug may cost
	checkpointOften   = 250 * time.Millisecond // what it costs where checkpoints are quick
	maxRedirects      = 5
	userAgent         = "spool"
	// realProgress is what an attempt must gain to be no attempt in vain.
	realProgress = 1 << 20
	// maxRestarts is how often a file may turn out to be another one before
	// we believe that it never stands still.
	maxRestarts = 3
)

// Get downloads r.URL into r.Path and returns when the file is durable. What
// an earlier Get of the same URL left is used; when that was all of it there is
// no request. progress, when it is not nil, is told the bytes held and the
// total (0 = unknown). Errors are *spool.Error, or that of ctx; after one the
// part stays for the next Get, unless it is empty.
func (c *Client) Get(ctx context.Context, r Request, progress func(done, total int64)) (Result, error) {
	c.once.Do(c.start)
	if progress == nil {
		progress = func(int64, int64) {}
	}
	target, err := c.parse(r.URL)
	if err != nil {
		return Result{}, err
	}
	key := r.key(target)
	if res, ok := finished(r.Path, key); ok {
		progress(res.Size, res.Size)
		return res, nil
	}
	p, err := openNamed(r.Path, key, target)
	if err != nil {
		return Result{}, err
	}
	if err := p.lodge(r); err != nil {
		return Result{}, errors.Join(err, p.close())
	}
	if r.Space != nil {
		r.Space.Held(p.spans().Len(), 0)
	}
	res, err := newTransfer(c, r, target, p, progress).run(ctx)
	if closeErr := p.close(); err == nil && closeErr != nil {
		return Result{}, diskFault("close", r.Path, closeErr)
	}
	return res, err
}

// Close drops idle connections. Gets that run are not touched.
func (c *Client) Close() {
	c.once.Do(c.start)
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

func (c *Client) start() {
	c.hosts.limit = orInt(c.PerHost, defaultPerHost)
	c.pace.limit = c.hosts.limit
	if c.Transport == nil {
		c.own = c.Guard.Transport()
		c.own.MaxIdleConnsPerHost = c.hosts.limit
	}
}

func (c *Client) transport() http.RoundTripper {
	if c.Transport != nil {
		return c.Transport
	}
	return c.own
}

func (c *Client) wait(ctx context.Context, d time.Duration) error {
	if c.Wait != nil {
		return c.Wait(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// parse accepts what may be downloaded.
func (c *Client) parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// The cause would repeat the URL with its secrets.
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "bad-url",
			Reason: "the source is not a valid URL", Hint: "check it for typing errors and blanks",
		}
	}
	return u, c.Guard.Check(u)
}

func orInt[T int | int64 | time.Duration](v, fallback T) T {
	if v == 0 {
		return fallback
	}
	return v
}
