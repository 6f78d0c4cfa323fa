package playtest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/spool-video/spool/internal/web"
)

//go:embed harness.html
var harnessPage []byte

//go:embed harness.js
var harnessScript []byte

// Auto lets hls.js choose the level.
const Auto = -1

// Options say how to play. The zero value plays the smallest level at twice
// the speed.
type Options struct {
	Level int // of hls.js: 0 is the lowest bit rate; or Auto
	// Native plays with the browser's own HLS, which chooses the level, and
	// tells neither Tracks, Levels nor Shown.
	Native bool
	// Alternate takes every segment from the next level, beginning with Level.
	Alternate bool
	// Listed begins where the playlist says, as players do; else playing
	// begins at 0, whatever it says.
	Listed bool
	SeekTo float64       // seconds: where to go as soon as it plays; 0 = no seek
	Rate   float64       // playback speed; 2 when 0, at most 16
	Limit  time.Duration // until the end is reached; 60 s when 0
}

// Result is what happened. Times are seconds.
type Result struct {
	Ended    bool         `json:"ended"` // the ended event fired
	Position float64      `json:"position"`
	First    float64      `json:"first"` // where playing began; -1 when it did not
	Duration float64      `json:"duration"`
	Buffered [][2]float64 `json:"buffered"` // of the whole, at the end
	Tracks   []Track      `json:"tracks"`   // one a SourceBuffer
	Width    int          `json:"width"`    // of the picture, pixels; 0 for sound alone
	Height   int          `json:"height"`
	Frames   int          `json:"frames"`  // presented and dropped, as getVideoPlaybackQuality counts
	Dropped  int          `json:"dropped"` // of Frames; a fast playback drops some
	Levels   []Level      `json:"levels"`  // that the master playlist offers, lowest bit rate first
	Shown    []int        `json:"shown"`   // levels of which segments were loaded, ascending
	Errors   []string     `json:"errors"`  // of hls.js, fatal or not, of the element and of the page
	Requests []string     `json:"-"`       // paths and queries, in order
}

// Track is one SourceBuffer: its MIME type and what it holds.
type Track struct {
	Type     string       `json:"type"`
	Buffered [][2]float64 `json:"buffered"`
}

// Level is one size on offer.
type Level struct {
	Width   int `json:"width"`
	Height  int `json:"height"`
	BitRate int `json:"bitrate"` // bits per second, as declared
}

// Start is where the track's media begins; -1 when there is none.
func (t Track) Start() float64 {
	if len(t.Buffered) == 0 {
		return -1
	}
	return t.Buffered[0][0]
}

// Play plays the master playlist at path master of the web server at baseURL
// to its end, in a Chromium of its own. Several plays share one with
// Browser.Play.
func Play(tb testing.TB, baseURL, master string, o Options) Result {
	tb.Helper()
	return Start(tb).Play(tb, baseURL, master, o)
}

// Play plays in a new tab. The player's page and the media come from one
// origin, a proxy before baseURL, so that no server needs CORS for a test.
func (b *Browser) Play(tb testing.TB, baseURL, master string, o Options) Result {
	tb.Helper()
	if o.Rate == 0 {
		o.Rate = 2
	}
	if o.Limit == 0 {
		o.Limit = time.Minute
	}
	target, err := url.Parse(baseURL)
	if err != nil {
		tb.Fatalf("play %s: %v", baseURL, err)
	}
	server := httptest.NewServer(harness(target))
	tb.Cleanup(server.Close)
	tab := b.Tab(tb, o.Limit+startTime)
	ask, err := json.Marshal(map[string]any{
		"url": "/" + strings.TrimPrefix(master, "/"), "native": o.Native, "level": o.Level, "listed": o.Listed, "alternate": o.Alternate,
		"seekTo": o.SeekTo, "rate": o.Rate, "limit": o.Limit.Milliseconds(),
	})
	if err != nil {
		tb.Fatalf("play %s: %v", master, err)
	}
	tab.Do(tb, chromedp.Navigate(server.URL+"/.playtest/"))
	result := Ask(tb, tab, chromedp.Evaluate[Result](fmt.Sprintf("play(%s)", ask), chromedp.EvalAwaitPromise))
	result.Errors = append(result.Errors, tab.Problems()...)
	for _, request := range tab.Requests() {
		result.Requests = append(result.Requests, strings.TrimPrefix(request, server.URL))
	}
	return result
}

// harness serves the player below /.playtest/ and everything else from target.
func harness(target *url.URL) http.Handler {
	mux := http.NewServeMux()
	serve := func(path, kind string, body []byte) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(body) // an error means that the page is gone
		})
	}
	serve("/.playtest/{$}", "text/html; charset=utf-8", harnessPage)
	serve("/.playtest/harness.js", "text/javascript; charset=utf-8", harnessScript)
	mux.HandleFunc("/.playtest/hls.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, web.Files(), web.HLS)
	})
	mux.Handle("/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
	return mux
}
