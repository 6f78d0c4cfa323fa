package download

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/guard"
)

// open sends a GET and follows its redirects. The response's host counts as
// busy until release is called, which also closes the body; t is a turn there.
func (c *Client) open(ctx context.Context, w *watch, t *turn, target *url.URL, header http.Header) (*http.Response, func(), error) {
	header = header.Clone()
	if user := target.User; user != nil && header.Get("Authorization") == "" {
		password, _ := user.Password()
		basic := http.Request{Header: header}
		basic.SetBasicAuth(user.Username(), password)
	}
	seen, asked := map[string]bool{}, target.Host
	for hop := 0; ; hop++ {
		seen[target.String()] = true
		beyond := false
		resp, release, err := c.hop(httptrace.WithClientTrace(ctx, ways(&beyond)), w, t, target, header)
		if err != nil {
			return nil, nil, err
		}
		if !isRedirect(resp) {
			c.reach.answered(asked, beyond)
			return resp, release, nil
		}
		location := resp.Header.Get("Location")
		release()
		next, err := follow(target, location)
		if err == nil {
			err = c.Guard.Check(next)
		}
		if err != nil {
			return nil, nil, err
		}
		if seen[next.String()] || hop >= maxRedirects {
			return nil, nil, tooManyHops(target, seen[next.String()], hop+1)
		}
		if !guard.SameOrigin(target, next) {
			header = guard.WithoutSecrets(header)
		}
		target = next
	}
}

// hop sends one request, when its host has room for it and it is t's turn.
func (c *Client) hop(ctx context.Context, w *watch, t *turn, target *url.URL, header http.Header) (*http.Response, func(), error) {
	w.hold()
	release, err := c.enter(ctx, target.Host, t)
	if err != nil {
		return nil, nil, err
	}
	w.expect()
	bare := *target
	bare.User, bare.Fragment, bare.RawFragment = nil, "", ""
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, bare.String(), nil)
	if err != nil {
		release()
		return nil, nil, &spool.Error{
			Class: spool.Permanent, Code: "bad-url",
			Reason: redact(target) + " cannot be asked for", Hint: "check the URL for typing errors",
		}
	}
	req.Header = header
	resp, err := c.transport().RoundTrip(req)
	if err != nil {
		release()
		return nil, nil, err
	}
	w.hold()
	return resp, func() {
		// An error of closing says nothing about bytes that were read.
		_ = resp.Body.Close()
		release()
	}, nil
}

func isRedirect(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// follow resolves a Location.
func follow(from *url.URL, location string) (*url.URL, error) {
	next, err := from.Parse(location)
	if location == "" || err != nil {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "bad-redirect",
			Reason: redact(from) + " redirects without saying where to",
			Hint:   "open the address in a browser and use the one it ends at",
		}
	}
	if next.Scheme != "http" && next.Scheme != "https" || next.Hostname() == "" {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "bad-redirect",
			Reason: fmt.Sprintf("%s redirects to a %s address, which is not allowed", redact(from), sanitise(next.Scheme+":")),
			Hint:   "only http and https are followed",
		}
	}
	return next, nil
}

func tooManyHops(at *url.URL, loop bool, hops int) error {
	reason := fmt.Sprintf("the server redirected %d times, the last time at %s", hops, redact(at))
	if loop {
		reason = "the server redirects in a loop at " + redact(at)
	}
	return &spool.Error{
		Class: spool.Permanent, Code: "redirect-loop",
		Reason: reason, Hint: "open the address in a browser; it may need a login or cookies",
	}
}
