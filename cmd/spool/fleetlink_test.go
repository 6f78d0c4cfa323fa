package main

import (
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// A worker is killed that downloads a link to its own disk, and encodes what
// has come: another one downloads it again, and makes only what is missing.
func TestFleetLosesADownload(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	site, body, gate := newLink(t), reel(t, "head"), make(chan struct{})
	source := site.put("/film.mp4", offer{body: body, tag: "1", rate: len(body), holt: int64(len(body) * 2 / 3), gate: gate})
	h.env = []string{"SPOOL_ENCRYPT=none", "SPOOL_ENCODES=1", "SPOOL_ALLOW_PRIVATE=true", "SPOOL_LOG_FORMAT=json"}
	serve := h.start(t, "serve", "--http", "127.0.0.1:0", "--slots", "none", "--listen", "127.0.0.1:0")
	serve.await(t, listens.String())
	hire := func(name string) *child {
		w := h.start(t, "worker", "--queue", listens.FindStringSubmatch(serve.said())[1], "--name", name)
		w.await(t, `works for nats`)
		return w
	}
	first := hire("one")
	added := h.start(t, "add", source, "--wait")
	serve.await(t, `chunk\.done`)
	first.signal(t, syscall.SIGKILL)
	<-first.ended
	if err := os.RemoveAll(h.one(t, "work", "*-worker-one")); err != nil { // its machine is gone, too
		t.Fatal(err)
	}
	hire("two")
	close(gate)
	added.end(t, exitReady)
	if said := h.do(t, exitReady, "verify", "--all"); strings.Count(said, "good") != 1 {
		t.Errorf("verify:\n%s", said)
	}
	said := serve.said()
	if n := len(regexp.MustCompile(`chunk\.done.*"chunk":0,`).FindAllString(said, -1)); n != 1 || strings.Contains(said, "source-gone") {
		t.Errorf("the first chunk was made %d times:\n%s", n, said)
	}
	if !regexp.MustCompile(`chunk\.done.*"worker":"two"`).MatchString(said) {
		t.Errorf("the other worker made nothing:\n%s", said)
	}
}
