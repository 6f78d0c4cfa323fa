package page

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/process"
)

const updateHint = "update it (yt-dlp -U, or pipx upgrade yt-dlp), or name a newer one with --ytdlp"

// symptom is a failure as the program words it.
type symptom struct {
	words  []string // any of them, in lower case
	class  spool.Class
	code   string
	reason string // continues "HOST: "
	hint   string
	stale  bool // an old release is a likely cause
}

// symptoms is the one place that knows the program's words: it says why only
// in its text, its exit status is 1 for everything. Earlier rows win. What no
// row knows is "page-failed", tried again and shown as it is.
var symptoms = []symptom{
	{[]string{"no space left on device", "disk quota exceeded"}, spool.Environment, "no-space", "there is no space left for the download", "make room in the work folder, or choose another one", false},
	{[]string{"file too large"}, spool.Permanent, "too-large", "the video is larger than the limit", "raise the limit, or give a smaller video", false},
	{[]string{"unsupported url"}, spool.Permanent, "page-unsupported", "no video was found on the page", "check that the page shows a video without a login", false},
	{[]string{"is not a valid url"}, spool.Permanent, "bad-url", "the address is not valid", "check it for typing errors", false},
	{[]string{"drm protected", "drm protection", "is drm", "use of drm"}, spool.Permanent, "drm", "the video is protected by DRM and cannot be downloaded", "use a source that is yours to copy", false},
	{[]string{"private video", "video is private", "this video is only available for registered", "members-only", "join this channel"}, spool.Permanent, "page-private", "the video is private", "give cookies of an account that may see it with --cookies", false},
	{[]string{"sign in to confirm", "log in", "login required", "account credentials", "--cookies", "authentication"}, spool.Permanent, "page-login", "the page wants a login", "give cookies of your account with --cookies", true},
	{[]string{"available in your country", "from your location", "geo restrict", "geo-restrict", "geo restriction"}, spool.Permanent, "page-region", "the video is not offered in this country", "use a source that is offered here", false},
	{[]string{"premieres in", "will begin in", "live event has", "has not started"}, spool.Permanent, "page-not-yet", "the video has not been shown yet", "add it again when it has", false},
	{[]string{"video unavailable", "has been removed", "no longer available", "account has been terminated", "been deleted", "does not exist", "video is not available"}, spool.Permanent, "page-removed", "the video is not there (any more)", "check the link in a browser", false},
	{[]string{"http error 404", "http error 410"}, spool.Permanent, "http-404", "the page is not there (404)", "check the link in a browser", false},
	{[]string{"http error 401"}, spool.Permanent, "http-401", "the page wants a login (401)", "give cookies of your account with --cookies", true},
	{[]string{"http error 403"}, spool.Permanent, "http-403", "the site refused (403)", "open the page in a browser; it may need --cookies", true},
	{[]string{"http error 429", "too many requests"}, spool.Transient, "http-429", "the site says that there were too many requests (429)", "wait, or lower --per-host", false},
	{[]string{"http error 5"}, spool.Transient, "http-5xx", "the site has a fault of its own (5xx)", "it is tried again", false},
	{[]string{"name or service not known", "getaddrinfo failed", "nodename nor servname", "name resolution", "no address associated"}, spool.Transient, "dns", "the name cannot be resolved", "check the address for typing errors, and the network", false},
	{[]string{"connection refused"}, spool.Transient, "refused", "the connection was refused", "check the address and that the server is up", false},
	{[]string{"certificate verify failed", "certificate_verify_failed"}, spool.Permanent, "tls", "the site's certificate is not valid", "check the address and this machine's clock", false},
	{[]string{"redirect"}, spool.Permanent, "bad-redirect", "the page redirects to where it may not", "open the page in a browser and use the address it ends at", false},
	{[]string{"timed out", "timeout"}, spool.Transient, "stalled", "the site stopped sending", "it is tried again", false},
	{[]string{"connection reset", "remote end closed", "connection aborted", "broken pipe", "more expected", "bytes, expected", "incomplete", "network is unreachable"}, spool.Transient, "connection-lost", "the connection was lost", "it is tried again", false},
	{[]string{"unable to continue", "fragment not found"}, spool.Transient, "page-fragment", "a part of the video is missing at the site", "it is tried again", true},
	{[]string{"downloaded file is empty"}, spool.Transient, "empty-file", "the site sent nothing", "it is tried again", true},
	{[]string{"ffmpeg is not installed", "ffmpeg not found", "ffprobe and ffmpeg not found", "ffmpeg could not be found"}, spool.Environment, "no-ffmpeg", "ffmpeg, which joins pictures and sound, was not found", "install ffmpeg", false},
	{[]string{"requested format is not available", "requested format not available", "no video formats found"}, spool.Permanent, "page-no-format", "the page offers no video that can be downloaded", "check the link in a browser", true},
	{[]string{"unable to extract", "unable to download api page", "failed to parse json", "please report this issue", "signature extraction failed", "nsig extraction failed", "an extractor error", "unable to download json"}, spool.Permanent, "page-extract", "the page could not be understood", "check the link in a browser", true},
}

// fault is how a run failed, as one that a person can act on.
func (r *run) fault(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errSilent):
		return r.error(spool.Transient, "stalled", fmt.Sprintf("nothing came for %v", r.tool.patience()), "it is tried again")
	case errors.Is(cause, errFlood):
		return r.nonsense()
	}
	exit, ok := errors.AsType[*process.ExitError](err)
	if !ok {
		e := r.error(spool.Transient, "page-failed", r.version.Name+" could not be run to its end", installHint)
		e.Err = err
		return e
	}
	if exit.Signal != 0 {
		return r.error(spool.Transient, "page-killed", fmt.Sprintf("%s was killed (%v)", r.version.Name, exit.Signal), "look whether memory ran out")
	}
	return r.judge(complaint(exit.Stderr))
}

// judge finds the symptom that a complaint shows.
func (r *run) judge(said string) *spool.Error {
	low := strings.ToLower(said)
	for _, s := range symptoms {
		if !s.fits(low) {
			continue
		}
		e := r.error(s.class, s.code, s.reason, s.hint)
		if r.partial && (s.code == "http-403" || s.code == "http-404") {
			// The page is asked anew at the next try, and gives a fresh link.
			e.Class, e.Code, e.Reason = spool.Transient, "link-expired", r.host()+": the link expired in mid-download"
		}
		if s.stale && r.stale() {
			e.Reason += "; " + r.describe()
			e.Hint = updateHint
		}
		return e
	}
	reason := r.version.Name + " failed without saying why"
	if said != "" {
		reason = r.version.Name + " says: " + shown(said)
	}
	e := r.error(spool.Transient, "page-failed", reason, "check the link in a browser")
	if r.stale() {
		e.Reason += "; " + r.describe()
		e.Hint = updateHint
	}
	return e
}

func (s *symptom) fits(low string) bool {
	for _, w := range s.words {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}

var link = regexp.MustCompile(`https?://\S+`)

// complaint is the last ERROR line of the program; else the last line. URLs
// are dropped, so that no symptom is found in an address, and no secret shown.
func complaint(stderr string) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	last := lines[len(lines)-1]
	for _, line := range lines {
		if strings.HasPrefix(line, "ERROR:") {
			last = strings.TrimPrefix(line, "ERROR:")
		}
	}
	return strings.TrimSpace(link.ReplaceAllString(last, "…"))
}

// complained: there is an ERROR line.
func complained(stderr string) bool {
	return strings.HasPrefix(stderr, "ERROR:") || strings.Contains(stderr, "\nERROR:")
}

// shown cuts what only the program's authors need.
func shown(said string) string {
	said, _, _ = strings.Cut(said, "; please report")
	said, _, _ = strings.Cut(said, " (caused by")
	return plaintext.Cut(plaintext.Show(said), 200)
}

func (r *run) error(class spool.Class, code, reason, hint string) *spool.Error {
	return &spool.Error{Class: class, Code: code, Reason: r.host() + ": " + reason, Hint: hint}
}

// host says which site it was, without the rest of the URL.
func (r *run) host() string {
	_, rest, _ := strings.Cut(r.url, "://")
	rest, _, _ = strings.Cut(rest, "/")
	rest, _, _ = strings.Cut(rest, "?")
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	return plaintext.Cut(plaintext.Sanitize(rest), 100)
}

func (r *run) stale() bool {
	return r.version.Released.IsZero() || r.version.Age(time.Now()) > old
}

func (r *run) describe() string { return r.version.Describe(time.Now()) }

func (r *run) tooOld(missing string) error {
	return &spool.Error{
		Class: spool.Permanent, Code: "page-tool-old",
		Reason: fmt.Sprintf("%s does not know %s", r.describe(), missing), Hint: updateHint,
	}
}

func (r *run) nonsense() error {
	return r.error(spool.Permanent, "page-output", r.version.Name+" answered with something that is not a description of a video", updateHint)
}

func (r *run) live() error {
	return r.error(spool.Permanent, "page-live", "the video is live and has no end yet", "add it again when it has ended")
}

func (r *run) notOneFile(seen []string) error {
	reason := r.version.Name + " left no file"
	if len(seen) > 0 {
		reason = fmt.Sprintf("%s left something else than one complete file (%s)", r.version.Name,
			plaintext.Cut(plaintext.Show(strings.Join(seen, ", ")), 100))
	}
	return r.error(spool.Transient, "page-files", reason, "it is tried again from the start")
}

// homeFault is an error of our own disk.
func homeFault(err error) error {
	e := &spool.Error{
		Class: spool.Environment, Code: "work-folder",
		Reason: "the work folder cannot be written", Hint: "look at its disk and permissions", Err: err,
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		e.Code, e.Reason, e.Hint = "no-space", "there is no space left in the work folder", "make room there, or choose another folder"
	}
	if errors.Is(err, os.ErrPermission) {
		e.Hint = "make the work folder writable, or choose another one"
	}
	return e
}
