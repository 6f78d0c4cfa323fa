package spool_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/spool-video/spool"
)

func TestRemotePaths(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"nas:films":             "nas:films",
		"nas:/volume1/films/":   "nas:/volume1/films",
		"s3:b/a b/ünï.mp4":      "s3:b/a b/ünï.mp4",
		"my-s3_2:b//x/./y":      "my-s3_2:b/x/y",
		"nas:a:b":               "nas:a:b",
		"nas:dir/-dash/..x/x..": "nas:dir/-dash/..x/x..",
	} {
		got, err := spool.ParseRemotePath(text)
		if err != nil || got.String() != want || !spool.IsRemotePath(text) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

// The first of these are an attacker's, who gives sources or destinations.
func TestHostileRemotePaths(t *testing.T) {
	t.Parallel()
	for text, code := range map[string]string{
		`:local:/etc/passwd`:            "connection-string",
		`:sftp,ssh="touch tmp/pwned":x`: "connection-string",
		`:webdav,url='http://127.0.0.1:9/',bearer_token_command='touch tmp/pwned':`: "connection-string",
		`remote:../../x`:                   "bad-remote-path",
		`-vv`:                              "bad-remote-path",
		`remote:--config=/x`:               "bad-remote-path",
		`-vv:x`:                            "bad-remote-path",
		`nas,ssh=x:y`:                      "connection-string",
		`nas{abc}:y`:                       "bad-remote-path",
		"nas:a\nb":                         "bad-remote-path",
		`nas:a\b`:                          "bad-remote-path",
		"nas:\xff":                         "bad-remote-path",
		`nas:`:                             "bad-remote-path",
		`nas:/`:                            "bad-remote-path",
		`nas:.`:                            "bad-remote-path",
		`na s:x`:                           "bad-remote-path",
		strings.Repeat("n", 65) + ":x":     "bad-remote-path",
		"nas:" + strings.Repeat("n", 1021): "bad-remote-path",
	} {
		_, err := spool.ParseRemotePath(text)
		var e *spool.Error
		if !errors.As(err, &e) || e.Class != spool.Permanent || e.Code != code || e.Hint == "" {
			t.Errorf("%q: %v; want %s", text, err, code)
		}
	}
	for _, text := range []string{"https://a.example/x", "./a:b", "/a:b", "film.mp4", "s3://bucket/x"} {
		if spool.IsRemotePath(text) {
			t.Errorf("%q is taken for a remote path", text)
		}
	}
}
