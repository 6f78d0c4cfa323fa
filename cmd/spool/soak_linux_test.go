//go:build soak

package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// Two sources go at a time through a scratch that each of them alone would
// take up.
func TestSoakTwoSourcesShareNarrowScratch(t *testing.T) {
	t.Parallel()
	body := bulky(t)
	h, site := newHome(t), newLink(t)
	const limit = 42_000_000
	list := h.path("both.txt")
	text := ""
	for _, id := range []string{"one", "two"} {
		text += site.put("/"+id+".mp4", offer{body: body, tag: id}) + " id=" + id + "\n"
	}
	if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g := measure(h.path("work"))
	said := h.do(t, exitReady, append([]string{"run", list, "--downloads", "2", "--scratch-limit", strconv.Itoa(limit)}, narrowly...)...)
	if most := g.end(); most > limit {
		t.Errorf("scratch took %d bytes of %d", most, limit)
	}
	if !strings.Contains(said, "waiting for room in scratch") {
		t.Errorf("nobody is told what is waited for:\n%s", said)
	}
	for _, id := range []string{"one", "two"} {
		if n := site.served("/" + id + ".mp4"); n > int64(len(body))*1001/1000 {
			t.Errorf("%s: %d bytes were sent of %d", id, n, len(body))
		}
	}
	h.good(t, 2)
	h.alike(t, "one", "two")
}
