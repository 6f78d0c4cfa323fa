package download

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/spool-video/spool"
)

// Text fetches a small file of text, such as subtitles, of at most most bytes,
// into memory: under the same guard, and with the same patience, as any other
// download. A web page in its place is an error. Errors are *spool.Error, or
// that of ctx.
func (c *Client) Text(ctx context.Context, link Link, most int64) ([]byte, error) {
	c.once.Do(c.start)
	for try := 1; ; try++ {
		b, err := c.text(ctx, link, most)
		if err == nil || ctx.Err() != nil || try >= orInt(c.Attempts, defaultAttempts) || !passing(spool.AsError(err)) {
			return b, err
		}
		wait := max(backoff(orInt(c.Backoff, defaultBackoff), try), spool.AsError(err).After)
		if wait > orInt(c.Patience, defaultPatience) {
			return nil, err
		}
		if err := c.wait(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// text is one try.
func (c *Client) text(ctx context.Context, link Link, most int64) ([]byte, error) {
	target, err := c.parse(link.URL)
	if err != nil {
		return nil, err
	}
	ctx, w := newWatch(ctx, c)
	defer w.stop()
	t := &transfer{client: c, target: target, part: &part{}, request: Request{Header: link.Header}} // it words the errors; nothing is held
	resp, done, err := c.open(ctx, w, nil, target, t.header(ask{to: -1}))                           //nolint:bodyclose // done closes it
	if err != nil {
		return nil, t.netFault(ctx, err)
	}
	defer done()
	if resp.StatusCode != http.StatusOK {
		return nil, t.statusFault(resp)
	}
	t.part.ContentType = resp.Header.Get("Content-Type")
	got, err := io.ReadAll(io.LimitReader(watched{resp.Body, w}, most+1))
	switch {
	case err != nil:
		return nil, t.netFault(ctx, err)
	case len(got) == 0:
		return nil, t.empty()
	case int64(len(got)) > most:
		return nil, &spool.Error{
			Class: spool.Permanent, Code: codeTooLarge,
			Reason: fmt.Sprintf("%s is larger than %s", redact(target), amount(most)), Hint: "it is no text",
		}
	}
	if is := Sniff(got); is != nil && (is.Kind == "html" || is.Kind == "archive" || is.Kind == "document") {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "not-text", Reason: "the server sent " + is.Name + " in place of text",
			Hint: "open the link in a browser", Err: is,
		}
	}
	return got, nil
}
