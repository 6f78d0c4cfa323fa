package plaintext

import (
	"net/url"
	"regexp"
	"strings"
)

var (
	address = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^\s"'<>\\]+`)
	bearer  = regexp.MustCompile(`(?i)\b(authorization|proxy-authorization|cookie|set-cookie)(["']?\s*[:=]\s*)[^\r\n]+`)
)

// Redact takes the secrets out of a text: what stands before @ in URLs, the
// values of their queries, and authorization and cookie headers. Query names
// stay, and so do the values of a few names that say which page is meant and
// give no access (v, list, id, page).
func Redact(s string) string {
	s = address.ReplaceAllStringFunc(s, redactURL)
	return bearer.ReplaceAllString(s, "$1$2…")
}

// Show is Sanitize after Redact: what a source or a server's text becomes
// before anyone sees it.
func Show(s string) string { return Sanitize(Redact(s)) }

// yamlQuotes are how a YAML parser quotes a file.
var yamlQuotes = regexp.MustCompile("`.*`|'[\\w-]+'")

// Complaint is what a YAML parser has against a file, in one line. It says near
// which line that is (some of the parser's numbers are one too low), and quotes
// no value of it, which may be secret.
func Complaint(err error) string {
	text := yamlQuotes.ReplaceAllString(err.Error(), "…")
	text = strings.TrimPrefix(strings.TrimPrefix(text, "yaml: "), "unmarshal errors:")
	text = strings.Join(strings.Fields(text), " ")
	if strings.HasPrefix(text, "line ") {
		text = "near " + text
	}
	return Cut(Sanitize(text), 200)
}

func redactURL(raw string) string {
	rest, fragment, hasFragment := strings.Cut(raw, "#")
	rest, query, hasQuery := strings.Cut(rest, "?")
	scheme, rest, _ := strings.Cut(rest, "://")
	host, path, hasPath := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		host = "…@" + host[at+1:]
	}
	out := scheme + "://" + host
	if hasPath {
		out += "/" + path
	}
	if hasQuery {
		out += "?" + redactQuery(query)
	}
	if hasFragment && strings.Contains(fragment, "=") {
		return out + "#…"
	}
	if hasFragment {
		out += "#" + fragment
	}
	return out
}

func redactQuery(query string) string {
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, value, found := strings.Cut(part, "=")
		if !found || value == "" {
			continue
		}
		if plain, err := url.QueryUnescape(name); err == nil && harmless[plain] {
			continue
		}
		parts[i] = name + "=…"
	}
	return strings.Join(parts, "&")
}

var harmless = map[string]bool{"v": true, "list": true, "id": true, "page": true}
