package page

import (
	"net/http"
	"net/url"
	"strings"
)

// ours are the headers that belong to a connection, or to one request for some
// bytes.
var ours = map[string]bool{
	"Accept-Encoding": true, "Connection": true, "Content-Length": true, "Host": true, "If-Range": true, "Keep-Alive": true,
	"Proxy-Authorization": true, "Proxy-Connection": true, "Range": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
}

// header is what the file's host is to be told; false when that cannot be sent.
func (f *format) header(u *url.URL) (http.Header, bool) {
	h := http.Header{}
	for name, value := range f.Headers {
		name = http.CanonicalHeaderKey(name)
		switch {
		case ours[name] || strings.HasPrefix(name, "Youtubedl-") || strings.HasPrefix(name, "Ytdl-"):
			continue
		case !sendable(name, string(value)):
			return nil, false
		}
		h.Set(name, string(value))
	}
	if f.Cookies == "" {
		return h, true
	}
	cookies, ok := cookiesFor(u, string(f.Cookies))
	if !ok {
		return nil, false
	}
	// Those that come by themselves tell where they may go; a header does not.
	h.Del("Cookie")
	if cookies != "" {
		h.Set("Cookie", cookies)
	}
	return h, true
}

func sendable(name, value string) bool {
	for _, r := range name {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) {
			return false
		}
	}
	return name != "" && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// cookiesFor gives those of a list of cookies that may be sent to an address,
// as a header. The list is "a=1; Domain=x; Path=/; Secure; b=2; …"; false when
// it is of another form.
func cookiesFor(u *url.URL, list string) (string, bool) {
	var send []string
	var one []string
	flush := func() {
		if len(one) > 0 && cookieFits(u, one[1:]) {
			send = append(send, one[0])
		}
	}
	for item := range strings.SplitSeq(list, ";") {
		item = strings.TrimSpace(item)
		name, value, pair := strings.Cut(item, "=")
		switch strings.ToLower(name) {
		case "domain", "path", "secure", "expires", "version":
			if len(one) == 0 {
				return "", false
			}
			one = append(one, item)
			continue
		}
		// A quoted value is coded in a way of its own.
		if !pair || strings.HasPrefix(value, `"`) || !sendable(name, value) {
			return "", false
		}
		flush()
		one = []string{item}
	}
	flush()
	return strings.Join(send, "; "), true
}

// cookieFits: a cookie with such attributes may be sent to an address. One
// that does not say where it belongs may not.
func cookieFits(u *url.URL, attributes []string) bool {
	host, fits := strings.ToLower(u.Hostname()), false
	for _, a := range attributes {
		name, value, _ := strings.Cut(a, "=")
		switch strings.ToLower(name) {
		case "domain":
			domain := strings.TrimPrefix(strings.ToLower(value), ".")
			fits = host == domain || strings.HasPrefix(value, ".") && strings.HasSuffix(host, "."+domain)
		case "path":
			path := strings.TrimSuffix(value, "/")
			if rest, ok := strings.CutPrefix(u.EscapedPath(), path); !ok || rest != "" && rest[0] != '/' {
				return false
			}
		case "secure":
			if u.Scheme != "https" {
				return false
			}
		}
	}
	return fits
}
