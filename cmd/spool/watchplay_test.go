package main

import (
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/playtest"
)

// TestChromiumWatchesWhileItArrives opens the early list in a browser, over
// the preview, while the source is still arriving, and plays it to its end.
func TestChromiumWatchesWhileItArrives(t *testing.T) {
	t.Parallel()
	browser := playtest.Start(t)
	for kind, flags := range map[string][]string{"clear": nil, "coded": {"--keys", "keys"}} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			body := reel(t, "head")
			site := newLink(t)
			gate := make(chan struct{})
			source := site.put("/film.mp4", offer{body: body, tag: "1", rate: len(body) / 16, holt: int64(len(body) - 1), gate: gate})
			c := h.start(t, append([]string{"run", h.publishAs(t, "film", source), "--early", "soon"}, flags...)...)
			c.await(t, `can be watched while it is made: \S+early\.m3u8`)
			preview := h.start(t, append([]string{"preview"}, flags...)...)
			preview.await(t, `http://\S+\n`)
			address := strings.TrimRight(regexp.MustCompile(`http://\S+`).FindString(preview.said()), "/")

			// The last byte comes when the player has begun: not before is it ready.
			began := time.AfterFunc(14*time.Second, func() { close(gate) })
			defer began.Stop()
			r := browser.Play(t, address, "media/film/early.m3u8", playtest.Options{Rate: 1, Listed: true, Limit: 90 * time.Second})
			if !r.Ended || r.First > 0.5 || math.Abs(r.Position-32) > 0.1 || len(r.Buffered) != 1 || r.Buffered[0][0] > 0.05 || !slices.Equal(r.Shown, []int{0}) {
				t.Errorf("%+v", r)
			}
			for _, e := range r.Errors {
				if !strings.Contains(e, "bufferStalledError") || strings.Contains(e, "fatal") { // this machine is busy
					t.Errorf("the player says: %s", e)
				}
			}
			lists := 0
			for _, request := range r.Requests {
				if strings.Contains(request, "/live-") && strings.HasSuffix(request, ".m3u8") {
					lists++
				}
				if strings.Contains(request, "master.m3u8") || strings.Contains(request, "index.m3u8") {
					t.Errorf("the player asked for %s", request)
				}
			}
			if lists < 6 {
				t.Errorf("the player asked %d times for lists: did they grow?", lists)
			}
			c.end(t, exitReady)
			h.good(t, 1)
			preview.signal(t, os.Interrupt)
			<-preview.ended
		})
	}
}
