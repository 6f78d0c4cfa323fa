package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/brokertest"
)

// What is secret: what makes a link work, and the user's cookies.
const (
	secretQuery  = "token=canary-8841"
	secretCookie = "canary-6102"
)

// members is a site that gives a film to who has the link.
func members(t *testing.T, film []byte) (link string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != secretQuery {
			http.Error(w, "members only", http.StatusForbidden)
			return
		}
		w.Header().Set("ETag", `"one"`)
		http.ServeContent(w, r, "film.mp4", time.Time{}, bytes.NewReader(film))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/film.mp4?" + secretQuery
}

// cookies writes a file of cookies, as browsers export them.
func (h *home) cookies(t *testing.T) string {
	t.Helper()
	name := h.path("cookies.txt")
	text := "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\t" + secretCookie + "\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// leaks are the files below a folder in which a secret lies in clear.
func leaks(t *testing.T, folder string, secrets ...string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(name string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(name)
		for _, secret := range secrets {
			if strings.Contains(string(content), secret) {
				found = append(found, secret+" in "+name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestFleetOverRedis: a serve without slots waits for an engine that is away;
// two workers take a link from a staging store, part by part; one of them is
// killed, and the engine too; what comes out is what one process makes, and
// the engine's disk tells nothing of where it came from.
func TestFleetOverRedis(t *testing.T) {
	t.Parallel()
	overBroker(t, brokertest.Redis(t, "--requirepass", "secret"), "redis://:secret@")
}

func overBroker(t *testing.T, b *brokertest.Broker, scheme string) {
	h := newHome(t)
	h.env = []string{"SPOOL_ENCRYPT=none", "SPOOL_ENCODES=1", "SPOOL_ALLOW_PRIVATE=true", "SPOOL_COOKIES=" + h.cookies(t)}
	list := h.publishAs(t, "film", members(t, padded(h.film(t), 9<<20)))
	h.do(t, exitReady, "run", list, "--to", "alone", "--state", "alone-state", "--work", "alone-work", "--staging", "alone-staging")

	h.do(t, exitReady, "keys", "fleet", "fleet.key")
	h.gate(t)
	joined := []string{"--queue", scheme + b.Address, "--staging", "shared", "--fleet-key", "fleet.key"}
	b.Kill(t)
	serve := h.start(t, append([]string{"serve", "--http", "127.0.0.1:0", "--slots", "none"}, joined...)...)
	serve.await(t, `waits: waiting for the \w+ server at `+b.Address)
	b.Start(t)
	serve.await(t, `it goes on`)
	workers := map[string]*child{}
	for _, name := range []string{"one", "two"} {
		workers[name] = h.start(t, append([]string{"worker", "--name", name, "--grace", "1m"}, joined...)...)
	}
	added := h.start(t, "add", "-f", list, "--wait")
	h.held(t, serve)
	h.until(t, serve, "both to be known", func() bool { return strings.Count(h.do(t, exitReady, "workers"), " disk free") == 2 })
	workers["one"].signal(t, syscall.SIGKILL)
	b.Kill(t)
	workers["two"].await(t, `waits: waiting for the \w+ server at `+b.Address)
	b.Start(t)
	h.open(t)
	added.end(t, exitReady)

	want, got := segments(t, h.path("alone")), segments(t, h.path("bucket"))
	if len(want) == 0 || strings.Join(want, "\n") != strings.Join(got, "\n") {
		t.Errorf("one process makes\n%s\na fleet\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
	if said := h.do(t, exitReady, "verify", "--all"); strings.Count(said, "good") != 1 {
		t.Errorf("verify:\n%s", said)
	}
	if left := parts(t, h.path("shared")); len(left) > 0 {
		t.Errorf("left in staging: %v", left)
	}
	if found := leaks(t, b.Dir, secretQuery, secretCookie); len(found) > 0 {
		t.Errorf("the engine holds in clear:\n%s", strings.Join(found, "\n"))
	}
	workers["two"].signal(t, syscall.SIGTERM)
	workers["two"].end(t, exitReady)
	serve.signal(t, syscall.SIGTERM)
	serve.end(t, exitReady)
}
