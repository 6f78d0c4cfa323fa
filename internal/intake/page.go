package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spool-video/spool"
)

const (
	usualItems   = 100
	noPageTool   = "no-page-tool"
	sniffTimeout = 20 * time.Second
)

// How often a page is asked, and how long it rests between.
const (
	tries       = 4
	firstRest   = time.Second
	longestRest = 30 * time.Second
)

// expandPage asks what a URL holds whose name does not say so.
func (in *Intake) expandPage(ctx context.Context, one item) (items []item, many bool) {
	if in.Pages == nil {
		one.err = in.sniff(ctx, one.source, &spool.Error{
			Class: spool.Permanent, Code: noPageTool,
			Reason: "yt-dlp, which finds the videos of web pages, is not there", Hint: "install yt-dlp, or name it with --ytdlp",
		})
		return []item{one}, false
	}
	limit := in.MaxItems
	if limit <= 0 {
		limit = usualItems
	}
	pages, playlist, err := in.resolve(ctx, one.source)
	switch {
	case err != nil:
		if one.err = spool.AsError(err); one.err.Code == noPageTool {
			one.err = in.sniff(ctx, one.source, one.err)
			return []item{one}, false
		}
	case len(pages) == 0:
		one.err = badSource("page-empty", "no video was found at "+shown(one.source), "")
	case len(pages) > limit:
		one.err = badSource("too-many-items", fmt.Sprintf("%s has %d videos, more than --max-items %d", shown(one.source), len(pages), limit),
			fmt.Sprintf("raise it with --max-items %d", len(pages)))
	case !playlist:
		one.page = pages[0]
	}
	if one.err != nil || !playlist {
		return []item{one}, false
	}
	for _, page := range pages {
		found := item{source: page.URL, page: page}
		if found.canonical, err = Canonical(page.URL); err != nil {
			found.err = spool.AsError(err)
		} else if !IsURL(page.URL) {
			found.err = badSource("bad-url", "an item of "+shown(one.source)+" names something that is not a URL: "+shown(page.URL), "")
		}
		items = append(items, found)
	}
	return items, true
}

// resolve asks the page tool, and asks again when what went wrong may pass: a
// source that is refused here is not in the ledger, and nobody would go on
// with it.
func (in *Intake) resolve(ctx context.Context, source string) ([]spool.Page, bool, error) {
	rest := in.Rest
	if rest <= 0 {
		rest = firstRest
	}
	for try := 1; ; try++ {
		pages, playlist, err := in.Pages.Resolve(ctx, source)
		if err == nil {
			return pages, playlist, nil
		}
		why := spool.AsError(err)
		// A name that cannot be resolved is mostly a typing error.
		if try == tries || why.Class != spool.Transient || why.Code == "dns" {
			return nil, false, err
		}
		timer := time.NewTimer(max(rest, min(why.After, longestRest)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, false, err
		}
		rest *= 2
	}
}

// sniff asks a URL whether it is media by itself. It is for when no page tool
// is there; missing says why that matters to whatever is not media.
func (in *Intake) sniff(ctx context.Context, source string, missing *spool.Error) *spool.Error {
	needed := *missing
	needed.Reason = shown(source) + " is not a media file by itself, and " + missing.Reason
	if in.Client == nil {
		return &needed
	}
	ctx, cancel := context.WithTimeout(ctx, sniffTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return badSource("bad-url", "the URL "+shown(source)+" cannot be asked", "")
	}
	req.Header.Set("Range", "bytes=0-511")
	resp, err := in.Client.Do(req)
	if refused, ok := errors.AsType[*spool.Error](err); ok {
		return refused
	}
	if err != nil {
		return &spool.Error{Class: spool.Transient, Code: "source-unreachable", Reason: shown(source) + " cannot be reached", Hint: "check the address and the network", Err: err}
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		return statusError(resp.StatusCode, source)
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, 512))
	if err != nil && len(head) == 0 {
		return &spool.Error{Class: spool.Transient, Code: "source-unreachable", Reason: shown(source) + " ended before its first byte", Err: err}
	}
	if isMedia(resp.Header.Get("Content-Type"), head) {
		return nil
	}
	return &needed
}

// statusError says of a status what a download says of it, but that what is
// refused here is not tried again.
func statusError(status int, source string) *spool.Error {
	words := strconv.Itoa(status)
	if text := http.StatusText(status); text != "" {
		words += " (" + text + ")"
	}
	e := &spool.Error{
		Class: spool.Permanent, Code: fmt.Sprintf("http-%d", status), Reason: shown(source) + " answered " + words,
		Hint: "open the address in a browser and look what it says",
	}
	switch {
	case status == http.StatusNotFound || status == http.StatusGone:
		e.Hint = "check the link; the file is not there (any more)"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.Hint = "the link may have expired, or may need a login"
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == http.StatusTooEarly, status >= 500:
		e.Class = spool.Transient
		e.Hint = "the server is busy; try again later"
	}
	return e
}

// isMedia judges by the bytes, and by the declared type where the bytes say
// nothing.
func isMedia(declared string, head []byte) bool {
	kind, _, _ := mime.ParseMediaType(http.DetectContentType(head))
	switch {
	case strings.HasPrefix(kind, "video/"), strings.HasPrefix(kind, "audio/"), kind == "application/ogg":
		return true
	case strings.HasPrefix(kind, "text/"), strings.HasPrefix(kind, "image/"):
		return false
	}
	kind, _, _ = mime.ParseMediaType(declared)
	return strings.HasPrefix(kind, "video/") || strings.HasPrefix(kind, "audio/") && !strings.Contains(kind, "mpegurl")
}
