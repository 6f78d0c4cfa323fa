package inbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
)

func TestParse(t *testing.T) {
	for body, want := range map[string]Request{
		`https://example.com/a.mp4`:         {Source: "https://example.com/a.mp4"},
		" https://example.com/a.mp4\r\n":    {Source: "https://example.com/a.mp4"},
		`"https://example.com/a.mp4"`:       {Source: "https://example.com/a.mp4"},
		"\ufeff" + `{"source":"a.mp4"}`:     {Source: "a.mp4"},
		`{"v":1,"source":"a","title":null}`: {Source: "a"},
		`{"source":"a","priority":-7}`:      {Source: "a", Priority: -7},
		`{"source":"a","id":"film","title":"Ünï","ladder":"classic","priority":3,"callback":"https://example.com/h?x=1","key":"order-42"}`: {
			Source: "a", ID: "film", Title: "Ünï", Ladder: "classic", Priority: 3, Callback: "https://example.com/h?x=1", Key: "order-42",
		},
	} {
		got, err := Parse([]byte(body))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", body, err, diff)
		}
	}
}

func TestBadMessages(t *testing.T) {
	for body, code := range map[string]string{
		"":                                     "message-empty",
		" \n\t":                                "message-empty",
		`""`:                                   "message-empty",
		"\xff\xfe\x00":                         "message-not-text",
		strings.Repeat("x", MaxBytes+1):        "message-too-big",
		strings.Repeat("x", maxText+1):         "value-too-long",
		"https://a.example\nhttps://b.example": "message-syntax",
		`"https://a.example`:                   "message-syntax",
		`{"source":"a"`:                        "message-syntax",
		`{"source":"a"} {"source":"b"}`:        "message-syntax",
		`{"source":["a"]}`:                     "value-not-text",
		`{"source":7}`:                         "value-not-text",
		`{}`:                                   "no-source",
		`{"source":" "}`:                       "no-source",
		`{"v":2,"source":"a"}`:                 "message-version",
		`{"v":"1","source":"a"}`:               "message-version",
		`{"source":"a","prio":1}`:              "unknown-key",
		`{"Source":"a"}`:                       "unknown-key",
		`{"source":"a","priority":1.5}`:        "bad-priority",
		`{"source":"a","priority":9999}`:       "bad-priority",
		`{"source":"a","callback":"ftp://x/"}`: "bad-callback",
		`{"source":"a","callback":"http:///"}`: "bad-callback",
		`{"source":"a","key":"\u0007"}`:        "bad-key",
		`{"source":"` + strings.Repeat("x", maxText+1) + `"}`: "value-too-long",
	} {
		_, err := Parse([]byte(body))
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != code || e.Class != spool.Permanent {
			t.Errorf("%.60q: %v, want %s", body, err, code)
		}
	}
}

// Whatever is sent, it is a request within the limits or an error that says
// why; and a request that is written as JSON is read as what it was.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"v":1,"source":"a","priority":3,"key":"k"}`, `"x"`, "https://a.example", "{", "\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Parse(body)
		var e *spool.Error
		switch {
		case err != nil && (!errors.As(err, &e) || e.Code == "" || e.Reason == "" || strings.ContainsAny(e.Reason, "\x00\x1b\n")):
			t.Fatalf("%q: %v", body, err)
		case err != nil:
			return
		case strings.TrimSpace(r.Source) == "" || len(r.Source) > maxText || len(r.Key) > maxKey:
			t.Fatalf("%q: %+v", body, r)
		}
		again, err := json.Marshal(map[string]any{
			"v": Version, "source": r.Source, "id": r.ID, "title": r.Title, "ladder": r.Ladder, "priority": r.Priority, "callback": r.Callback, "key": r.Key,
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > MaxBytes || bytes.Contains(again, []byte(`\ufffd`)) {
			return
		}
		if same, err := Parse(again); err != nil || same != r {
			t.Fatalf("%q: %+v, and %s: %+v (%v)", body, r, again, same, err)
		}
	})
}
