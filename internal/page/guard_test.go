package page

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/guard"
)

// TestToolIsHeldToThePolicy: the program asks no host that it may not, however
// a page leads it there.
func TestToolIsHeldToThePolicy(t *testing.T) {
	installed(t)
	var asked atomic.Int64
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(secret.Close)
	s := newSite(t)
	var listen net.ListenConfig
	l, err := listen.Listen(context.WithoutCancel(t.Context()), "tcp", "127.0.0.2:0")
	if err != nil {
		t.Skipf("there is only one loopback address here: %v", err)
	}
	site := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, secret.URL+"/v.mp4", http.StatusFound)
		case "/list":
			w.Header().Set("Content-Type", "application/vnd.apple.mpegurl")
			fmt.Fprintf(w, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n%s/v.ts\n#EXT-X-ENDLIST\n", secret.URL)
		default:
			s.ServeHTTP(w, r)
		}
	}))
	site.Listener.Close()
	site.Listener = l
	site.Start()
	t.Cleanup(site.Close)
	tool := &Tool{Path: "yt-dlp", Guard: guard.Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}}}
	t.Cleanup(func() {
		if err := tool.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, _, err := tool.Download(t.Context(), site.URL+"/page", t.TempDir(), nil); err != nil {
		t.Errorf("a page that may be asked: %v", err)
	}
	for _, url := range []string{site.URL + "/away", site.URL + "/list", secret.URL + "/v", strings.Replace(secret.URL, "127.0.0.1", "localhost", 1) + "/v"} {
		if _, _, err := tool.Download(t.Context(), url, t.TempDir(), nil); err == nil {
			t.Errorf("%s was downloaded", url)
		} else {
			t.Log(url, "→", spool.AsError(err).Code+":", spool.AsError(err).Reason)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the other host was asked %d times", n)
	}
}
