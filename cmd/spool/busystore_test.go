package main

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// A bucket that answers 503 for longer than a put is tried is waited for, and
// says so: whoever publishes to it goes on when it is well again, and none of it
// counts as an attempt.
func TestBucketThatIsBusyForLong(t *testing.T) {
	t.Parallel()
	for what, ending := range map[string]string{"segments": ".m4s", "lists": "index.m3u8"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			b := h.sourcesIn(t)
			var busy atomic.Bool
			busy.Store(true)
			s := &troubled{}
			b.wrong.Store(func(w http.ResponseWriter, r *http.Request, behind http.Handler) {
				if busy.Load() && r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, ending) {
					s.answer(w, r, http.StatusServiceUnavailable, "<Error><Code>SlowDown</Code></Error>")
					return
				}
				behind.ServeHTTP(w, r)
			})
			h.env = append(h.env, "SPOOL_TO=far:films/site")
			c := h.start(t, "run", h.publishAs(t, "film", h.clip), "--early", "off")
			c.await(t, `film: paused: the store far:films/site answers with status 503`)
			busy.Store(false)
			c.end(t, exitReady)
			h.good(t, 1)
			h.blameless(t)
		})
	}
}
