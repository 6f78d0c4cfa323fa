package rules_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spool-video/spool/internal/rules"
	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/m3u8"
)

// changing is a package that is another one after some time.
type changing struct {
	first, then files
	from        time.Time
}

func (c changing) Read(ctx context.Context, at *url.URL, part *m3u8.Range, most int64) ([]byte, survey.File, error) {
	if time.Now().Before(c.from) {
		return c.first.Read(ctx, at, part, most)
	}
	return c.then.Read(ctx, at, part, most)
}

// after is what a playlist says when it is read the second time.
type after struct {
	name, want string
	patience   time.Duration
	change     func(string) string
}

// head begins playlists of segments of two seconds.
const head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"

// What is promised of the time that a package is on the net: faults and what is
// as it should be, in lists of each kind.
func TestSecondLook(t *testing.T) {
	whole := muxed(t, clip, h264+aac+toHLS+"{}/index.m3u8")
	text := string(whole["index.m3u8"])
	entries := text[strings.Index(text, "#EXTINF"):strings.Index(text, "#EXT-X-ENDLIST")]
	last := strings.LastIndex(entries, "#EXTINF")
	first := strings.Index(entries[1:], "#EXTINF") + 1
	const vod, event, window = head + "#EXT-X-PLAYLIST-TYPE:VOD\n", head + "#EXT-X-PLAYLIST-TYPE:EVENT\n", head + "#EXT-X-MEDIA-SEQUENCE:"
	const end, late, soon = "#EXT-X-ENDLIST\n", 10 * time.Second, time.Second
	replaced := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	same := func(s string) string { return s }
	for begun, tests := range map[string][]after{
		vod + entries + end: {
			{"complete, and the same", "", late, same},
			{"complete, of another session", "", late, replaced("index0.ts", "index0.ts?token=2")},
			{"complete, with another target", "M10", late, replaced("DURATION:2", "DURATION:3")},
			{"complete, and another type", "M17", late, replaced("VOD", "EVENT")},
			{"complete, with one segment less", "M17", late, replaced(entries[last:], "")},
			{"complete, with one segment more", "M17", late, replaced(end, entries[last:]+end)},
			{"complete, with another segment", "M17", late, replaced("index0.ts", "index9.ts")},
			{"complete, and open again", "M17", late, replaced(end, "")},
		},
		event + entries[:last]: {
			{"an event that grows", "", late, replaced(event+entries[:last], event+entries)},
			{"an event that ends", "", late, replaced(entries[:last], entries[:last]+end)},
			{"an event that stands still", "M23", late, same},
			{"an event that was not waited for", "", soon, same},
			{"an event that loses its start", "M17", late, func(string) string { return event + "#EXT-X-MEDIA-SEQUENCE:1\n" + entries[first:] }},
			{"an event that loses its end", "M17", late, func(string) string { return event + entries[:first] + end }},
			{"an event with another target", "M10", late, func(string) string { return replaced("DURATION:2", "DURATION:4")(event + entries) }},
			{"an event with another past", "M17", late, func(string) string { return event + replaced("index0.ts", "other.ts")(entries) }},
		},
		window + "3\n" + entries[:last]: {
			{"a window that moves", "", late, func(string) string { return window + "4\n" + entries[first:] }},
			{"a window that has moved wrongly", "M17", late, func(string) string { return window + "4\n" + entries }},
			{"a window that goes back", "M17", late, func(string) string { return window + "2\n" + entries + entries[first:] }},
			{"a window that loses its end", "M17", late, func(string) string { return window + "3\n" + entries[:first] + end }},
		},
	} {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f, then := whole.clone(), whole.clone()
					f["index.m3u8"], then["index.m3u8"] = []byte(begun), []byte(test.change(begun))
					source := changing{f, then, time.Now().Add(time.Nanosecond)}
					test.judge(t, source, names(rules.Check(f.survey(t, "index.m3u8", false))))
				})
			})
		}
	}
}

// judge looks twice, and compares with what is found by looking once.
func (a after) judge(t *testing.T, source changing, known []string) {
	p, err := survey.Read(t.Context(), slow{source}, "index.m3u8", survey.Options{Patience: a.patience})
	if err != nil {
		t.Fatal(err)
	}
	var more []string
	for _, name := range names(rules.Check(p)) {
		if !slices.Contains(known, name) {
			more = append(more, name)
		}
	}
	if got := strings.Join(more, " "); got != a.want {
		t.Errorf("found %q, want %q: %v", got, a.want, rules.Check(p))
	}
	if told := len(p.Unchecked) > 0; told != (a.patience < 3*time.Second) {
		t.Errorf("not checked: %q", p.Unchecked)
	}
}

// slow takes a moment for each file, so that the second look comes later.
type slow struct{ changing }

func (s slow) Read(ctx context.Context, at *url.URL, part *m3u8.Range, most int64) ([]byte, survey.File, error) {
	b, f, err := s.changing.Read(ctx, at, part, most)
	timer := time.NewTimer(time.Millisecond)
	<-timer.C
	return b, f, err
}
