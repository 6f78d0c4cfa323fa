package server

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/spool-video/spool/internal/playtest"
	"github.com/spool-video/spool/internal/process"
)

// pictured adds a storyboard of four pictures to a video of eight seconds.
func pictured(t *testing.T, dir string) {
	t.Helper()
	at := filepath.Join(dir, "r1", "storyboard")
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := process.Run(t.Context(), process.Command{Path: "ffmpeg", Dir: at, Args: []string{
		"-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x90:r=1", "-vf", "tile=4x1:nb_frames=4", "-frames:v", "1", "00000-1a2b3c4d.jpg",
	}})
	if err != nil {
		t.Fatal(err)
	}
	index := "WEBVTT\n"
	for i := range 4 {
		index += fmt.Sprintf("\n00:00:%02d.000 --> 00:00:%02d.000\n00000-1a2b3c4d.jpg#xywh=%d,0,160,90\n", 2*i, 2*i+2, 160*i)
	}
	if err := os.WriteFile(filepath.Join(at, "index.vtt"), []byte(index), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{"title": "With pictures", "storyboard": "r1/storyboard/index.vtt"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "video.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// point moves the mouse over the seek bar, to a share of its width; -1 is away
// from it.
func point(t *testing.T, tab *playtest.Tab, share float64) {
	t.Helper()
	at := playtest.Ask(t, tab, chromedp.Evaluate[[]float64](fmt.Sprintf(
		`(() => { const b = document.querySelector('#seek').getBoundingClientRect(); return [b.left + b.width * %f, b.top + b.height / 2]; })()`, share)))
	if share < 0 {
		at = []float64{5, 5}
	}
	tab.Do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: "mouseMoved", X: at[0], Y: at[1]})
		return err
	}))
}

// Over the seek bar lies the picture of the time that the mouse points to, or
// that the keyboard has come to; a video without a storyboard has no bar.
func TestPageShowsTheStoryboard(t *testing.T) {
	browser := playtest.Start(t)
	dir := t.TempDir()
	publish(t, dir, "bare", "Without pictures", playtest.Package{Seconds: 2})
	publish(t, dir, "film", "With pictures", playtest.Package{Seconds: 8})
	pictured(t, filepath.Join(dir, "film"))
	running := serve(t, Preview{Dir: dir})
	tab := browser.Tab(t, 2*time.Minute)
	tab.Do(t, look(1280, 860, "light"), chromedp.Navigate(running.URL()+"#/v/film"))
	until(t, tab, `!document.querySelector('#strip').hidden && document.querySelector('#screen').duration > 7`)
	tab.Do(t, chromedp.Evaluate[chromedp.Void](`document.querySelector('#screen').pause(); undefined`))
	shown := func(picture int) string {
		return fmt.Sprintf(`!document.querySelector('#glance').hidden && document.querySelector('#glance-picture').style.backgroundPosition.startsWith('%dpx')`, -160*picture)
	}
	for _, c := range []struct {
		share   float64
		picture int
	}{{0.9, 3}, {0.3, 1}, {0.01, 0}} {
		point(t, tab, c.share)
		until(t, tab, shown(c.picture))
	}
	picture(t, tab, "storyboard")
	tab.Do(t, chromedp.Evaluate[chromedp.Void](`document.querySelector('#screen').currentTime = 0; document.querySelector('#seek').blur(); undefined`))
	point(t, tab, -1)
	until(t, tab, `document.querySelector('#glance').hidden`)

	// The keys move the bar and the video.
	tab.Do(t, chromedp.Evaluate[chromedp.Void](`document.querySelector('#seek').focus({ focusVisible: true }); undefined`))
	tab.Do(t, chromedp.KeyEvent(kb.ArrowRight))
	until(t, tab, shown(2)+` && Math.abs(document.querySelector('#screen').currentTime - 5) < 0.2 && document.querySelector('#seek').getAttribute('aria-valuetext').startsWith('0:05 of 0:0')`)
	until(t, tab, `Math.abs(document.querySelector('#seek').value - 5) < 0.2`)

	tab.Do(t, chromedp.Evaluate[chromedp.Void](`location.hash = '#/v/bare'; undefined`))
	until(t, tab, `document.querySelector('#title').textContent === 'Without pictures' && document.querySelector('#screen').currentTime > 0.2`)
	if !playtest.Ask(t, tab, chromedp.Evaluate[bool](`document.querySelector('#strip').hidden`)) {
		t.Error("a video without a storyboard has a bar")
	}
	if problems := tab.Problems(); len(problems) > 0 {
		t.Errorf("problems %q", problems)
	}
}
