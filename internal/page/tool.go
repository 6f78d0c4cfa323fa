// Package page gets videos from web pages with yt-dlp, or with youtube-dl: a
// program of its own, older or newer than any one we know, that reads pages
// nobody vouches for. It is given as little as it needs, asked for one thing
// at a time, and believed only for the one regular file that it leaves.
package page

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/guard"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/process"
)

const (
	// installHint is said whenever there is no tool.
	installHint = "install yt-dlp (pipx install yt-dlp, brew install yt-dlp), or name it with --ytdlp"
	// cookieSafe is the first release that keeps cookies from other hosts
	// (CVE-2023-35934).
	cookieSafe = "2023.07.06"
	// old is the age from which a failure to read a page is blamed on it.
	old = 90 * 24 * time.Hour

	usualPatience = 3 * time.Minute
	usualMaxBytes = 256 << 30
	askTimeout    = 30 * time.Second
)

// Tool is yt-dlp or youtube-dl. The zero value finds the one in PATH when it is
// first used. It is safe for concurrent use and must not be copied after that.
type Tool struct {
	Path     string        // of the program; "" = yt-dlp, else youtube-dl, in PATH
	Cookies  string        // a Netscape cookie file, copied for each run; "" = none
	FFmpeg   string        // path of ffmpeg, which joins pictures and sound; "" = the one in PATH
	Nice     int           // as in process.Command
	Tag      string        // as in process.Command
	MaxBytes int64         // of any one file: 256 GiB when 0
	Patience time.Duration // longest time without a byte more on the disk: 3 min when 0
	// Guard says where pages, and what belongs to them, may lie. The program,
	// which fetches by itself, is held to public addresses by a proxy of ours.
	Guard guard.Policy
	// Unconfined: the program may touch whatever its user may. Else it writes
	// in folders of its own only, as far as the kernel can hold it to that.
	Unconfined bool

	mu      sync.Mutex // guards the rest, which prepare fills
	found   string     // path of the program; "" = not prepared
	version Version
	options map[string]bool // what its help names
	proxy   *guard.Proxy    // nil as long as none was needed
}

// Version is a release of the tool; releases are named for their day.
type Version struct {
	Name     string    // "yt-dlp" or "youtube-dl", as the file is called
	Text     string    // "2023.03.04"
	Released time.Time // zero when Text is not a day
}

// Age is how long ago the release was; 0 when unknown.
func (v Version) Age(now time.Time) time.Duration {
	if v.Released.IsZero() {
		return 0
	}
	return max(now.Sub(v.Released), 0)
}

// Describe names the release and its age in words: "yt-dlp 2023.03.04, 3 years
// old".
func (v Version) Describe(now time.Time) string {
	const day, month, year = 24 * time.Hour, 30 * 24 * time.Hour, 365 * 24 * time.Hour
	text := v.Name + " " + v.Text
	switch age := v.Age(now); {
	case v.Released.IsZero():
		return text + ", of unknown age"
	case age >= 2*year:
		return fmt.Sprintf("%s, %d years old", text, age/year)
	case age >= 2*month:
		return fmt.Sprintf("%s, %d months old", text, age/month)
	default:
		return fmt.Sprintf("%s, %d days old", text, age/day)
	}
}

// Find looks for the tool and asks it for its version. path "" means the one in
// PATH. The error is *spool.Error with the code "no-page-tool" when there is
// none that runs.
func Find(ctx context.Context, path string) (*Tool, Version, error) {
	t := &Tool{Path: path}
	v, err := t.Version(ctx)
	return t, v, err
}

// Version tells which release the tool is.
func (t *Tool) Version(ctx context.Context) (Version, error) {
	if err := t.prepare(ctx); err != nil {
		return Version{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.version, nil
}

// prepare finds the program, its version and the options that it knows, once.
func (t *Tool) prepare(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.found != "" {
		return nil
	}
	path, err := locate(t.Path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	version, err := t.ask(ctx, path, "--version")
	if err != nil {
		return err
	}
	help, err := t.ask(ctx, path, "--help")
	if err != nil {
		return err
	}
	t.version = parseVersion(path, version)
	t.options = parseOptions(help)
	t.found = path
	return nil
}

// Close ends what the tool has started here. It may be used again.
func (t *Tool) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.proxy == nil {
		return nil
	}
	return t.proxy.Close()
}

func (t *Tool) ask(ctx context.Context, path, question string) (string, error) {
	out, err := process.Run(ctx, process.Command{
		Path: path, Args: []string{"--ignore-config", question}, Tag: t.Tag, Env: environment(""),
	})
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", &spool.Error{
			Class: spool.Permanent, Code: "no-page-tool",
			Reason: plaintext.Show(path) + ", which gets videos from web pages, does not run", Hint: installHint, Err: err,
		}
	}
	return string(out), nil
}

// locate finds the program's file. A name without a slash is looked up in PATH.
func locate(path string) (string, error) {
	names := []string{path}
	if path == "" {
		names = []string{"yt-dlp", "youtube-dl"}
	}
	for _, name := range names {
		for _, dir := range folders(name) {
			file := filepath.Join(dir, name)
			info, err := os.Stat(file)
			if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return filepath.Abs(file)
			}
		}
	}
	what := "neither yt-dlp nor youtube-dl is installed, and web pages need one of them"
	if path != "" {
		what = "there is no program " + plaintext.Show(path) + ", and web pages need yt-dlp"
	}
	return "", &spool.Error{Class: spool.Permanent, Code: "no-page-tool", Reason: what, Hint: installHint}
}

func folders(name string) []string {
	if strings.ContainsRune(name, filepath.Separator) {
		return []string{""}
	}
	return filepath.SplitList(os.Getenv("PATH"))
}

// parseVersion reads the answer to --version: a day, perhaps with more.
func parseVersion(path, answer string) Version {
	v := Version{Name: "yt-dlp", Text: plaintext.Cut(plaintext.Sanitize(strings.TrimSpace(answer)), 40)}
	if strings.Contains(filepath.Base(path), "youtube-dl") {
		v.Name = "youtube-dl"
	}
	if len(v.Text) >= 10 {
		// A text that is no day leaves the zero time: age unknown.
		v.Released, _ = time.Parse("2006.01.02", v.Text[:10])
	}
	return v
}

var optionName = regexp.MustCompile(`--[a-z][a-z0-9-]*[a-z0-9]`)

// parseOptions collects the options that a help text names.
func parseOptions(help string) map[string]bool {
	options := make(map[string]bool)
	for _, name := range optionName.FindAllString(help, -1) {
		options[name] = true
	}
	return options
}

// environment is what the tool sees besides the minimum: where its home is,
// and the way to the outside.
func environment(home string) []string {
	var env []string
	if home != "" {
		env = append(env, "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home, "TMPDIR="+home)
	}
	for _, name := range []string{
		"http_proxy", "https_proxy", "all_proxy", "no_proxy",
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
	} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return append(env, "PYTHONDONTWRITEBYTECODE=1")
}
