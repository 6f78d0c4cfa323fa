package download

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/spool-video/spool"
)

// Far is a file that stays where it is, read by ranges. What has another size
// or tag than it should is another file, and none of it is given.
type Far struct {
	Client *Client
	URL    string
	Size   int64  // bytes
	Tag    string // as Stamp gives it
}

// Stamp asks what the file is now: its size, and a tag that another version of
// it does not have, "" where the server tells none. Its errors are *spool.Error,
// or that of ctx; one of class Replan is of a file without ranges.
func (f Far) Stamp(ctx context.Context) (size int64, tag string, err error) {
	resp, body, err := f.ask(ctx, spool.Span{To: 1}) //nolint:bodyclose // body closes it
	if err != nil {
		return 0, "", err
	}
	defer body.Close() //nolint:errcheck // nothing of it counts
	r, ok := parseContentRange(resp.Header.Get("Content-Range"))
	switch {
	case resp.StatusCode == http.StatusOK && resp.ContentLength == 0,
		resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && resp.Header.Get("Content-Range") == "bytes */0":
		return 0, "", f.words().empty()
	case resp.StatusCode != http.StatusPartialContent || !ok || r.total < 0 || compressed(resp) != "" || !asAsked(resp, r, ask{0, 1}):
		return 0, "", f.noRanges()
	}
	return r.total, tagOf(resp), nil
}

// Open gives the bytes of a span, which lies within the file. When they end
// early the connection was cut. Its errors are *spool.Error, or that of ctx:
// of class Replan when the file is another one.
func (f Far) Open(ctx context.Context, span spool.Span) (io.ReadCloser, error) {
	resp, body, err := f.ask(ctx, span) //nolint:bodyclose // body closes it
	if err != nil {
		return nil, err
	}
	r, ok := parseContentRange(resp.Header.Get("Content-Range"))
	tag := tagOf(resp)
	switch {
	case f.Tag != "" && tag != "" && tag != f.Tag,
		resp.StatusCode == http.StatusRequestedRangeNotSatisfiable,
		resp.StatusCode == http.StatusPartialContent && r.total >= 0 && r.total != f.Size:
		err = f.Changed()
	case resp.StatusCode != http.StatusPartialContent || !ok || compressed(resp) != "" || !asAsked(resp, r, ask{span.From, span.To}):
		err = f.noRanges()
	default:
		return body, nil
	}
	_ = body.Close() // nothing of it counts
	return nil, err
}

// Changed is the error of a file that is not the one it was.
func (f Far) Changed() error {
	return &spool.Error{
		Class: spool.Replan, Code: spool.SourceChanged,
		Reason: fmt.Sprintf("the source was replaced at %s while it was being read", f.at()),
		Hint:   "it is read anew; if that happens again, wait until the file is complete there",
	}
}

func (f Far) noRanges() error {
	return &spool.Error{
		Class: spool.Replan, Code: spool.NeedsCopy, Err: errNoRanges,
		Reason: fmt.Sprintf("%s gives no parts of the source", f.at()),
		Hint:   "all of it is downloaded first",
	}
}

func (f Far) at() string {
	u, err := f.Client.parse(f.URL)
	if err != nil {
		return "its server"
	}
	return sanitise(u.Host)
}

// words is what words the errors; it holds nothing.
func (f Far) words() *transfer {
	target, err := f.Client.parse(f.URL)
	if err != nil {
		return &transfer{client: f.Client, part: &part{}}
	}
	return &transfer{client: f.Client, target: target, part: &part{}}
}

// ask sends a request for a span. The body is watched: too long a silence ends
// it.
func (f Far) ask(ctx context.Context, span spool.Span) (*http.Response, io.ReadCloser, error) {
	c := f.Client
	c.once.Do(c.start)
	target, err := c.parse(f.URL)
	if err != nil {
		return nil, nil, err
	}
	t := f.words()
	ctx, w := newWatch(ctx, c)
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", span.From, span.To-1)}, "User-Agent": {userAgent}, "Accept-Encoding": {"identity"}}
	resp, done, err := c.open(ctx, w, nil, target, header) //nolint:bodyclose // done closes it
	if err != nil {
		w.stop()
		return nil, nil, t.netFault(ctx, err)
	}
	body := &farBody{ctx: ctx, t: t, in: watched{resp.Body, w}, end: func() { done(); w.stop() }}
	if resp.StatusCode >= 400 && resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		defer body.Close() //nolint:errcheck // it has no errors
		return nil, nil, t.statusFault(resp)
	}
	return resp, body, nil
}

// farBody is an answer that is being read.
type farBody struct {
	ctx context.Context //nolint:containedctx // the request's
	t   *transfer
	in  watched
	end func()
}

func (b *farBody) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // io.EOF is never wrapped
		err = b.t.netFault(b.ctx, err)
	}
	return n, err
}

func (b *farBody) Close() error {
	b.end()
	return nil
}

// tagOf is what tells one version of a file from another.
func tagOf(resp *http.Response) string {
	if tag := resp.Header.Get("ETag"); tag != "" {
		return tag
	}
	return resp.Header.Get("Last-Modified")
}
