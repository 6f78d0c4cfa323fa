package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/intake"
	"github.com/spool-video/spool/internal/progress"
)

// ordeal is a source that goes wrong while it arrives.
type ordeal struct {
	id    string
	offer func(o *ordeal) offer
	why   string // what must be said of the failure; "" = it must be ready
	early bool   // it can be watched before it goes wrong
	still bool   // it does not break off, but stands still

	bucket      string
	first, next []byte        // the file, and what it is replaced with
	cuts        atomic.Int32  // answers that were wrong, or will be
	shown       atomic.Bool   // it was waited for the offer
	broken      chan struct{} // closed when the first answer has broken off
}

// watched sends the last bytes one by one until the video is offered, so that
// there is something to withdraw, and the rest then.
func (o *ordeal) watched(w http.ResponseWriter, r *http.Request, last []byte) {
	look := time.NewTicker(250 * time.Millisecond)
	defer look.Stop()
	for ; len(last) > 1; last = last[1:] {
		if _, err := os.Stat(filepath.Join(o.bucket, o.id, "early.m3u8")); err == nil {
			break
		}
		if _, err := w.Write(last[:1]); err != nil {
			return
		}
		select {
		case <-look.C:
		case <-r.Context().Done():
			return
		}
	}
	_, _ = w.Write(last) // who has gone has gone
}

// cut answers with a file that breaks off before a byte, whatever of it is
// asked for.
func (o *ordeal) cut(w http.ResponseWriter, r *http.Request, body []byte, at int, tag string) {
	from, _ := wanted(r)
	if tag != "" {
		w.Header().Set("ETag", `"`+tag+`"`)
		w.Header().Set("Accept-Ranges", "bytes")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)-from))
	if from > 0 {
		w.Header().Set("Content-Range", "bytes "+strconv.Itoa(from)+"-"+strconv.Itoa(len(body)-1)+"/"+strconv.Itoa(len(body)))
		w.WriteHeader(http.StatusPartialContent)
	}
	if last := max(from, at-1000); o.early && from == 0 && last < at && !o.shown.Swap(true) {
		_, _ = w.Write(body[from:last])
		o.watched(w, r, body[last:at])
	} else if from < at {
		_, _ = w.Write(body[from:at])
	}
	if o.still {
		<-r.Context().Done()
	}
	panic(http.ErrAbortHandler)
}

var span = regexp.MustCompile(`^bytes=(\d+)-(\d*)$`)

// wanted is the range that a request asks for; to is 0 for all.
func wanted(r *http.Request) (from, to int) {
	if m := span.FindStringSubmatch(r.Header.Get("Range")); m != nil {
		from, _ = strconv.Atoi(m[1])
		to, _ = strconv.Atoi(m[2])
	}
	return from, to
}

// always gives an offer that answers in one way.
func always(answer func(o *ordeal, w http.ResponseWriter, r *http.Request)) func(*ordeal) offer {
	return func(o *ordeal) offer {
		return offer{instead: func(w http.ResponseWriter, r *http.Request, _ int) bool { answer(o, w, r); return true }}
	}
}

func cutAt(percent int) func(*ordeal) offer {
	return always(func(o *ordeal, w http.ResponseWriter, r *http.Request) {
		o.cut(w, r, o.first, len(o.first)*percent/100, "1")
	})
}

// cutThen breaks off once, in the middle, and then answers otherwise.
func cutThen(tag string, then func(o *ordeal, w http.ResponseWriter, r *http.Request)) func(*ordeal) offer {
	return always(func(o *ordeal, w http.ResponseWriter, r *http.Request) {
		if o.cuts.Add(1) == 1 {
			defer close(o.broken)
			o.cut(w, r, o.first, len(o.first)/2, tag)
		}
		select {
		case <-o.broken: // what is asked for beside it waits
			then(o, w, r)
		case <-r.Context().Done():
		}
	})
}

func ordeals() []*ordeal {
	other := func(tag string) func(o *ordeal, w http.ResponseWriter, r *http.Request) {
		return func(o *ordeal, w http.ResponseWriter, r *http.Request) { offer{body: o.next, tag: tag}.serve(w, r) }
	}
	return []*ordeal{
		{id: "cut1", offer: cutAt(1), why: "at 1 %|connection"},
		{id: "cut50", offer: cutAt(50), why: "at (49|50) %", early: true},
		{id: "cut99", offer: cutAt(99), why: "at 9[89] %", early: true},
		{id: "still", offer: cutAt(50), why: "sent nothing for .* at (49|50) %", early: true, still: true},
		{id: "head", why: ".", offer: func(o *ordeal) offer { return offer{body: o.first[:2000], tag: "1"} }},
		{id: "moov", why: ".", offer: func(o *ordeal) offer { return offer{body: o.first[:len(o.first)-4000], tag: "1"} }},
		{id: "forbidden", why: "403", early: true, offer: cutThen("1", func(_ *ordeal, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
		})},
		{id: "gone", why: "404", early: true, offer: cutThen("1", func(_ *ordeal, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
		})},
		{id: "replaced", early: true, offer: cutThen("1", other("2"))},
		{id: "untagged", early: true, offer: cutThen("", other(""))},
		{id: "swapped", early: true, offer: func(o *ordeal) offer {
			// Of one length, and the server tells neither version nor time.
			o.first, o.next = padded(o.first, len(o.next)), padded(o.next, len(o.first))
			return cutThen("", other(""))(o)
		}},
		{id: "always", why: "replaced|anew|was lost at 50 %", early: true, offer: always(func(o *ordeal, w http.ResponseWriter, r *http.Request) {
			n := int(o.cuts.Add(1))
			body := [][]byte{o.next, o.first}[n%2]
			o.cut(w, r, body, len(body)/2, strconv.Itoa(n))
		})},
		{id: "ranges", offer: func(o *ordeal) offer { // what is asked for out of turn is something else
			return offer{body: o.first, tag: "1", rate: len(o.first) / 3, instead: func(w http.ResponseWriter, r *http.Request, _ int) bool {
				from, to := wanted(r)
				if from == 0 || o.cuts.Add(1) > 1 {
					return false
				}
				if to == 0 {
					to = len(o.first) - 1
				}
				w.Header().Set("Content-Range", "bytes "+strconv.Itoa(from)+"-"+strconv.Itoa(to)+"/"+strconv.Itoa(len(o.first)))
				w.Header().Set("ETag", `"1"`)
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(bytes.Repeat([]byte{0x55}, to+1-from))
				return true
			}}
		}},
	}
}

// padded gives a file a box at its end that means nothing, so that it is as
// long as another one that gets such a box.
func padded(body []byte, other int) []byte {
	box := make([]byte, max(other-len(body), 0)+8)
	binary.BigEndian.PutUint32(box, uint32(len(box))) //nolint:gosec // a few bytes
	copy(box[4:], "free")
	return append(bytes.Clone(body), box...)
}

// TestBadArrivals publishes sources that go wrong while they arrive, of which
// some can be watched already: each fails with its reason, or is published as
// what it is in the end. What was offered is withdrawn, and ends.
func TestBadArrivals(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	first, tail, next := reel(t, "head"), reel(t, "tail"), reel(t, "other")
	r := openRun(t, h, "--early", "soon", "--copy", "never", "--downloads", "20", "--encodes", "2")
	r.hasty = 500 * time.Millisecond
	said := newLines()
	var err error
	if r.show, err = progress.New(progress.Options{Mode: "plain", Out: said}); err != nil {
		t.Fatal(err)
	}
	all := ordeals()
	for _, o := range all {
		o.bucket, o.first, o.next, o.broken = h.path("bucket"), first, next, make(chan struct{})
		if o.id == "moov" || o.id == "ranges" {
			o.first = tail
		}
		site := newLink(t) // each has a host of its own
		r.lines = append(r.lines, intake.Line{Number: len(r.lines) + 1, ID: o.id, Source: site.put("/film.mp4", o.offer(o))})
	}
	v := look(h.path("bucket"), "")
	r.show.Start()
	err = r.run(t.Context(), r.all)
	summary := r.summary(time.Minute)
	r.show.Close(summary)
	v.stop()
	t.Log(said.String())
	for _, err := range v.errs {
		t.Error(err)
	}
	if code := ended(0); !errors.As(r.close(summary, err), &code) || code != exitSomeFailed {
		t.Errorf("it ended with %v and %v", err, code)
	}
	for _, o := range all {
		t.Run(o.id, func(t *testing.T) { o.judge(t, r, v) })
	}
	if bad := h.do(t, exitReady, "verify", "--all"); strings.Count(bad, "good") != 4 {
		t.Errorf("verify:\n%s", bad)
	}
}

// judge holds what became of one.
func (o *ordeal) judge(t *testing.T, r *running, v *viewer) {
	rec, err := r.ledger.Get(context.WithoutCancel(t.Context()), o.id)
	if err != nil {
		t.Fatal(err)
	}
	if _, offered := v.offered[filepath.Join(o.id, "early.m3u8")]; offered != o.early && o.early {
		t.Error("it could not be watched early")
	}
	_, published := v.ready[filepath.Join(o.id, "master.m3u8")]
	if o.why == "" {
		if rec.Video.Status != spool.Ready || !published {
			t.Fatalf("it is %s, published %v: %+v", rec.Video.Status, published, rec.Video.Failure)
		}
		o.rightBytes(t)
	} else {
		if rec.Video.Status != spool.Failed || published || !regexp.MustCompile(o.why).MatchString(rec.Video.Failure.Reason) || rec.Video.Failure.Hint == "" {
			t.Errorf("it is %s, published %v: %+v", rec.Video.Status, published, rec.Video.Failure)
		}
		if _, err := os.Stat(filepath.Join(o.bucket, o.id, "early.m3u8")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it is still offered: %v", err)
		}
	}
	for name, g := range v.lists {
		if strings.HasPrefix(name, o.id+"/") && !g.Ended {
			t.Errorf("%s has not ended", name)
		}
	}
}

// rightBytes holds what is published against what the server had in the end.
func (o *ordeal) rightBytes(t *testing.T) {
	t.Helper()
	body := o.next
	if o.id == "ranges" {
		body = o.first
	}
	calm := newHome(t)
	local := calm.path("local.mp4")
	if err := os.WriteFile(local, body, 0o600); err != nil {
		t.Fatal(err)
	}
	calm.do(t, exitReady, "run", "--copy", "never", calm.publishAs(t, o.id, local))
	if got, want := plain(t, filepath.Join(o.bucket, o.id)), plain(t, calm.path("bucket", o.id)); !maps.Equal(got, want) || len(got) < 8 {
		t.Errorf("published %v\nwant %v", got, want)
	}
}
