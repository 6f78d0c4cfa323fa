package page

import (
	"context"
	"fmt"
	neturl "net/url"
	"os"
	"strconv"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/guard"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/process"
)

// Resolve asks which videos a web page holds, without downloading any: one, or
// the items of a playlist in order, each with a URL of its own (at most 5000).
// A video that is shown as part of a playlist (watch?v=…&list=…) is one video.
// Errors are *spool.Error, or that of ctx.
func (t *Tool) Resolve(ctx context.Context, url string) (pages []spool.Page, playlist bool, err error) {
	run, err := t.open(ctx, url)
	if err != nil {
		return nil, false, err
	}
	out, err := run.tell(ctx, describing())
	if err != nil {
		return nil, false, err
	}
	v, ok := parseInfo(out)
	switch {
	case !ok:
		return nil, false, run.nonsense()
	case v.playlist():
		return v.pages(url), true, nil
	case v.live():
		return nil, false, run.live()
	}
	return []spool.Page{v.page(url)}, false, nil
}

// tell asks the tool for what it prints, and for nothing on the disk.
func (r *run) tell(ctx context.Context, options []option) ([]byte, error) {
	home, err := os.MkdirTemp("", "spool-page-")
	if err != nil {
		return nil, homeFault(err)
	}
	defer os.RemoveAll(home)
	cmd, err := r.command(options, home)
	if err != nil {
		return nil, err
	}
	cmd.Dir = home
	limited, cancel := context.WithTimeoutCause(ctx, r.tool.patience(), errSilent)
	defer cancel()
	out, err := process.Run(limited, cmd)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, r.fault(limited, err)
	}
	return out, nil
}

// run is one use of a prepared tool.
type run struct {
	tool    *Tool
	path    string
	version Version
	options map[string]bool
	url     string
	want    string // formats of the site; "" = the best
	partial bool   // there are bytes of an earlier run
	proxy   *guard.Proxy
}

// open prepares the tool for a URL.
func (t *Tool) open(ctx context.Context, url string) (*run, error) {
	u, err := neturl.Parse(url)
	if err != nil || !web(url) {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "bad-url",
			Reason: plaintext.Cut(plaintext.Show(url), 100) + " is not the address of a web page",
			Hint:   "give an http or https URL",
		}
	}
	if err := t.Guard.Check(u); err != nil {
		return nil, err
	}
	if err := t.prepare(ctx); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.Guard.Private && t.proxy == nil {
		t.proxy = &guard.Proxy{Policy: t.Guard}
	}
	return &run{tool: t, path: t.found, version: t.version, options: t.options, url: url, proxy: t.proxy}, nil
}

// command builds what the runs have in common. home is a folder for the
// program's own files; its owner removes it, and with it the cookies' copy.
func (r *run) command(options []option, home string) (process.Command, error) {
	t := r.tool
	if t.Cookies != "" {
		jar, err := r.copyCookies(home)
		if err != nil {
			return process.Command{}, err
		}
		options = append(options, option{[]string{"--cookies", jar}, true})
	}
	confined := &process.Confine{ReadAll: true, Write: []string{home}, Network: r.proxy == nil}
	if r.proxy != nil {
		through, err := r.proxy.URL()
		if err != nil {
			return process.Command{}, err
		}
		if confined.Port, err = port(through); err != nil {
			return process.Command{}, err
		}
		options = append(options, option{[]string{"--proxy", through}, true})
	}
	args, missing := arguments(r.options, options, r.url, r.want)
	if missing != "" {
		return process.Command{}, r.tooOld(missing)
	}
	limit := t.MaxBytes
	if limit <= 0 {
		limit = usualMaxBytes
	}
	if t.Unconfined {
		confined = nil
	}
	return process.Command{
		Path: r.path, Args: args, Env: environment(home),
		Limits: process.Limits{FileSize: uint64(limit)}, Nice: t.Nice, Tag: t.Tag, Confine: confined,
	}, nil
}

// port is the one that a URL of ours names.
func port(address string) (int, error) {
	u, err := neturl.Parse(address)
	if err != nil {
		return 0, fmt.Errorf("read the proxy's address: %w", err)
	}
	n, err := strconv.Atoi(u.Port())
	if err != nil {
		return 0, fmt.Errorf("read the proxy's port: %w", err)
	}
	return n, nil
}
