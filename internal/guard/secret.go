package guard

import (
	"net/http"
	"net/url"
	"strings"
)

// harmless are the headers that may follow a redirect to another host.
var harmless = []string{"Accept", "Accept-Encoding", "Accept-Language", "Range", "If-Range", "User-Agent"}

// SameOrigin: credentials may go along from a to b. From https to http of one
// host they may not.
func SameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host)
}

// WithoutSecrets is what of a request's headers another host may see: no
// credentials, no cookies, nothing that it is not known to be harmless.
func WithoutSecrets(h http.Header) http.Header {
	kept := http.Header{}
	for _, name := range harmless {
		if v := h.Values(name); len(v) > 0 {
			kept[name] = v
		}
	}
	return kept
}
