package download

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/disk"
)

// accept judges a response's head. It gives where the body's bytes belong; nil
// when nothing is missing.
func (t *transfer) accept(ctx context.Context, resp *http.Response, a ask) (*stream, error) {
	held := t.part.held()
	t.ranged = resp.StatusCode == http.StatusPartialContent || strings.EqualFold(strings.TrimSpace(resp.Header.Get("Accept-Ranges")), "bytes")
	switch code := resp.StatusCode; {
	case code == http.StatusRequestedRangeNotSatisfiable && held > 0:
		return nil, t.beyond(resp)
	case code == http.StatusRequestedRangeNotSatisfiable && resp.Header.Get("Content-Range") == "bytes */0":
		return nil, t.empty()
	case code != http.StatusOK && code != http.StatusPartialContent:
		if code < 400 {
			return nil, &spool.Error{
				Class: spool.Permanent, Code: fmt.Sprintf("http-%d", code),
				Reason: fmt.Sprintf("%s answered %s, which brings no file", redact(t.target), status(code)),
				Hint:   "open the address in a browser and look what it is",
			}
		}
		return nil, t.statusFault(resp)
	}
	if coding := compressed(resp); coding != "" {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "content-encoding",
			Reason: fmt.Sprintf("%s sends the file compressed (%s), unasked", sanitise(t.target.Host), coding),
			Hint:   "download the file with a browser and give its path",
		}
	}
	if resp.StatusCode == http.StatusOK {
		return t.acceptWhole(ctx, resp, a)
	}
	if a.all() {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "bad-range",
			Reason: sanitise(t.target.Host) + " sent a part of the file where all of it was asked for",
			Hint:   "download the file with a browser and give its path",
		}
	}
	t.spliced = t.spliced || held > 0
	return t.acceptPart(ctx, resp, a)
}

// compressed names the coding of a body that is not the file as it is.
func compressed(resp *http.Response) string {
	switch coding := strings.ToLower(resp.Header.Get("Content-Encoding")); coding {
	case "gzip", "x-gzip", "deflate", "compress", "br", "zstd":
		return coding
	}
	return ""
}

// acceptWhole: the body is the file from its start, asked for or not.
func (t *transfer) acceptWhole(ctx context.Context, resp *http.Response, a ask) (*stream, error) {
	p := t.part
	s := &stream{asked: ask{0, -1}, to: resp.ContentLength}
	t.plain = t.plain || !a.all()
	if p.held() > 0 {
		why := "the file changed at the server, or it does not resume"
		if t.unchanged(resp) {
			// It is read from the start, and compared with what is here.
			s.through = true
			return s, t.again(why)
		}
		if err := t.restart(why); err != nil {
			return nil, err
		}
	}
	p.learn(resp)
	if p.sized(resp.ContentLength); p.Length == 0 {
		return nil, t.empty()
	}
	return s, t.fits(ctx)
}

// learn notes what the server says of the file.
func (p *part) learn(resp *http.Response) {
	p.ETag, p.LastModified = resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
	p.ContentType, p.SHA256 = resp.Header.Get("Content-Type"), announced(resp.Header)
}

// unchanged: a whole file is, beyond doubt, the one that we hold a part of.
func (t *transfer) unchanged(resp *http.Response) bool {
	p := t.part
	if p.Length < 0 || p.Length != resp.ContentLength {
		return false
	}
	if p.ETag != "" {
		return !strings.HasPrefix(p.ETag, "W/") && p.ETag == resp.Header.Get("ETag")
	}
	return p.LastModified != "" && p.LastModified == resp.Header.Get("Last-Modified")
}

// acceptPart: the body must be exactly the bytes that were asked for, or their
// beginning.
func (t *transfer) acceptPart(ctx context.Context, resp *http.Response, a ask) (*stream, error) {
	p := t.part
	r, ok := parseContentRange(resp.Header.Get("Content-Range"))
	if !ok || !asAsked(resp, r, a) {
		return nil, &misfit{"bad-range", sanitise(t.target.Host) + " sent another part of the file than was asked for"}
	}
	if p.held() == 0 { // the first of many requests
		p.learn(resp)
		p.sized(r.total)
	}
	if t.changed(resp, r.total) {
		return nil, t.anotherFile()
	}
	if p.Length < 0 && r.total >= 0 {
		p.sized(r.total)
	}
	return &stream{asked: a, at: r.first, to: r.last + 1}, t.fits(ctx)
}

// acceptAside is accept for what was asked for out of its turn. It changes
// nothing that is known of the file.
func (t *transfer) acceptAside(resp *http.Response, a ask) (*stream, error) {
	r, ok := parseContentRange(resp.Header.Get("Content-Range"))
	switch code := resp.StatusCode; {
	case code == http.StatusRequestedRangeNotSatisfiable && ok && r.total != t.part.Length,
		code == http.StatusOK && t.changed(resp, resp.ContentLength):
		return nil, t.anotherFile()
	case code >= 400 && code != http.StatusRequestedRangeNotSatisfiable:
		return nil, t.statusFault(resp)
	case code != http.StatusPartialContent, compressed(resp) != "", !ok, !asAsked(resp, r, a):
		return nil, errNoRanges
	case t.changed(resp, r.total):
		return nil, t.anotherFile()
	}
	return &stream{asked: a, at: r.first, to: r.last + 1}, nil
}

// asAsked: a part is what was asked for, or its beginning.
func asAsked(resp *http.Response, r contentRange, a ask) bool {
	length := resp.ContentLength
	many := strings.HasPrefix(strings.ToLower(resp.Header.Get("Content-Type")), "multipart/byteranges")
	return !many && r.first == a.from && (a.to < 0 || r.last < a.to) && (length < 0 || length == r.last-r.first+1)
}

// changed: an answer is of another file than the one whose part is here. total
// is that file's length, -1 when it is unknown.
func (t *transfer) changed(resp *http.Response, total int64) bool {
	p := t.part
	differ := func(old, now string) bool { return old != "" && now != "" && old != now }
	etag, modified := resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
	return p.Length >= 0 && total >= 0 && p.Length != total ||
		differ(p.SHA256, announced(resp.Header)) || differ(p.ETag, etag) || (p.ETag == "" || etag == "") && differ(p.LastModified, modified)
}

func (t *transfer) anotherFile() error {
	return &misfit{"source-changed", "the file changed at " + sanitise(t.target.Host) + " while it was downloaded"}
}

// beyond: the server has nothing after what we hold, which is right when we
// hold it all.
func (t *transfer) beyond(resp *http.Response) error {
	p := t.part
	r, ok := parseContentRange(resp.Header.Get("Content-Range"))
	if ok && r.first < 0 && p.Length < 0 && p.come().After(0) == r.total {
		p.sized(r.total)
		return nil
	}
	return t.anotherFile()
}

// fits asks whether a file of the length just learned may come.
func (t *transfer) fits(ctx context.Context) error {
	p, c := t.part, t.client
	if p.Length < 0 {
		return nil
	}
	if t.request.Size > 0 && p.Length != t.request.Size {
		return t.wrongSize(p.Length)
	}
	if limit := t.limit(); limit > 0 && p.Length > limit {
		return t.tooLarge()
	}
	if t.request.Space != nil {
		if err := t.measured(ctx); err != nil || t.gives.Load() {
			return err
		}
	}
	missing := p.Length - p.held()
	if c.Room != nil {
		if err := c.Room(p.path, missing); err != nil {
			return err
		}
	}
	dir := filepath.Dir(p.path)
	if free, err := disk.Free(dir); err == nil && free < missing {
		return &spool.Error{
			Class: spool.Environment, Code: "no-space",
			Reason: fmt.Sprintf("%s has %s free, and %s are still to come", sanitise(dir), amount(free), amount(missing)),
			Hint:   "make room there, or choose another folder",
		}
	}
	return nil
}

// limit is how many bytes a file may have; 0 = any number. Where it lies in a
// Space, that says it as soon as its length is known.
func (t *transfer) limit() int64 {
	if t.request.Space != nil && t.part.Length >= 0 {
		return 0
	}
	return t.client.MaxBytes
}
