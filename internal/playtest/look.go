package playtest

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Looked is what a player of I-frames showed. Times are seconds.
type Looked struct {
	Lists    int          `json:"lists"`  // I-frame playlists that the master offers
	Seen     [][2]float64 `json:"seen"`   // what was buffered around each time when its picture was shown
	Width    int          `json:"width"`  // of the picture, pixels
	Height   int          `json:"height"` // pixels
	Errors   []string     `json:"errors"`
	Requests []string     `json:"-"` // paths and queries, in order
}

// Look shows the I-frames at some times with hls.js, as a page does that
// previews a seek.
func (b *Browser) Look(tb testing.TB, baseURL, master string, times []float64) Looked {
	tb.Helper()
	const limit = 90 * time.Second
	target, err := url.Parse(baseURL)
	if err != nil {
		tb.Fatalf("look at %s: %v", baseURL, err)
	}
	server := httptest.NewServer(harness(target))
	tb.Cleanup(server.Close)
	tab := b.Tab(tb, limit+startTime)
	ask, err := json.Marshal(map[string]any{"url": "/" + strings.TrimPrefix(master, "/"), "times": times, "limit": limit.Milliseconds()})
	if err != nil {
		tb.Fatalf("look at %s: %v", master, err)
	}
	tab.Do(tb, chromedp.Navigate(server.URL+"/.playtest/"))
	looked := Ask(tb, tab, chromedp.Evaluate[Looked](fmt.Sprintf("look(%s)", ask), chromedp.EvalAwaitPromise))
	looked.Errors = append(looked.Errors, tab.Problems()...)
	for _, request := range tab.Requests() {
		looked.Requests = append(looked.Requests, strings.TrimPrefix(request, server.URL))
	}
	return looked
}
