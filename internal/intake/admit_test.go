package intake

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/spool-video/spool"
)

// What is not trusted names links, and what lies below the places that are
// allowed: whatever way a path is written, and wherever a symbolic link leads.
func TestAdmit(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"in/one.mp4", "in/deep/two.mp4", "inside/three.mp4", "secret.mp4"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"in/link.mp4": "../secret.mp4", "in/folder": "..", "door": "in"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	a := Admission{Places: []string{filepath.Join(dir, "door"), "nas:films/", "open:"}, Link: func(u *url.URL) error {
		if u.Hostname() == "10.0.0.1" {
			return &spool.Error{Class: spool.Permanent, Code: "address-refused"}
		}
		return nil
	}}
	for source, want := range map[string]string{
		"https://example.com/a.mp4":    "",
		"HTTP://example.com/a":         "",
		"http://10.0.0.1/a.mp4":        "address-refused",
		"file:///etc/passwd":           "source-scheme",
		"rtmp://example.com/a":         "source-scheme",
		dir + "/in/one.mp4":            "",
		dir + "/door/deep/two.mp4":     "",
		dir + "/in":                    "",
		dir + "/in/link.mp4":           "source-not-allowed",
		dir + "/in/folder/secret.mp4":  "source-not-allowed",
		dir + "/in/../secret.mp4":      "source-not-allowed",
		dir + "/inside/three.mp4":      "source-not-allowed",
		dir + "/door/nowhere.mp4":      "source-missing",
		"/nowhere/at/all.mp4":          "source-not-allowed",
		"in/one.mp4":                   "source-relative",
		"nas:films/one.mp4":            "",
		"nas:films":                    "",
		"nas:filmsandmore/one.mp4":     "source-not-allowed",
		"nas:other/one.mp4":            "source-not-allowed",
		"nas:films/../other/one.mp4":   "bad-remote-path",
		"open:anything/one.mp4":        "",
		":s3,access_key_id=x:films":    "connection-string",
		"-exec.mp4":                    "source-dash",
		"":                             "no-source",
		"https://example.com/\x00.mp4": "source-control",
	} {
		got, err := a.Admit(source)
		code := ""
		if err != nil {
			code = spool.AsError(err).Code
		}
		if code != want || code == "" && got == "" {
			t.Errorf("%q: %s (%v), want %q", source, code, err, want)
		}
	}
	if _, err := (Admission{}).Admit(dir + "/in/one.mp4"); spool.AsError(err) == nil {
		t.Error("without places, a file is admitted")
	}
}
