package survey

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/survey/m3u8"
)

// Source gives the resources of a package.
type Source interface {
	// Read reads a resource, or a part of it. More than most bytes are an
	// error. Errors are *spool.Error with a sentence, or that of ctx.
	Read(ctx context.Context, at *url.URL, part *m3u8.Range, most int64) ([]byte, File, error)
}

// Places reads what has no scheme from a folder, and http and https by HTTP.
type Places struct {
	Folder *os.Root // nil: nothing has to be read from disk
	Web    Web
}

// Read implements Source.
func (p Places) Read(ctx context.Context, at *url.URL, part *m3u8.Range, most int64) ([]byte, File, error) {
	switch {
	case at.Scheme == "http" || at.Scheme == "https":
		return p.Web.Read(ctx, at, part, most)
	case at.Scheme == "" && at.Host == "" && p.Folder != nil:
		return p.read(at, part, most)
	}
	return nil, File{}, unreadable(fmt.Sprintf("addresses of %q are not followed", cmp.Or(at.Scheme, "another host")), nil)
}

func (p Places) read(at *url.URL, part *m3u8.Range, most int64) ([]byte, File, error) {
	name := strings.TrimPrefix(at.Path, "/")
	f, err := p.Folder.Open(name)
	if err != nil {
		why := "it cannot be opened"
		if errors.Is(err, fs.ErrNotExist) {
			why = "it is not there"
		}
		return nil, File{}, unreadable(why, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, File{}, unreadable("it is no file", err)
	}
	var from io.Reader = f
	if part != nil {
		from = io.NewSectionReader(f, part.Offset, part.Length)
	}
	b, err := limited(from, part, most)
	return b, File{Size: int64(len(b))}, err
}

// limited reads all of a body that is not larger than it may be.
func limited(from io.Reader, part *m3u8.Range, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(from, most+1))
	switch {
	case err != nil:
		return nil, passing("it breaks off", err)
	case int64(len(b)) > most:
		return nil, unreadable(fmt.Sprintf("it is larger than %d MB", most>>20), nil)
	case part != nil && int64(len(b)) < part.Length:
		return nil, unreadable(fmt.Sprintf("it ends within the byte range %d@%d", part.Length, part.Offset), nil)
	}
	return b, nil
}

// unreadable is an error of one resource; its reason does not repeat which.
func unreadable(why string, cause error) *spool.Error {
	return &spool.Error{
		Class: spool.Permanent, Code: "unreadable", Reason: why,
		Hint: "check the address", Err: withoutPlace(cause),
	}
}

// passing is an error that may be gone later.
func passing(why string, cause error) *spool.Error {
	e := unreadable(why, cause)
	e.Class, e.Hint = spool.Transient, "check the address and that the server is up, or try again later"
	return e
}

// withoutPlace drops what an error repeats of where: it may hold secrets.
func withoutPlace(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// Web reads by HTTP from servers that are not trusted: bodies and waits are
// bounded, and redirects lead to http and https only.
type Web struct {
	Client *http.Client  // NewWeb makes one
	Stall  time.Duration // longest wait for the next byte
}

// tries is how often a resource is asked for when the server is busy or the
// connection breaks.
const tries = 3

// longest is how long one resource may take, however slowly it drips.
const longest = 15 * time.Minute

// NewWeb makes a client. transport may be nil.
func NewWeb(transport http.RoundTripper) Web {
	const stall, redirects = 30 * time.Second, 5
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.DisableCompression = true
		own.MaxResponseHeaderBytes = 256 << 10
		own.ResponseHeaderTimeout = stall
		transport = own
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > redirects || r.URL.Scheme != "http" && r.URL.Scheme != "https" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return Web{Client: client, Stall: stall}
}

// Read implements Source.
func (w Web) Read(ctx context.Context, at *url.URL, part *m3u8.Range, most int64) (b []byte, f File, err error) {
	for try := range tries {
		b, f, err = w.once(ctx, at, part, most)
		if err == nil || ctx.Err() != nil || spool.AsError(err).Class != spool.Transient {
			break
		}
		timer := time.NewTimer(time.Duration(try+1) * 300 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	if ctx.Err() != nil {
		return nil, File{}, context.Cause(ctx)
	}
	return b, f, err
}

// once asks one time. Transient errors may be worth another time.
func (w Web) once(ctx context.Context, at *url.URL, part *m3u8.Range, most int64) ([]byte, File, error) {
	ctx, done := context.WithTimeout(ctx, longest)
	defer done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(w.Stall, func() { cancel(errStalled) })
	defer watch.Stop()
	resp, err := w.ask(ctx, at, part)
	if err != nil {
		return nil, File{}, w.silent(ctx, passing("its server cannot be reached", err))
	}
	defer resp.Body.Close()
	if code := resp.StatusCode; code != http.StatusOK && code != http.StatusPartialContent {
		e := unreadable(fmt.Sprintf("its server answered %d (%s)", code, http.StatusText(code)), nil)
		if code >= 500 || code == http.StatusTooManyRequests {
			e = passing(e.Reason, nil)
		}
		return nil, File{}, e
	}
	f := File{
		Type: resp.Header.Get("Content-Type"), Encoding: resp.Header.Get("Content-Encoding"),
		Redirected: resp.Request != nil && resp.Request.Response != nil,
	}
	body, err := opened(&touching{resp.Body, watch, w.Stall}, f.Encoding)
	if err != nil {
		return nil, f, w.silent(ctx, unreadable("it is not compressed as its header says", err))
	}
	if part != nil && resp.StatusCode == http.StatusOK { // the server ignores ranges
		if _, err := io.CopyN(io.Discard, body, part.Offset); err != nil {
			return nil, f, w.silent(ctx, passing("it ends before the byte range begins", err))
		}
		body = io.LimitReader(body, part.Length)
	}
	b, err := limited(body, part, most)
	f.Size = int64(len(b))
	if err != nil {
		return nil, f, w.silent(ctx, err)
	}
	return b, f, nil
}

// silent is err, or that the server sent nothing, when this ended the request.
func (w Web) silent(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return passing(fmt.Sprintf("its server sent nothing for %v", w.Stall), nil)
	}
	return err
}

var errStalled = errors.New("stalled")

func (w Web) ask(ctx context.Context, at *url.URL, part *m3u8.Range) (*http.Response, error) {
	bare := *at
	bare.Fragment = ""
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, bare.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	req.Header.Set("User-Agent", "spool")
	if part != nil {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", part.Offset, part.Offset+part.Length-1))
	} else {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	return w.Client.Do(req)
}

// opened undoes a Content-Encoding.
func opened(body io.Reader, encoding string) (io.Reader, error) {
	switch strings.ToLower(encoding) {
	case "gzip", "x-gzip":
		return gzip.NewReader(body)
	case "", "identity":
		return body, nil
	}
	return nil, fmt.Errorf("content encoding %q", encoding)
}

// touching puts off the end of a wait with every byte.
type touching struct {
	r     io.Reader
	watch *time.Timer
	wait  time.Duration
}

func (t *touching) Read(b []byte) (int, error) {
	n, err := t.r.Read(b)
	if n > 0 {
		t.watch.Reset(t.wait)
	}
	return n, err
}
