package hosttest

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/process"
)

// Swift starts OpenStack's Swift, all of it on one machine: an account, a
// container and an object server, the proxy before them, and memcached. It has
// one container, Bucket.
func Swift(tb testing.TB) map[string]string {
	tb.Helper()
	need(tb, "swift-proxy-server")
	me, err := user.Current()
	if err != nil {
		tb.Fatal(err)
	}
	s := swift{dir: tb.TempDir(), user: me.Username}
	s.write(tb, "swift.conf", "[swift-hash]\nswift_hash_path_suffix = spool\nswift_hash_path_prefix = film\n[storage-policy:0]\nname = one\ndefault = yes\n")
	cache := freePort(tb)
	start(tb, process.Command{Path: "memcached", Args: []string{"-l", "127.0.0.1", "-p", cache, "-u", s.user, "-m", "16"}, Dir: s.dir}, cache)
	for _, kind := range []string{"account", "container", "object"} {
		s.keep(tb, kind)
	}
	port := freePort(tb)
	s.write(tb, "proxy.conf", s.common(port)+`[pipeline:main]
pipeline = catch_errors cache tempauth dlo slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:`+cache+`
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:dlo]
use = egg:swift#dlo
[filter:slo]
use = egg:swift#slo
`)
	s.serve(tb, "proxy", port)
	address := "http://127.0.0.1:" + port + "/auth/v1.0"
	makeContainer(tb, address)
	return map[string]string{"type": "swift", "auth": address, "user": "test:tester", "key": "testing", "auth_version": "1"}
}

// swift is the folder of one of them.
type swift struct{ dir, user string }

func (s swift) write(tb testing.TB, name, text string) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// common begins the configuration of a server.
func (s swift) common(port string) string {
	return fmt.Sprintf("[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = %s\nworkers = 0\nuser = %s\nswift_dir = %s\ndevices = %s\nmount_check = false\nlog_address = %s\n",
		port, s.user, s.dir, s.dir, filepath.Join(s.dir, "no-log"))
}

// keep starts a server that keeps things of a kind, and makes its ring.
func (s swift) keep(tb testing.TB, kind string) {
	tb.Helper()
	port := freePort(tb)
	if err := os.MkdirAll(filepath.Join(s.dir, "d1"), 0o755); err != nil {
		tb.Fatal(err)
	}
	for _, args := range []string{"create 4 1 1", "add r1z1-127.0.0.1:" + port + "/d1 1", "rebalance"} {
		args := append([]string{kind + ".builder"}, strings.Fields(args)...)
		if _, err := process.Run(tb.Context(), process.Command{Path: "swift-ring-builder", Args: args, Dir: s.dir}); err != nil {
			tb.Fatal(err)
		}
	}
	s.write(tb, kind+".conf", s.common(port)+"[pipeline:main]\npipeline = "+kind+"-server\n[app:"+kind+"-server]\nuse = egg:swift#"+kind+"\n")
	s.serve(tb, kind, port)
}

func (s swift) serve(tb testing.TB, kind, port string) {
	tb.Helper()
	start(tb, process.Command{Path: "swift-" + kind + "-server", Args: []string{filepath.Join(s.dir, kind+".conf")}, Dir: s.dir}, port)
}

// makeContainer makes Bucket.
func makeContainer(tb testing.TB, auth string) {
	tb.Helper()
	ask := func(method, address string, header http.Header) http.Header {
		r, err := http.NewRequestWithContext(tb.Context(), method, address, nil)
		if err != nil {
			tb.Fatal(err)
		}
		r.Header = header
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext}}
		res, err := client.Do(r)
		if err != nil {
			tb.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode >= http.StatusMultipleChoices {
			tb.Fatalf("%s %s: %s", method, address, res.Status)
		}
		return res.Header
	}
	in := ask(http.MethodGet, auth, http.Header{"X-Auth-User": {"test:tester"}, "X-Auth-Key": {"testing"}})
	ask(http.MethodPut, in.Get("X-Storage-Url")+"/"+Bucket, http.Header{"X-Auth-Token": {in.Get("X-Auth-Token")}})
}
