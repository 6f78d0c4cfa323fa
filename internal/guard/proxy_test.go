package guard

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// TestProxy: what goes through it, in clear and by a tunnel, is what the policy
// allows.
func TestProxy(t *testing.T) {
	t.Parallel()
	port, asked := canary(t, "127.0.0.1")
	allowed := serve(t, "127.0.0.2", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello "+r.Header.Get("X-Name"))
	})
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	t.Cleanup(secure.Close)
	proxy := &Proxy{Policy: Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}}}
	both := &Proxy{Policy: Policy{Private: true}}
	for _, p := range []*Proxy{proxy, both} {
		t.Cleanup(func() {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, c := range []struct {
		through *Proxy
		url     string
		status  int // 0: the tunnel is refused
		body    string
	}{
		{proxy, allowed + "/", 200, "hello ada"},
		{proxy, "http://127.0.0.1:" + port + "/", 403, "127.0.0.1 is not on the public network"},
		{proxy, "http://169.254.169.254/", 403, "secrets"},
		{proxy, secure.URL, 0, "Forbidden"},
		{both, secure.URL, 200, "hello"},
	} {
		status, body := ask(t, c.through, c.url)
		if status != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s: %d %q, want %d %q", c.url, status, body, c.status, c.body)
		}
	}
	if asked.Load() > 0 {
		t.Error("the server was asked")
	}
}

// ask asks a URL through a proxy; an error has the status 0.
func ask(t *testing.T, through *Proxy, address string) (status int, body string) {
	t.Helper()
	at, err := through.URL()
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // it is the test's own server
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Name", "ada")
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return response.StatusCode, string(text)
}

// TestProxySpeaksHTTPOnly: no request becomes another protocol's connection.
func TestProxySpeaksHTTPOnly(t *testing.T) {
	t.Parallel()
	address := serve(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "other")
		w.WriteHeader(http.StatusSwitchingProtocols)
	})
	proxy := &Proxy{Policy: Policy{Private: true}}
	at, err := proxy.URL()
	if err != nil {
		t.Fatal(err)
	}
	through, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "other")
	transport := &http.Transport{Proxy: http.ProxyURL(through)}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("the answer is %s", response.Status)
	}
	if err := proxy.Close(); err != nil { // it waits for nothing
		t.Error(err)
	}
}

// TestProxyEndsTunnels: what somebody holds open does not keep Close waiting.
func TestProxyEndsTunnels(t *testing.T) {
	t.Parallel()
	wait := make(chan struct{})
	reached := make(chan struct{})
	secure := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(reached)
		select {
		case <-wait:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(secure.Close)
	defer close(wait)
	proxy := &Proxy{Policy: Policy{Private: true}}
	ended := make(chan string)
	go func() {
		_, text := ask(t, proxy, secure.URL)
		ended <- text
	}()
	<-reached
	if err := proxy.Close(); err != nil {
		t.Error(err)
	}
	if text := <-ended; text == "" {
		t.Error("an answer came")
	}
}
