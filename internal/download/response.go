package download

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/spool-video/spool"
)

// accept judges a response's head, and gives the bytes that its body must
// have; -1 = unknown, 0 = nothing is missing.
func (t *transfer) accept(resp *http.Response) (int64, error) {
	switch code := resp.StatusCode; {
	case code == http.StatusRequestedRangeNotSatisfiable && t.part.held > 0:
		return 0, t.beyond(resp)
	case code != http.StatusOK && code != http.StatusPartialContent:
		if code < 400 {
			return 0, &spool.Error{
				Class: spool.Permanent, Code: fmt.Sprintf("http-%d", code),
				Reason: fmt.Sprintf("%s answered %s, which brings no file", redact(t.target), status(code)),
				Hint:   "open the address in a browser and look what it is",
			}
		}
		return 0, t.statusFault(resp)
	}
	switch coding := strings.ToLower(resp.Header.Get("Content-Encoding")); coding {
	case "gzip", "x-gzip", "deflate", "compress", "br", "zstd":
		return 0, &spool.Error{
			Class: spool.Permanent, Code: "content-encoding",
			Reason: fmt.Sprintf("%s sends the file compressed (%s), unasked", sanitise(t.target.Host), coding),
			Hint:   "download the file with a browser and give its path",
		}
	}
	if resp.StatusCode == http.StatusPartialContent {
		return t.acceptPart(resp)
	}
	return t.acceptWhole(resp)
}

// acceptWhole: the body is the file from its start, asked for or not.
func (t *transfer) acceptWhole(resp *http.Response) (int64, error) {
	if t.part.held > 0 {
		if err := t.restart("the file changed at the server, or it does not resume"); err != nil {
			return 0, err
		}
	}
	p := t.part
	p.ETag, p.LastModified = resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
	p.ContentType = resp.Header.Get("Content-Type")
	p.Length = resp.ContentLength
	if p.Length == 0 {
		return 0, t.empty()
	}
	return p.Length, t.fits()
}

// acceptPart: the body must be exactly the rest of the file that we hold.
func (t *transfer) acceptPart(resp *http.Response) (int64, error) {
	p := t.part
	r, ok := parseContentRange(resp.Header.Get("Content-Range"))
	length := resp.ContentLength
	switch {
	case p.held == 0: // we asked for all of it
		return 0, &spool.Error{
			Class: spool.Permanent, Code: "bad-range",
			Reason: sanitise(t.target.Host) + " sent a part of the file where all of it was asked for",
			Hint:   "download the file with a browser and give its path",
		}
	case !ok || r.first != p.held || length >= 0 && length != r.last-r.first+1:
		return 0, t.refuse("bad-range", sanitise(t.target.Host)+" sent another part of the file than was asked for")
	case p.Length >= 0 && r.total >= 0 && p.Length != r.total,
		p.ETag != "" && resp.Header.Get("ETag") != "" && p.ETag != resp.Header.Get("ETag"):
		return 0, t.refuse("source-changed", "the file changed at "+sanitise(t.target.Host)+" while it was downloaded")
	}
	if p.Length < 0 {
		p.Length = r.total
	}
	return r.last - r.first + 1, t.fits()
}

// beyond: the server has nothing after what we hold, which is right when we
// hold it all.
func (t *transfer) beyond(resp *http.Response) error {
	r, ok := parseContentRange(resp.Header.Get("Content-Range"))
	if ok && r.first < 0 && r.total == t.part.held {
		t.part.Length = r.total
		return nil
	}
	return t.refuse("source-changed", "the file changed at "+sanitise(t.target.Host)+" while it was downloaded")
}

// fits asks whether a file of the length just learned may come.
func (t *transfer) fits() error {
	p, c := t.part, t.client
	if p.Length < 0 {
		return nil
	}
	if t.request.Size > 0 && p.Length != t.request.Size {
		return t.wrongSize(p.Length)
	}
	if c.MaxBytes > 0 && p.Length > c.MaxBytes {
		return t.tooLarge()
	}
	missing := p.Length - p.held
	if c.Room != nil {
		if err := c.Room(p.path, missing); err != nil {
			return err
		}
	}
	dir := filepath.Dir(p.path)
	if room := free(dir); room >= 0 && room < missing {
		return &spool.Error{
			Class: spool.Environment, Code: "no-space",
			Reason: fmt.Sprintf("%s has %s free, and %s are still to come", sanitise(dir), amount(room), amount(missing)),
			Hint:   "make room there, or choose another folder",
		}
	}
	return nil
}
