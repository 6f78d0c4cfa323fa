// Package playtest is test support: a headless Chromium opens a page or plays
// an HLS package with hls.js, and tells what happened.
//
// A test that needs a browser is skipped by name on a machine without one.
package playtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/remote"
	"github.com/fsnotify/fsnotify"

	"github.com/spool-video/spool/internal/process"
)

const (
	chromium  = "/usr/bin/chromium"
	startTime = 30 * time.Second // until Chromium answers; a busy machine needs some
	endTime   = 10 * time.Second // until Chromium has closed by itself
	portFile  = "DevToolsActivePort"
)

// arguments make Chromium quiet, alone, and willing to play unasked.
func arguments(profile string) []string {
	return []string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
		"--disable-extensions", "--disable-breakpad", "--disable-crash-reporter", "--disable-dev-shm-usage",
		"--disable-background-timer-throttling", "--disable-renderer-backgrounding",
		"--disable-backgrounding-occluded-windows", "--mute-audio", "--force-color-profile=srgb",
		"--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0",
		"--user-data-dir=" + profile, "about:blank",
	}
}

// Browser is one headless Chromium with a fresh profile. It ends with the
// test that started it.
type Browser struct {
	ctx context.Context // of chromedp; outlives calls because it is the browser
}

// Start starts Chromium, or skips the test where there is none.
func Start(tb testing.TB) *Browser {
	tb.Helper()
	if _, err := os.Stat(chromium); errors.Is(err, fs.ErrNotExist) {
		tb.Skip("no browser: " + chromium + " is not installed")
	}
	profile := tb.TempDir()
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		tb.Fatal(err)
	}
	defer watcher.Close()
	if err := watcher.Add(profile); err != nil {
		tb.Fatal(err)
	}
	ctx, kill := context.WithCancel(context.Background())
	child, err := process.Start(ctx, process.Command{Path: chromium, Args: arguments(profile), Dir: profile, Grace: endTime})
	if err != nil {
		kill()
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		kill()
		_ = child.Wait() // it was told to end
	})
	address, err := debugger(watcher, profile)
	if err != nil {
		kill()
		tb.Fatalf("start chromium: %v\n%v", err, child.Wait())
	}
	allocator, release := remote.NewAllocator(context.Background(), address, remote.NoModifyURL)
	browser, closeBrowser := chromedp.NewContext(allocator)
	tb.Cleanup(release)
	tb.Cleanup(closeBrowser)
	if err := chromedp.Do(browser); err != nil {
		tb.Fatalf("speak to chromium: %v", err)
	}
	return &Browser{ctx: browser}
}

// debugger waits for the file in which Chromium tells its debugging port and
// path, a line each, and gives the address.
func debugger(watcher *fsnotify.Watcher, profile string) (string, error) {
	late := time.NewTimer(startTime)
	defer late.Stop()
	for {
		text, err := os.ReadFile(filepath.Join(profile, portFile))
		port, path, whole := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
		if err == nil && whole {
			return fmt.Sprintf("ws://127.0.0.1:%s%s", port, path), nil
		}
		select {
		case <-watcher.Events:
		case err := <-watcher.Errors:
			return "", err
		case <-late.C:
			return "", fmt.Errorf("no %s after %v", portFile, startTime)
		}
	}
}

// Tab is one page with cookies and storage of its own, and a record of what
// went wrong in it.
type Tab struct {
	// Context runs chromedp's actions.
	Context context.Context

	mu       sync.Mutex
	problems []string // mu guards it
	requests []string // mu guards it
}

// Tab opens an empty page that ends with the test, or after limit.
func (b *Browser) Tab(tb testing.TB, limit time.Duration) *Tab {
	tb.Helper()
	t := &Tab{}
	ctx, closeTab := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(t.note))
	tb.Cleanup(closeTab)
	err := chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, errNetwork := cdp.Call(ctx, target, network.Enable, network.EnableParams{})
		_, errLog := cdp.Call(ctx, target, log.Enable, cdp.Empty{})
		return errors.Join(errNetwork, errLog)
	}))
	if err != nil {
		tb.Fatalf("open tab: %v", err)
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	tb.Cleanup(cancel)
	t.Context = limited
	return t
}

// Do runs chromedp's actions in order and fails the test when one fails.
func (t *Tab) Do(tb testing.TB, actions ...chromedp.Action[chromedp.Void]) {
	tb.Helper()
	if err := chromedp.Do(t.Context, actions...); err != nil {
		tb.Fatalf("%v\nproblems so far: %q", err, t.Problems())
	}
}

// Ask runs one of chromedp's actions in the tab and gives what it found.
func Ask[T any](tb testing.TB, t *Tab, action chromedp.Action[T]) T {
	tb.Helper()
	found, err := chromedp.Run(t.Context, action)
	if err != nil {
		tb.Fatalf("%v\nproblems so far: %q", err, t.Problems())
	}
	return found
}

// Problems gives what the page complained of: dialogs, errors on the console,
// uncaught exceptions, breaches of its policy, answers that are errors.
func (t *Tab) Problems() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.problems...)
}

// Requests gives the URLs that the page asked for, in order; blobs and data
// are not counted.
func (t *Tab) Requests() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.requests...)
}

func (t *Tab) note(event any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if strings.HasPrefix(e.Request.URL, "http") {
			t.requests = append(t.requests, e.Request.URL)
		}
	case *page.EventJavascriptDialogOpening:
		t.problems = append(t.problems, fmt.Sprintf("dialog %s: %s", e.Type, e.Message))
	case *runtime.EventExceptionThrown:
		t.problems = append(t.problems, "exception: "+exception(e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			t.problems = append(t.problems, "console: "+spoken(e.Args))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			t.problems = append(t.problems, strings.TrimSpace("log: "+e.Entry.Text+" "+e.Entry.URL))
		}
	}
}

func exception(details *runtime.ExceptionDetails) string {
	if details.Exception == nil {
		return details.Text
	}
	return details.Text + " " + details.Exception.Description
}

func spoken(args []*runtime.RemoteObject) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = strings.TrimSpace(string(arg.Value) + arg.Description)
	}
	return strings.Join(words, " ")
}
