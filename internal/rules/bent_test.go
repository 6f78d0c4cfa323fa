package rules_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/rules"
	"github.com/spool-video/spool/internal/survey/m3u8"
)

// harmless are lines that may be missing, because they say what holds without
// them, and lines that may be there twice.
var harmless = map[string][]string{
	// Of several lists of key frames one is enough.
	"missing": {"#EXT-X-MEDIA-SEQUENCE:0", "#EXT-X-INDEPENDENT-SEGMENTS", "#EXT-X-VERSION", "#EXT-X-I-FRAME-STREAM-INF"},
	"twice":   {"#EXT-X-MAP", "#EXT-X-I-FRAME-STREAM-INF"},
}

// Whatever line of a playlist is missing or there twice is found.
func TestEveryLineCounts(t *testing.T) {
	t.Parallel()
	whole := rich(t)
	known := len(rules.Check(whole.survey(t, master, false)))
	bent := 0
	for _, name := range []string{master, large, sound, tricks, words} {
		lines := strings.SplitAfter(string(whole[name]), "\n")
		for i, line := range lines {
			doubled := line + line
			for how, instead := range map[string]string{"missing": "", "twice": doubled} {
				if line == "" || slices.ContainsFunc(harmless[how], func(h string) bool { return strings.HasPrefix(line, h) }) {
					continue
				}
				f := whole.clone()
				f[name] = []byte(strings.Join(lines[:i], "") + instead + strings.Join(lines[i+1:], ""))
				if !m3u8.Looks(f[name]) && name == master {
					continue
				}
				bent++
				if found := rules.Check(f.survey(t, master, false)); len(found) <= known {
					t.Errorf("%s: %s, %s: nothing is found", name, how, strings.TrimSpace(line))
				}
			}
		}
	}
	if bent < 100 {
		t.Errorf("only %d lines were bent", bent)
	}
}

// Wherever a segment or an init section is cut, and whichever two segments are
// swapped, it is found without decoding.
func TestCutsAndSwaps(t *testing.T) {
	t.Parallel()
	whole := rich(t)
	known := len(rules.Check(whole.survey(t, master, false)))
	found := func(what string, f files) {
		t.Helper()
		if n := len(rules.Check(f.survey(t, master, false))); n <= known {
			t.Errorf("%s: nothing is found", what)
		}
	}
	for _, list := range []string{large, sound} {
		for _, name := range []string{whole.segment(list, 1), whole.segment(list, -1), whole.init(list)} {
			for cut := range 16 {
				f := whole.clone()
				f.edit(name, func(b []byte) []byte { return b[:len(b)*cut/16] })
				found(fmt.Sprintf("%s cut at %d/16", name, cut), f)
			}
			f := whole.clone()
			f.edit(name, func(b []byte) []byte { return b[:len(b)-1] })
			found(name+" without its last byte", f)
		}
		for a := range 4 {
			for b := range a {
				f := whole.clone()
				swapped(segmentOf(list, a), segmentOf(list, b))(t, f)
				found(fmt.Sprintf("%s: segments %d and %d swapped", list, a, b), f)
			}
		}
	}
}

// Hostile headers make findings, no panic.
func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	whole := rich(t)
	for _, name := range []string{whole.segment(large, 1), whole.init(large), whole.init(sound), tricks, words, master} {
		header := len(whole[name])
		if at := bytes.Index(whole[name], []byte("mdat")); at > 0 {
			header = at + 8
		}
		for i := 0; i < header; i += 17 {
			for _, value := range []byte{0, 0xff} {
				f := whole.clone()
				f.edit(name, func(b []byte) []byte { b[i] = value; return b })
				if m3u8.Looks(f[master]) {
					rules.Check(f.survey(t, master, false))
				}
			}
		}
	}
}
