package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/store"
)

// corsPolicy lets players on any page read a bucket. Its words are those of
// S3's PutBucketCors.
const corsPolicy = `{"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET", "HEAD"], "AllowedHeaders": ["Range"], ` +
	`"ExposeHeaders": ["Content-Length", "Content-Range", "ETag"], "MaxAgeSeconds": 86400}]}`

// anotherPage is where a player may stand that reads from the store.
const anotherPage = "https://player.example"

// linker is a store that gives addresses, at which objects can be read as
// players do.
type linker interface {
	Link(ctx context.Context, name string, long time.Duration) (string, error)
}

// store writes, reads and deletes an object of a store, and looks how it is
// served.
func (d *doctor) store(ctx context.Context) {
	s, err := toWrite(ctx, d.cfg, "")
	if err != nil {
		d.fail("destination", err)
		return
	}
	defer s.Close() //nolint:errcheck // what counts was said
	const name = "spool-doctor.m3u8"
	body := bytes.Repeat([]byte("# spool doctor was here\n"), 1<<10)
	err = s.Put(ctx, name, bytes.NewReader(body), store.PutOptions{ContentType: hls.ContentType, CacheControl: "no-store"})
	if err == nil {
		err = readsBack(ctx, s, name, body)
	}
	if err == nil {
		d.stored(s)
		d.served(ctx, s, name, body)
		err = s.Delete(context.WithoutCancel(ctx), name)
	}
	if err != nil {
		d.fail("destination", err)
	}
}

func (d *doctor) stored(s opened) {
	text := d.cfg.To + " can be written, read by ranges, and deleted"
	if !s.Properties().AtomicPut {
		d.say(warning, "destination", text+", but nothing is replaced in one step", "players may miss a playlist while it is replaced; nothing is shown before it is ready")
		return
	}
	d.say(fine, "destination", text, "")
}

// readsBack compares an object, and a range of it, with what was put.
func readsBack(ctx context.Context, s store.Store, name string, body []byte) error {
	for _, r := range []struct{ from, length int64 }{{0, -1}, {100, 1000}} {
		want := body[r.from:]
		if r.length >= 0 {
			want = want[:r.length]
		}
		in, err := s.Open(ctx, name, r.from, r.length)
		if err != nil {
			return err
		}
		got, err := io.ReadAll(in)
		if err = errors.Join(err, in.Close()); err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("read %d bytes of %s from %d: other bytes than were written", len(want), name, r.from)
		}
	}
	return nil
}

// served asks for an object as a player does: from the same page and from
// another one, whole and by a range.
func (d *doctor) served(ctx context.Context, s opened, name string, body []byte) {
	link := ""
	if l, ok := s.(linker); ok {
		var err error
		if link, err = l.Link(ctx, name, 5*time.Minute); err != nil {
			d.fail("players", err)
			return
		}
	}
	if link == "" {
		d.say(fine, "players", "how they are served cannot be looked at: this store gives no links to its objects", "")
		return
	}
	same, err := ask(ctx, link, "")
	if err != nil {
		d.fail("players", err)
		return
	}
	other, err := ask(ctx, link, anotherPage)
	if err != nil {
		d.fail("players", err)
		return
	}
	switch {
	case same.kind != hls.ContentType || other.kind != hls.ContentType:
		d.say(broken, "players", fmt.Sprintf("a playlist is served as %q, not as %s", same.kind, hls.ContentType), "players refuse it; look at the bucket's rules for content types")
	case same.status != http.StatusPartialContent || !bytes.Equal(same.body, body[:len(same.body)]):
		d.say(broken, "players", fmt.Sprintf("ranges are not served (status %d)", same.status), "players seek by ranges; look at what stands before the bucket")
	default:
		d.say(fine, "players", "playlists are served with their content type, and by ranges", "")
	}
	if other.allowed != "*" && other.allowed != anotherPage {
		d.say(warning, "cors", "pages at other addresses may not read the bucket: it answers without Access-Control-Allow-Origin", "give the bucket this policy (for S3: aws s3api put-bucket-cors): "+corsPolicy)
		return
	}
	d.say(fine, "cors", "pages at other addresses may read it", "")
}

// answered is how a store serves an object.
type answered struct {
	status        int
	kind, allowed string // content type; who may read it
	body          []byte
}

// ask reads the first bytes of an object, as a page of an origin does; "" is
// the same origin.
func ask(ctx context.Context, link, origin string) (a answered, err error) {
	const most = 1000
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return a, unanswered(err)
	}
	r.Header.Set("Range", fmt.Sprintf("bytes=0-%d", most-1))
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	client := http.Client{Timeout: 30 * time.Second}
	res, err := client.Do(r)
	if err != nil {
		return a, unanswered(err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	a = answered{status: res.StatusCode, kind: res.Header.Get("Content-Type"), allowed: res.Header.Get("Access-Control-Allow-Origin")}
	a.body, err = io.ReadAll(io.LimitReader(res.Body, most))
	return a, err
}

// unanswered hides the link, which everybody could read by.
func unanswered(err error) error {
	return &spool.Error{
		Class: spool.Environment, Code: "not-served", Reason: "the store does not answer at the address that it gave for an object",
		Hint: "look at its endpoint, and at the network", Err: errors.Unwrap(err),
	}
}
