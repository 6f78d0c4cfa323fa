package download

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spool-video/spool"
)

// signed is a server whose links hold for so many answers each; links are told
// by their query.
func signed(answers int) func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
	var used, link atomic.Int64
	return func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
		mine := int64(len(r.URL.RawQuery))
		if mine != link.Load() {
			used.Store(0)
			link.Store(mine)
		}
		if used.Add(1) > int64(answers) {
			w.WriteHeader(http.StatusGone)
			return
		}
		h.good(w, r)
	}
}

// A link that expires is renewed as long as each new one brings something; the
// bytes that are here are not asked for again, and belong to the name, not to
// the link.
func TestRenew(t *testing.T) {
	h := &hostile{trick: signed(2)}
	c := quick()
	defer c.Close()
	url, query := start(t, h), ""
	renewals := 0
	r := Request{URL: url, ChunkSize: size / 7, Identity: "the film", Renew: func(context.Context) (Link, error) {
		renewals++
		query += "x"
		return Link{URL: url + "?" + query, Header: http.Header{"X-Link": {query}}}, nil
	}}
	a := arrive(t, c, r)
	a.whole(t, h.body)
	if want := int64(renewals + 8); renewals == 0 || h.requests.Load() > want {
		t.Errorf("%d renewals, %d requests, want at most %d", renewals, h.requests.Load(), want)
	}
}

// Links that bring nothing are not asked for for ever, and a refused link is
// not renewed when there was nothing of the file.
func TestRenewInVain(t *testing.T) {
	for name, tc := range map[string]struct {
		answers  int // before all is refused
		link     Link
		failure  error
		code     string
		renewals int
	}{
		"all are refused":     {1, Link{}, nil, "link-expired", maxRenewals},
		"nothing is here":     {0, Link{}, nil, "http-403", 0},
		"the page is gone":    {1, Link{}, &spool.Error{Class: spool.Permanent, Code: "page-removed", Reason: "gone", Hint: "look"}, "page-removed", 1},
		"a link that is none": {1, Link{URL: "file:///etc/passwd"}, nil, "bad-scheme", 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := &hostile{trick: func(h *hostile, w http.ResponseWriter, r *http.Request, n int) {
				if n > tc.answers {
					w.WriteHeader(http.StatusForbidden)
					return
				}
				h.good(w, r)
			}}
			c := quick()
			defer c.Close()
			renewals := 0
			r := Request{URL: start(t, h), Path: t.TempDir() + "/f", ChunkSize: size / 3}
			r.Renew = func(context.Context) (Link, error) {
				renewals++
				if tc.link.URL == "" {
					return Link{URL: r.URL}, tc.failure
				}
				return tc.link, tc.failure
			}
			_, err := c.Get(t.Context(), r, nil)
			wantFault(t, err, tc.code)
			if renewals != tc.renewals {
				t.Errorf("%d renewals, want %d", renewals, tc.renewals)
			}
		})
	}
}

// A page that takes long to tell another link does not hold up an end.
func TestRenewIsCancelled(t *testing.T) {
	h := &hostile{trick: signed(1)}
	c := quick()
	defer c.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	_, err := c.Get(ctx, Request{
		URL: start(t, h), Path: t.TempDir() + "/f", ChunkSize: size / 3,
		Renew: func(ctx context.Context) (Link, error) {
			cancel(enough)
			<-ctx.Done()
			return Link{}, ctx.Err()
		},
	}, nil)
	if !errors.Is(err, enough) {
		t.Errorf("Get = %v, want the cause of the cancel", err)
	}
}

// A file that has a name is found under it, whatever its link is by now; its
// record tells neither.
func TestFileWithAName(t *testing.T) {
	h := &hostile{trick: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) { h.good(w, r) }}
	c := quick()
	defer c.Close()
	r := Request{URL: start(t, h) + "?sig=CANARY", Path: t.TempDir() + "/f", Identity: "the film"}
	first, err := c.Get(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL = strings.Replace(r.URL, "CANARY", "other", 1)
	again, err := c.Get(t.Context(), r, nil)
	if err != nil || again != first || h.requests.Load() != 1 {
		t.Errorf("again: %+v, %v after %d requests", again, err, h.requests.Load())
	}
	if _, ok := Finished(r.Path, r.URL); ok {
		t.Error("the link is taken for the file's name")
	}
	r.Identity = "another film"
	if _, err := c.Get(t.Context(), r, nil); err != nil || h.requests.Load() != 2 {
		t.Errorf("another film: %v after %d requests", err, h.requests.Load())
	}
}
