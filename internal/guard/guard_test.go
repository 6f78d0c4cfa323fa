package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/spool-video/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noURL is the verdict on what cannot even be parsed.
const noURL = "no URL"

// hostile are addresses that a policy for strangers refuses, with the code. {}
// is the port of a server on 127.0.0.1. Those that are refused whoever asks
// have a mark.
var hostile = []struct {
	url, code string
	always    bool
}{
	{"http://127.0.0.1:{}/", CodeAddress, false},
	{"http://127.0.0.2:{}/", CodeAddress, false},
	{"http://0.0.0.0:{}/", CodeAddress, false},
	{"http://[::1]:{}/", CodeAddress, false},
	{"http://[::]:{}/", CodeAddress, false},
	{"http://[::ffff:127.0.0.1]:{}/", CodeAddress, false},
	{"http://[::ffff:7f00:1]:{}/", CodeAddress, false},
	{"http://[::127.0.0.1]:{}/", CodeAddress, false},
	{"http://[64:ff9b::7f00:1]:{}/", CodeAddress, false},
	{"http://[64:ff9b::a00:1]/", CodeAddress, false},
	{"http://[64:ff9b:1::7f00:1]/", CodeAddress, false},
	{"http://[2002:7f00:1::]:{}/", CodeAddress, false},
	{"http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", CodeAddress, false},
	{"http://[fe80::1%25lo]:{}/", CodeAddress, false},
	{"http://[fc00::1]/", CodeAddress, false},
	{"http://[fec0::1]/", CodeAddress, false},
	{"http://10.0.0.1/", CodeAddress, false},
	{"http://172.31.255.254/", CodeAddress, false},
	{"https://192.168.1.1/", CodeAddress, false},
	{"http://100.64.0.1/", CodeAddress, false},
	{"http://198.18.0.1/", CodeAddress, false},
	{"http://192.0.2.1/", CodeAddress, false},
	{"http://240.0.0.1/", CodeAddress, false},
	{"http://localhost:{}/", CodeAddress, false},
	{"http://localhost.:{}/", CodeAddress, false},
	{"http://LOCALHOST:{}/", CodeAddress, false},
	{"http://loopback.example:{}/", CodeAddress, false},
	{"http://loopback6.example:{}/", CodeAddress, false},
	{"http://mapped.example:{}/", CodeAddress, false},
	{"http://home.example:{}/", CodeAddress, false},
	{"http://both.example:{}/", CodeAddress, false},
	{"http://example.com@127.0.0.1:{}/", CodeAddress, false},
	{"http://example.com:80@127.0.0.1:{}/", CodeAddress, false},
	{"http://example.com%40@127.0.0.1:{}/", CodeAddress, false},
	{"http://127.0.0.1:{}#@example.com/", CodeAddress, false},
	{"http://127.0.0.1:{}?@example.com/", CodeAddress, false},
	{"http://127.0.0.1:{}/@example.com/", CodeAddress, false},
	{"http://127。0。0。1:{}/", CodeAddress, false},
	{"http://①②⑦.⓪.⓪.①:{}/", CodeAddress, false},
	{"http://１２７.0.0.1:{}/", CodeHost, true},

	{"http://169.254.169.254/latest/meta-data/", CodeAddress, true},
	{"http://[::ffff:a9fe:a9fe]/latest/meta-data/", CodeAddress, true},
	{"http://[fd00:ec2::254]/latest/meta-data/", CodeAddress, true},
	{"http://100.100.100.200/latest/meta-data/", CodeAddress, true},
	{"http://metadata.example/computeMetadata/v1/", CodeAddress, true},
	{"http://224.0.0.1/", CodeAddress, true},
	{"http://[ff02::1]/", CodeAddress, true},
	{"http://255.255.255.255/", CodeAddress, true},
	{"http://127.1:{}/", CodeHost, true},
	{"http://2130706433:{}/", CodeHost, true},
	{"http://0x7f.1:{}/", CodeHost, true},
	{"http://0x7F000001:{}/", CodeHost, true},
	{"http://0177.0.0.1:{}/", CodeHost, true},
	{"http://017700000001:{}/", CodeHost, true},
	{"http://127.0.0.1.:{}/", CodeHost, true},
	{"http://127.0.0.0x1:{}/", CodeHost, true},
	{"http://127.0.0.1:25/", CodePort, true},
	{"http://example.com:22/", CodePort, true},
	{"https://example.com:6667/", CodePort, true},
	{"http://example.com:0/", CodeNoHost, true},
	{"http://example.com:65616/", CodeNoHost, true},
	{"http:///etc/passwd", CodeNoHost, true},
	{"http://:{}/", CodeNoHost, true},
	{"http:127.0.0.1:{}/", CodeNoHost, true},
	{"//127.0.0.1:{}/", CodeScheme, true},
	{"/etc/passwd", CodeScheme, true},
	{"file:///etc/passwd", CodeScheme, true},
	{"ftp://127.0.0.1:{}/", CodeScheme, true},
	{"gopher://127.0.0.1:{}/_GET%20/", CodeScheme, true},
	{"unix:///var/run/docker.sock", CodeScheme, true},
	{"data:video/mp4;base64,AAAA", CodeScheme, true},
	{"javascript:alert(1)", CodeScheme, true},
	{"concat:http://127.0.0.1:{}/|file:///etc/passwd", CodeScheme, true},
	{`http://example.com\@127.0.0.1:{}/`, noURL, true},
	{"http://127.0.0.%31:{}/", noURL, true},
	{"http://example.com:80:{}/", noURL, true},
	{"http://[127.0.0.1]:{}/", noURL, true},
	{"http://127.0.0.1\r\nHost: example.com/", noURL, true},
}

// names are what the resolver of these tests knows.
var names = map[string][]string{
	"localhost":         {"127.0.0.1"},
	"loopback.example":  {"127.0.0.1"},
	"loopback6.example": {"::1"},
	"mapped.example":    {"::ffff:127.0.0.1"},
	"home.example":      {"192.168.7.7"},
	"both.example":      {"127.0.0.1", "10.1.2.3"},
	"metadata.example":  {"169.254.169.254"},
}

func TestHostileURLs(t *testing.T) {
	t.Parallel()
	port, asked := canary(t, "127.0.0.1")
	dns := resolver(t, func(name string) []string { return names[name] })
	for _, policy := range []Policy{{resolver: dns}, {Private: true, resolver: dns}} {
		client := policy.Client()
		t.Cleanup(client.CloseIdleConnections)
		client.Transport.(checked).next.Proxy = nil // the test is about addresses
		for _, h := range hostile {
			if policy.Private && !h.always {
				continue
			}
			address := strings.ReplaceAll(h.url, "{}", port)
			if got := verdict(t, client, address); got != h.code {
				t.Errorf("private %v: %q: %s, want %s", policy.Private, address, got, h.code)
			}
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// verdict is the code with which a client refuses an address.
func verdict(t *testing.T, client *http.Client, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		return noURL
	}
	response, err := client.Do(request)
	if err == nil {
		response.Body.Close()
		return response.Status
	}
	e, ok := errors.AsType[*spool.Error](err)
	if !ok {
		return err.Error()
	}
	if e.Class != spool.Permanent || e.Hint == "" {
		t.Errorf("%s: %+v", address, e)
	}
	return e.Code
}

// TestNamesAreJudgedWhenDialled: a name that was allowed when it was looked up
// first is refused when it is looked up again.
func TestNamesAreJudgedWhenDialled(t *testing.T) {
	t.Parallel()
	first, welcome := canary(t, "127.0.0.2")
	var looked atomic.Int64
	policy := Policy{
		Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")},
		resolver: resolver(t, func(string) []string {
			if looked.Add(1) <= 2 { // its IPv4 and its IPv6 addresses
				return []string{"127.0.0.2"}
			}
			return []string{"127.0.0.1"}
		}),
	}
	client := policy.Client()
	client.Transport.(checked).next.DisableKeepAlives = true
	address := "http://rebound.example:" + first + "/"
	if got := verdict(t, client, address); got != "200 OK" {
		t.Errorf("the allowed address: %s", got)
	}
	if got := verdict(t, client, address); got != CodeAddress || welcome.Load() != 1 {
		t.Errorf("after the name has moved: %s", got)
	}
}

// TestPolicies: what is allowed is asked, and only that.
func TestPolicies(t *testing.T) {
	t.Parallel()
	port, _ := canary(t, "127.0.0.1")
	for _, c := range []struct {
		policy Policy
		host   string
		want   string
	}{
		{Policy{Private: true}, "127.0.0.1", "200 OK"},
		{Policy{Private: true}, "localhost", "200 OK"},
		{Policy{Private: true}, "0.0.0.0", "200 OK"},
		{Policy{Private: true}, "[::ffff:127.0.0.1]", "200 OK"},
		{Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, "127.0.0.1", "200 OK"},
		{Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, "[::ffff:127.0.0.1]", "200 OK"},
		{Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, "127.0.0.1", CodeAddress},
		{Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("::/0")}}, "127.0.0.1", CodeAddress},
	} {
		client := c.policy.Client()
		if got := verdict(t, client, "http://"+c.host+":"+port+"/"); got != c.want {
			t.Errorf("%+v: %s: %s, want %s", c.policy, c.host, got, c.want)
		}
		client.CloseIdleConnections()
	}
	for _, public := range []string{"93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822", "100.128.0.1"} {
		if err := (Policy{}).judge(public, netip.MustParseAddr(public)); err != nil {
			t.Errorf("%s: %v", public, err)
		}
	}
	for _, name := range []string{"example.com", "7.example", "0x.example", "nas2", "xn--bcher-kva.example", "1.2.3.4.example", "a.b1"} {
		if err := (Policy{}).Check(&url.URL{Scheme: "https", Host: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRedirectsAreJudged: an address that is allowed may not lead to one that
// is not, and takes no secret to another host.
func TestRedirectsAreJudged(t *testing.T) {
	t.Parallel()
	port, asked := canary(t, "127.0.0.1")
	var heard http.Header
	other := serve(t, "127.0.0.3", func(_ http.ResponseWriter, r *http.Request) { heard = r.Header.Clone() })
	first := serve(t, "127.0.0.2", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	client := Policy{
		Allowed:  []netip.Prefix{netip.MustParsePrefix("127.0.0.2/31")},
		resolver: resolver(t, func(name string) []string { return names[name] }),
	}.Client()
	t.Cleanup(client.CloseIdleConnections)
	for to, want := range map[string]string{
		"http://127.0.0.1:" + port + "/":                                CodeAddress,
		"//127.0.0.1:" + port + "/":                                     CodeAddress,
		"http://[::1]:" + port + "/":                                    CodeAddress,
		"http://localhost:" + port + "/":                                CodeAddress,
		"http://loopback.example:" + port + "/":                         CodeAddress,
		"http://2130706433:" + port + "/":                               CodeHost,
		"http://169.254.169.254/":                                       CodeAddress,
		"http://127.0.0.2:25/":                                          CodePort,
		"file:///etc/passwd":                                            CodeScheme,
		"gopher://127.0.0.1:" + port + "/_x":                            CodeScheme,
		first + "/?to=" + url.QueryEscape("http://127.0.0.1:"+port+"/"): CodeAddress,
		other + "/": "200 OK",
	} {
		if got := verdict(t, client, first+"/?to="+url.QueryEscape(to)); got != want {
			t.Errorf("a redirect to %s: %s, want %s", to, got, want)
		}
	}
	if asked.Load() > 0 {
		t.Error("the server was asked")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(first, "//", "//ada:secret@", 1)+"/?to="+url.QueryEscape(other+"/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"Cookie": {"a=secret"}, "X-Token": {"secret"}, "Range": {"bytes=0-1"}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if heard.Get("Range") != "bytes=0-1" || strings.Contains(fmt.Sprint(heard), "secret") {
		t.Errorf("the other host was told %v", heard)
	}
}

func TestRedirectsHaveAnEnd(t *testing.T) {
	t.Parallel()
	at := serve(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
	})
	client := Policy{Private: true}.Client()
	t.Cleanup(client.CloseIdleConnections)
	if got := verdict(t, client, at+"/"); got != "redirect-loop" {
		t.Error(got)
	}
}

// canary is a server that counts who asks it.
func canary(t *testing.T, address string) (port string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	at := serve(t, address, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	return at[strings.LastIndexByte(at, ':')+1:], asked
}

func serve(t *testing.T, address string, handle http.HandlerFunc) string {
	t.Helper()
	var listen net.ListenConfig
	l, err := listen.Listen(context.WithoutCancel(t.Context()), "tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handle)
	server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}
