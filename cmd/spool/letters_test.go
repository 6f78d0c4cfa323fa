package main

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/brokertest"
)

// What any program pushes into the inbox is published; what cannot be read is
// kept with the reason, and holds up nobody.
func TestInbox(t *testing.T) {
	t.Parallel()
	needTools(t, "redis-cli")
	b := brokertest.Redis(t)
	h := newHome(t)
	_, port, _ := strings.Cut(b.Address, ":")
	push := func(messages ...string) {
		t.Helper()
		for _, m := range messages {
			cli := exec.CommandContext(t.Context(), "redis-cli", "-p", port, "-x", "LPUSH", "spool:inbox")
			cli.Stdin = strings.NewReader(m)
			if out, err := cli.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
	}
	film, err := json.Marshal(map[string]any{"v": 1, "source": h.clip, "key": "order-42", "title": "A film"})
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 5000)
	_, _ = rand.Read(noise) // never fails
	push(string(noise), `{"v": 1, "source": "`+strings.Repeat("x", 10<<20)+`"}`)
	push(`{"sauce": "x"}`, `{"source": "http://127.0.0.1/secret.mp4"}`, `{"source": "/etc/passwd"}`, string(film),
		`{"source": "`+h.clip+`", "callback": "http://127.0.0.1/hook"}`)
	serve := h.start(t, "serve", "--http", "127.0.0.1:0", "--queue", "redis://"+b.Address, "--allow-source", h.dir)
	serve.await(t, `key-[0-9a-f]{16}: ready`)
	push(string(film), h.clip+".none")
	h.until(t, serve, "seven refusals", func() bool {
		kept, _ := os.ReadFile(h.path("state", "inbox-refused.jsonl"))
		return strings.Count(string(kept), "\n") == 7
	})
	kept, err := os.ReadFile(h.path("state", "inbox-refused.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(kept)), "\n") {
		var r returned
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Reason == "" || r.Code == "" || r.Message == "" {
			t.Errorf("%s: %v", line, err)
		}
	}
	if !strings.Contains(string(kept), "did you mean source?") {
		t.Errorf("no hint in:\n%s", kept)
	}
	if said := h.do(t, exitReady, "ls"); strings.Count(said, "\n") != 1 {
		t.Errorf("ls:\n%s", said)
	}
	serve.signal(t, os.Interrupt)
	serve.end(t, exitReady)
}
