package main

import (
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/natsserver"
)

// TestWrongQueues: a sentence each, without what is secret in the URL.
func TestWrongQueues(t *testing.T) {
	noPEM := filepath.Join(t.TempDir(), "no.pem")
	if err := os.WriteFile(noPEM, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ url, code, says string }{
		{"", queue.CodeURL, "names no engine"},
		{"localhost:4222", queue.CodeURL, "no queue that Spool knows"},
		{"memory:", queue.CodeURL, "begins with memory:"}, // it joins nobody
		{"postgres://u:hidden@127.0.0.1/db", queue.CodeURL, "begins with postgres:"},
		{"nats://", queue.CodeURL, "names no host"},
		{"nats://u:hid%zzden@127.0.0.1", queue.CodeURL, "cannot be read"},
		{"nats://broker.example:4222", "fleet-key-missing", "in clear"},
		{"tls://127.0.0.1:4222?ca=/nowhere.pem", queue.CodeTLS, "/nowhere.pem cannot be read"},
		{"tls://127.0.0.1:4222?ca=" + url.QueryEscape(noPEM), queue.CodeTLS, "holds no certificate"},
		{"tls://127.0.0.1:4222?cert=a.pem", queue.CodeTLS, "not a pair"},
	} {
		_, err := openQueue(t.Context(), test.url, queueOptions{})
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != test.code || !strings.Contains(e.Reason, test.says) || e.Hint == "" {
			t.Errorf("%q: %v, want %s with %q", test.url, err, test.code, test.says)
			continue
		}
		if strings.Contains(e.Reason+e.Hint+err.Error(), "hid") && !strings.Contains(test.says, "hid") {
			t.Errorf("%q: the password is shown: %v", test.url, err)
		}
		for scheme := range engines {
			if test.code == queue.CodeURL && !strings.Contains(e.Hint, scheme+"://") {
				t.Errorf("%q: the hint lacks %s: %s", test.url, scheme, e.Hint)
			}
		}
	}
}

// What the help of --queue names is what there is.
func TestQueuesInHelp(t *testing.T) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.Bind(flags, "queue")
	for scheme := range engines {
		if help := flags.Lookup("queue").Usage; !strings.Contains(help, scheme+"://") {
			t.Errorf("no %s in %q", scheme, help)
		}
	}
}

func TestWhatNeedsAFleetKey(t *testing.T) {
	for raw, want := range map[string]bool{
		"nats://127.0.0.1:4222": false, "nats://u:p@localhost": false, "tls://[::1]:4222": false,
		"nats://10.0.0.7:4222": true, "nats://broker:4222": true, "nats://localhost.example": true, "tls://[fe80::1]": true,
	} {
		if got := needsFleetKey(raw); got != want {
			t.Errorf("needsFleetKey(%s) = %v", raw, got)
		}
	}
}

// TestServesOwnQueue: a serve's queue, from its own process and from a worker
// that has nothing but the address and the fleet key.
func TestServesOwnQueue(t *testing.T) {
	fleet, other := fleetKey(t), fleetKey(t)
	server, err := natsserver.Start(t.Context(), natsserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Tokens: fleet.Tokens()})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close() //nolint:errcheck // the test is over
	here, err := openQueue(t.Context(), "", queueOptions{Server: server, Fleet: fleet})
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close() //nolint:errcheck // as above
	there, err := openQueue(t.Context(), server.URL(), queueOptions{Fleet: fleet, Worker: "w"})
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close() //nolint:errcheck // as above
	if err := here.Send(t.Context(), queue.WorkTopic("w"), []byte("job")); err != nil {
		t.Fatal(err)
	}
	d, err := there.Receive(t.Context(), queue.WorkTopic("w"))
	if err != nil || string(d.Body) != "job" {
		t.Fatalf("the worker received %q, %v", d.Body, err)
	}
	var e *spool.Error
	if _, err := openQueue(t.Context(), server.URL(), queueOptions{Fleet: other}); !errors.As(err, &e) || e.Code != queue.CodeRefused {
		t.Errorf("with another key: %v, want %s", err, queue.CodeRefused)
	}
}

// TestServesOwnQueueIsHeard: what the queue of a serve says stands in its log,
// here that it did not let somebody in.
func TestServesOwnQueueIsHeard(t *testing.T) {
	dir := t.TempDir()
	if err := keys.MakeFleet(filepath.Join(dir, "fleet.key")); err != nil {
		t.Fatal(err)
	}
	out := newLines()
	f, err := gather(t.Context(), config.Config{State: dir, Listen: "127.0.0.1:0", FleetKey: filepath.Join(dir, "fleet.key")}, newLog("json", slog.LevelInfo, out))
	if err != nil {
		t.Fatal(err)
	}
	var e *spool.Error
	if _, err := openQueue(t.Context(), f.server.URL(), queueOptions{Fleet: fleetKey(t)}); !errors.As(err, &e) || e.Code != queue.CodeRefused {
		t.Errorf("with another key: %v, want %s", err, queue.CodeRefused)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"event":"queue.server","says":"`) {
		t.Errorf("the log:\n%s", out.String())
	}
}

func fleetKey(t *testing.T) *keys.Fleet {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fleet.key")
	if err := keys.MakeFleet(path); err != nil {
		t.Fatal(err)
	}
	f, err := keys.OpenFleet(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestNothingClearInTheBroker looks for what was sent in all that the broker
// keeps on its disk.
func TestNothingClearInTheBroker(t *testing.T) {
	b := brokertest.Redis(t)
	const canary = "https://user:canary-5517@example.com/"
	for _, fleet := range []*keys.Fleet{fleetKey(t), nil} { // what is sent in clear stays there
		q, err := openQueue(t.Context(), "redis://"+b.Address, queueOptions{Fleet: fleet})
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Send(t.Context(), queue.ReportTopic, []byte(canary)); err != nil {
			t.Fatal(err)
		}
		found := false
		err = filepath.WalkDir(b.Dir, func(name string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(name)
			found = found || strings.Contains(string(content), canary)
			return err
		})
		if err != nil || found != (fleet == nil) {
			t.Errorf("with a key %v: found %v, %v", fleet != nil, found, err)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}
}
