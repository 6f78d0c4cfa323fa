package download

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
)

const (
	sampleHead = 4 << 20  // what a prober wants of a file's beginning, bytes
	sampleTail = 1 << 20  // and of its end: transport streams tell their length there
	sampleMost = 64 << 20 // of an MP4's index, wherever it lies
)

// Sample fetches so much of a file that it can be probed: its beginning, its
// end, and the index of an MP4 wherever it lies. path becomes a file of the
// right length with holes in place of the rest. It gives that length; 0 when
// the server does not tell it, and then path ends early.
func (c *Client) Sample(ctx context.Context, rawURL, path string) (size int64, err error) {
	c.once.Do(c.start)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return 0, diskFault("make", path, err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = diskFault("close", path, cerr)
		}
	}()
	head, size, err := c.sampleRange(ctx, rawURL, f, 0, sampleHead)
	if err != nil || size <= int64(len(head)) {
		return size, err
	}
	if err := f.Truncate(size); err != nil {
		return 0, diskFault("lengthen", path, err)
	}
	from, n := wanted(head, size)
	if n == 0 {
		return size, nil
	}
	_, _, err = c.sampleRange(ctx, rawURL, f, from, n)
	return size, err
}

// Ask tells what a file looks like at its server now, for one byte of it: its
// length (0 when the server does not tell it) and its ETag ("" likewise).
func (c *Client) Ask(ctx context.Context, rawURL string) (size int64, etag string, err error) {
	c.once.Do(c.start)
	target, err := c.parse(rawURL)
	if err != nil {
		return 0, "", err
	}
	ctx, w := newWatch(ctx, c)
	defer w.stop()
	t := &transfer{client: c, target: target, part: &part{}}                            // it words the errors; nothing is held
	resp, done, err := c.open(ctx, w, nil, target, http.Header{"Range": {"bytes=0-0"}}) //nolint:bodyclose // done closes it
	if err != nil {
		return 0, "", t.netFault(ctx, err)
	}
	defer done()
	etag = resp.Header.Get("ETag")
	switch resp.StatusCode {
	case http.StatusPartialContent:
		r, _ := parseContentRange(resp.Header.Get("Content-Range"))
		return max(r.total, 0), etag, nil
	case http.StatusOK:
		return max(resp.ContentLength, 0), etag, nil
	}
	return 0, "", t.statusFault(resp)
}

// sampleRange fetches up to n bytes from an offset into the same place of f. A
// server that ignores ranges sends the beginning; asked for another place,
// what it sends is of no use and is not read.
func (c *Client) sampleRange(ctx context.Context, rawURL string, f *os.File, from, n int64) (got []byte, size int64, err error) {
	target, err := c.parse(rawURL)
	if err != nil {
		return nil, 0, err
	}
	ctx, w := newWatch(ctx, c)
	defer w.stop()
	t := &transfer{client: c, target: target, part: &part{}}                                                           // it words the errors; nothing is held
	resp, done, err := c.open(ctx, w, nil, target, http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", from, from+n-1)}}) //nolint:bodyclose // done closes it
	if err != nil {
		return nil, 0, t.netFault(ctx, err)
	}
	defer done()
	switch resp.StatusCode {
	case http.StatusPartialContent:
		r, ok := parseContentRange(resp.Header.Get("Content-Range"))
		if !ok || r.first != from {
			return nil, 0, nil
		}
		size = r.total
	case http.StatusOK:
		if size = max(resp.ContentLength, 0); from > 0 {
			return nil, size, nil
		}
	default:
		return nil, 0, t.statusFault(resp)
	}
	got, err = io.ReadAll(io.LimitReader(watched{resp.Body, w}, n))
	if err != nil {
		return nil, 0, t.netFault(ctx, err)
	}
	if from == 0 {
		if is := Sniff(got); is != nil {
			return nil, 0, t.notMedia(is)
		}
	}
	if _, err := f.WriteAt(got, from); err != nil {
		return nil, 0, diskFault("write", f.Name(), err)
	}
	return got, size, nil
}

// wanted is which other part of a file must be there for it to be probed: what
// is missing of an MP4's moov box, or else the end.
func wanted(head []byte, size int64) (from, n int64) {
	for at := int64(0); at+16 <= int64(len(head)); {
		length := int64(binary.BigEndian.Uint32(head[at:]))
		kind := string(head[at+4 : at+8])
		switch {
		case length == 1:
			length = int64(binary.BigEndian.Uint64(head[at+8:])) //nolint:gosec // a wrong length is caught below
		case length < 8:
			return tail(size)
		}
		end := at + length
		switch {
		case end <= at || end > size:
			return tail(size)
		case kind == "moov" && end <= int64(len(head)):
			return 0, 0
		case kind == "moov":
			return int64(len(head)), min(end-int64(len(head)), sampleMost)
		case end > int64(len(head)):
			return end, min(size-end, sampleMost) // moov lies behind what is skipped here
		}
		at = end
	}
	return tail(size)
}

func tail(size int64) (from, n int64) {
	n = min(size, sampleTail)
	return size - n, n
}
