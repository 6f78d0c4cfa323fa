package download

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spool-video/spool"
)

// transfer is one Get.
type transfer struct {
	client   *Client
	request  Request
	target   *url.URL
	part     *part
	progress func(done, total int64)
	restarts int
	spliced  bool // the part holds bytes of more than one answer
	turn     *turn
	held     bool // this attempt had to stop reading for a while
}

// run tries until the file is here or until more tries make no sense.
func (t *transfer) run(ctx context.Context) (Result, error) {
	c := t.client
	t.progress(t.part.held, max(t.part.Length, 0))
	for tries := 1; ; tries++ {
		before := t.part.held
		err := t.attempt(ctx)
		if err == nil {
			err = t.verify()
		}
		if err == nil {
			return t.part.publish()
		}
		if saveErr := t.part.checkpoint(); saveErr != nil && spool.AsError(err).Class != spool.Environment {
			return Result{}, saveErr
		}
		if ctx.Err() != nil {
			return Result{}, context.Cause(ctx)
		}
		e := spool.AsError(err)
		if t.part.held-before >= realProgress {
			tries = 0
		}
		if t.held && (e.Code == "connection-lost" || e.Code == "short-body") {
			// The server lost patience with us, which is no fault of its own.
			tries--
			t.restarts = min(t.restarts, maxRestarts-1)
			continue
		}
		if e.Class != spool.Transient || tries >= orInt(c.Attempts, defaultAttempts) ||
			e.Code == "dns" || e.After > orInt(c.Patience, defaultPatience) {
			return Result{}, err
		}
		if err := c.wait(ctx, max(e.After, backoff(orInt(c.Backoff, defaultBackoff), max(tries, 1)))); err != nil {
			return Result{}, err
		}
	}
}

// attempt asks for what is missing, and keeps what comes.
func (t *transfer) attempt(ctx context.Context) error {
	t.held = false
	if t.part.complete() {
		return nil
	}
	if err := t.resumable(); err != nil {
		return err
	}
	ctx, w := newWatch(ctx, t.client)
	defer w.stop()
	resp, release, err := t.client.open(ctx, w, t.turn, t.target, t.header()) //nolint:bodyclose // release closes it
	if err != nil {
		return t.netFault(ctx, err)
	}
	defer release()
	want, err := t.accept(resp)
	if err != nil || want == 0 {
		return err
	}
	return t.receive(ctx, watched{resp.Body, w}, want)
}

// resumable drops what is here when nothing could tell that the rest belongs
// to the same file.
func (t *transfer) resumable() error {
	p := t.part
	t.spliced = p.held > 0
	if p.held == 0 || p.ETag != "" || p.LastModified != "" || p.Length >= 0 {
		return nil
	}
	return t.restart("the connection was lost, and the server gives no means to resume")
}

// header asks for the rest of the file as it was, when there is a way to tell
// that it is still the same.
func (t *transfer) header() http.Header {
	h := t.request.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Accept-Encoding", "identity")
	h.Set("User-Agent", t.client.UserAgent)
	if t.client.UserAgent == "" {
		h.Set("User-Agent", "spool")
	}
	p := t.part
	if p.held == 0 {
		return h
	}
	h.Set("Range", fmt.Sprintf("bytes=%d-", p.held))
	switch {
	case p.ETag != "" && !strings.HasPrefix(p.ETag, "W/"): // RFC 9110 13.1.5: no weak ones
		h.Set("If-Range", p.ETag)
	case p.LastModified != "":
		h.Set("If-Range", p.LastModified)
	}
	return h
}

// receive keeps the body. want is its length, -1 when unknown.
func (t *transfer) receive(ctx context.Context, body io.Reader, want int64) error {
	if t.part.held == 0 {
		head, err := readHead(body)
		if err != nil {
			return t.netFault(ctx, err)
		}
		if is := Sniff(head); len(head) > 0 && is != nil {
			return t.notMedia(is)
		}
		body = io.MultiReader(bytes.NewReader(head), body)
	}
	var got int64
	buf := make([]byte, 256<<10)
	for {
		held, err := t.turn.wait(ctx)
		if err != nil {
			return t.netFault(ctx, err)
		}
		t.held = t.held || held
		n, err := body.Read(buf)
		t.turn.came(n)
		got += int64(n)
		if keepErr := t.keep(buf[:n], got, want); keepErr != nil {
			return keepErr
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return t.netFault(ctx, err)
		}
	}
	return t.ended(got, want)
}

// readHead reads what Sniff looks at, less at the end of the body. Unlike
// io.ReadFull it tells a body that ended from one that was cut.
func readHead(body io.Reader) ([]byte, error) {
	head := make([]byte, 0, sniffLength)
	for len(head) < cap(head) {
		n, err := body.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return head, nil
}

// keep writes bytes of the body and, now and then, makes them durable.
func (t *transfer) keep(b []byte, got, want int64) error {
	p := t.part
	if want >= 0 && got > want {
		return t.refuse("too-long", sanitise(t.target.Host)+" sent more bytes than it announced")
	}
	if limit := t.client.MaxBytes; limit > 0 && p.held+int64(len(b)) > limit {
		return t.tooLarge()
	}
	if len(b) == 0 {
		return nil
	}
	if err := p.write(b); err != nil {
		return err
	}
	if p.held-p.Done >= orInt(t.client.Checkpoint, defaultCheckpoint) || time.Since(p.saved) >= checkpointEvery {
		if err := p.checkpoint(); err != nil {
			return err
		}
	}
	t.progress(p.held, max(p.Length, 0))
	return nil
}

// ended judges a body that came to its end.
func (t *transfer) ended(got, want int64) error {
	p := t.part
	switch {
	case want >= 0 && got < want, p.Length > 0 && p.held < p.Length:
		return transient("short-body", sanitise(t.target.Host)+" sent fewer bytes than it announced"+t.at())
	case p.held == 0:
		return t.empty()
	}
	return nil
}

// verify compares the complete file with what was expected of it. A file that
// is not the right one is dropped; one of several answers is fetched anew.
func (t *transfer) verify() error {
	p := t.part
	if t.request.Size > 0 && p.held != t.request.Size {
		return errors.Join(t.wrongSize(p.held), p.reset())
	}
	sum := hex.EncodeToString(p.sum.Sum(nil))
	if t.request.SHA256 == "" || strings.EqualFold(sum, t.request.SHA256) {
		return nil
	}
	if t.spliced {
		return t.refuse("checksum", "the file's checksum is not the expected one")
	}
	return errors.Join(t.wrongSum(sum), p.reset())
}

// refuse drops all bytes, because what comes does not fit to them.
func (t *transfer) refuse(code, reason string) error {
	if err := t.restart(reason); err != nil {
		return err
	}
	return transient(code, reason)
}

// restart forgets what is here; it fails when that happened too often.
func (t *transfer) restart(why string) error {
	if err := t.part.reset(); err != nil {
		return err
	}
	t.spliced = false
	t.restarts++
	if t.restarts > maxRestarts {
		return &spool.Error{
			Class: spool.Permanent, Code: "source-unstable",
			Reason: fmt.Sprintf("the download began anew %d times: %s", maxRestarts, why),
			Hint:   "download the file with a browser and give its path",
		}
	}
	return nil
}
