package server

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/spool-video/spool/internal/playtest"
	"github.com/spool-video/spool/internal/process"
)

// dest is a folder to picture instead of one that the test makes.
var dest = flag.String("dest", "", "destination folder to picture")

// shots is where pictures of the page go, for eyes: go test -run Shots -args -shots=DIR.
var shots = flag.String("shots", "", "folder for pictures of the preview page")

var testKey = []byte("0123456789abcdef")

// shelf makes a destination with three good videos, one without its key, and
// some with titles by people who do not wish us well.
func shelf(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	publish(t, dir, "demo-pearls", "A string of pearls", playtest.Package{})
	publish(t, dir, "demo-abyss", "Into the abyss", playtest.Package{
		Seconds: 2, Sizes: []string{"90x160"}, Key: testKey, KeyURI: "https://keys.example.com/demo-abyss/00112233aabbccdd",
	})
	publish(t, dir, "local-key", "A key at the default address", playtest.Package{
		Seconds: 2, Sizes: []string{"160x90"}, Key: testKey, KeyURI: "/keys/local-key/00112233aabbccdd.key",
	})
	publish(t, dir, "lost-key", "A key that nobody has", playtest.Package{
		Seconds: 2, Sizes: []string{"160x90"}, Key: testKey, KeyURI: "https://keys.example.com/lost-key/ffee",
	})
	return dir
}

var hostile = []string{
	`<img src=x onerror=alert(1)>`,
	`"><script>alert(2)</script>`,
	"\x1b[31mred\x1b[0m\x07 and \x1b]0;owned\x07",
	"holiday \u202e4pm.exe",
	`{{constructor.constructor('alert(3)')()}}`,
	`javascript:alert(4)`,
}

// publish writes one video, its description and its poster.
func publish(t *testing.T, dir, id, title string, p playtest.Package) {
	t.Helper()
	p.Make(t, filepath.Join(dir, id))
	describe(t, dir, id, title)
	_, err := process.Run(t.Context(), process.Command{Path: "ffmpeg", Dir: filepath.Join(dir, id), Args: []string{
		"-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360,hue=h=" + fmt.Sprint(len(title)*40), "-frames:v", "1", "poster.jpg",
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func describe(t *testing.T, dir, id, title string) {
	t.Helper()
	text, err := json.Marshal(map[string]string{"title": title})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, id), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, id, "video.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// serve starts the preview of dir with a folder of keys beside it.
func serve(t *testing.T, p Preview) *Running {
	t.Helper()
	keys := t.TempDir()
	for _, video := range []string{"demo-abyss", "local-key"} {
		if err := os.MkdirAll(filepath.Join(keys, video), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(keys, video, "00112233aabbccdd.key"), testKey, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if p.Keys == nil {
		p.Keys, p.KeysAt = KeysIn(keys), "the folder "+keys
	}
	running, err := Start(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return running
}

// until waits for an expression of the page to become true.
func until(t *testing.T, tab *playtest.Tab, expression string) {
	t.Helper()
	playtest.Ask(t, tab, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(40*time.Second), chromedp.WithPollingInterval(50*time.Millisecond)))
}

func text(t *testing.T, tab *playtest.Tab, selector string) string {
	t.Helper()
	return playtest.Ask(t, tab, chromedp.Evaluate[string](fmt.Sprintf("document.querySelector(%q).textContent", selector)))
}

// look sets the window and the colour scheme.
func look(width, height int64, scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(chromedp.EmulateViewport(width, height),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
			return err
		}))
}

func picture(t *testing.T, tab *playtest.Tab, name string) {
	t.Helper()
	if *shots == "" {
		return
	}
	png := playtest.Ask(t, tab, chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestPagePlays(t *testing.T) {
	browser := playtest.Start(t)
	running := serve(t, Preview{Dir: shelf(t)})
	tab := browser.Tab(t, 2*time.Minute)
	tab.Do(t, look(1280, 860, "light"), chromedp.Navigate(running.URL()))
	until(t, tab, `document.querySelectorAll('.card').length === 4 && [...document.images].every((i) => i.complete)`)
	picture(t, tab, "shelf-light")
	for _, video := range []string{"demo-pearls", "demo-abyss", "local-key"} {
		tab.Do(t, chromedp.Evaluate[chromedp.Void](fmt.Sprintf("location.hash = '#/v/%s'; document.querySelector('#screen').muted = true; undefined", video)))
		until(t, tab, `document.querySelector('#screen').currentTime > 0.3`)
		tab.Do(t, chromedp.Evaluate[chromedp.Void](`document.querySelector('#screen').playbackRate = 4; undefined`))
		until(t, tab, `document.querySelector('#screen').ended`)
		picture(t, tab, "player-"+video)
	}
	if problems := tab.Problems(); len(problems) > 0 {
		t.Errorf("problems %q", problems)
	}
	for _, request := range tab.Requests() {
		if !strings.HasPrefix(request, running.URL()) {
			t.Errorf("the page asked %s", request)
		}
	}
}

func TestPageSwitchesSizeByKeyboard(t *testing.T) {
	browser := playtest.Start(t)
	dir := t.TempDir()
	publish(t, dir, "long", "Twelve seconds", playtest.Package{Seconds: 12})
	running := serve(t, Preview{Dir: dir})
	tab := browser.Tab(t, 2*time.Minute)
	tab.Do(t, chromedp.Navigate(running.URL()+"#/v/long"))
	until(t, tab, `document.querySelector('#screen').currentTime > 0.2`)
	tab.Do(t, chromedp.KeyEvent("["))
	until(t, tab, `document.querySelector('#sizes input:checked').value === '0' && document.querySelector('#screen').videoWidth === 160`)
	tab.Do(t, chromedp.KeyEvent("]"))
	until(t, tab, `document.querySelector('#sizes input:checked').value === '1' && document.querySelector('#screen').videoWidth === 320`)
	if got := text(t, tab, "#sizes"); !strings.Contains(got, "Auto") || !strings.Contains(got, "90p") || !strings.Contains(got, "180p") {
		t.Errorf("sizes %q", got)
	}
	tab.Do(t, chromedp.KeyEvent("a"))
	until(t, tab, `document.querySelector('#sizes input:checked').value === '-1'`)
	tab.Do(t, chromedp.KeyEvent(" "))
	until(t, tab, `document.querySelector('#screen').paused`)
	tab.Do(t, chromedp.KeyEvent("\x1b"))
	until(t, tab, `!document.querySelector('#shelf').hidden`)
	if problems := tab.Problems(); len(problems) > 0 {
		t.Errorf("problems %q", problems)
	}
}

func TestPageSaysWhatIsWrong(t *testing.T) {
	browser := playtest.Start(t)
	dir := shelf(t)
	if err := os.Remove(filepath.Join(dir, "demo-pearls", "master.m3u8")); err != nil {
		t.Fatal(err)
	}
	running := serve(t, Preview{Dir: dir})
	tab := browser.Tab(t, 2*time.Minute)
	for video, want := range map[string][2]string{
		"lost-key":    {"The key was not found", "the folder /"},
		"demo-pearls": {"Not in the folder", "no master playlist"},
		"never-was":   {"Not in the folder", "no master playlist"},
	} {
		tab.Do(t, look(1280, 860, "dark"), chromedp.Navigate("about:blank"), chromedp.Navigate(running.URL()+"#/v/"+video))
		until(t, tab, `!document.querySelector('#trouble').hidden`)
		if title, words := text(t, tab, "#trouble-title"), text(t, tab, "#trouble-text"); title != want[0] || !strings.Contains(words, want[1]) {
			t.Errorf("%s: %q: %q", video, title, words)
		}
		picture(t, tab, "trouble-"+video)
	}
}

func TestHostileTitlesAreText(t *testing.T) {
	browser := playtest.Start(t)
	dir := t.TempDir()
	playtest.Package{Sizes: []string{"160x90"}, Seconds: 2}.Make(t, filepath.Join(dir, "video-0"))
	for i, title := range hostile {
		id := fmt.Sprintf("video-%d", i)
		describe(t, dir, id, title)
		if i > 0 {
			copyFile(t, filepath.Join(dir, "video-0", "master.m3u8"), filepath.Join(dir, id, "master.m3u8"))
		}
	}
	running := serve(t, Preview{Dir: dir})
	tab := browser.Tab(t, 2*time.Minute)
	tab.Do(t, look(1280, 860, "dark"), chromedp.Navigate(running.URL()))
	until(t, tab, fmt.Sprintf(`document.querySelectorAll('.card').length === %d`, len(hostile)))
	picture(t, tab, "hostile")
	titles := playtest.Ask(t, tab, chromedp.Evaluate[[]string](`[...document.querySelectorAll('.card h2')].map((h) => h.textContent)`))
	for _, want := range []string{hostile[0], hostile[1], hostile[4]} {
		if !strings.Contains(strings.Join(titles, "\n"), want) {
			t.Errorf("title %q is not shown as it is: %q", want, titles)
		}
	}
	if all := strings.Join(titles, ""); strings.ContainsAny(all, "\x1b\x07\u202e") {
		t.Errorf("control characters reach the page: %q", all)
	}
	tab.Do(t, chromedp.Navigate(running.URL()+"#/v/video-0"))
	until(t, tab, `document.querySelector('#screen').ended || document.querySelector('#screen').currentTime > 0.5`)
	if problems := tab.Problems(); len(problems) > 0 {
		t.Errorf("problems %q", problems)
	}
	for _, request := range tab.Requests() {
		if strings.HasSuffix(request, "/x") || !strings.HasPrefix(request, running.URL()) {
			t.Errorf("the page asked %s", request)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	body, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, body, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestPageFitsEveryWindow: nothing sticks out of a phone or a desktop window,
// in either colour scheme, and nothing is complained of.
func TestPageFitsEveryWindow(t *testing.T) {
	browser := playtest.Start(t)
	dir := *dest
	if dir == "" {
		dir = t.TempDir()
		publish(t, dir, "wide", "Avery_long_title_without_any_space_in_it_that_would_push_a_page_wide_open_if_it_could", playtest.Package{Seconds: 2})
	}
	full, empty := serve(t, Preview{Dir: dir}), serve(t, Preview{Dir: t.TempDir()})
	for _, scheme := range []string{"light", "dark"} {
		for _, window := range [][2]int64{{390, 844}, {1280, 860}} {
			tab := browser.Tab(t, 2*time.Minute)
			tab.Do(t, look(window[0], window[1], scheme), chromedp.Navigate(empty.URL()))
			until(t, tab, `!document.querySelector('#empty').hidden`)
			fitsWindow(t, tab, fmt.Sprintf("empty-%s-%d", scheme, window[0]))
			tab.Do(t, chromedp.Navigate(full.URL()))
			until(t, tab, `document.querySelectorAll('.card').length > 0 && [...document.images].every((i) => i.complete)`)
			fitsWindow(t, tab, fmt.Sprintf("shelf-%s-%d", scheme, window[0]))
			tab.Do(t, chromedp.Evaluate[chromedp.Void](`location.hash = document.querySelector('.card').hash; undefined`))
			until(t, tab, `document.querySelector('#screen').currentTime > 0.4 && document.querySelector('#showing').textContent !== '–'`)
			fitsWindow(t, tab, fmt.Sprintf("player-%s-%d", scheme, window[0]))
			if problems := tab.Problems(); len(problems) > 0 {
				t.Errorf("%s %d: problems %q", scheme, window[0], problems)
			}
		}
	}
}

func fitsWindow(t *testing.T, tab *playtest.Tab, name string) {
	t.Helper()
	picture(t, tab, name)
	over := playtest.Ask(t, tab, chromedp.Evaluate[int](`document.documentElement.scrollWidth - innerWidth`))
	if over > 0 {
		t.Errorf("%s sticks out by %d pixels", name, over)
	}
}
