package web

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
)

// TestHLSIsTheReleasedFile: what is vendored is what npm gives, to the byte.
func TestHLSIsTheReleasedFile(t *testing.T) {
	const released = "cfc70cc9e9fc63d071919e087670abc760c8fd1bc889b88588026e4d22193bbe" // dist/hls.min.js of hls.js@1.7.4
	body, err := fs.ReadFile(Files(), HLS)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	if got := hex.EncodeToString(sum[:]); got != released {
		t.Errorf("hls.js has sha256 %s, want %s", got, released)
	}
	if _, err := fs.Stat(Files(), "vendor/hls-LICENSE.txt"); err != nil {
		t.Error("hls.js without its licence:", err)
	}
}

// TestPageIsItsOwn: the page asks no other host, holds nothing that its policy
// forbids, and never takes a string for markup or code.
func TestPageIsItsOwn(t *testing.T) {
	forbidden := map[string]*regexp.Regexp{
		"another host":       regexp.MustCompile(`https?://`),
		"inline script":      regexp.MustCompile(`<script>|<script [^>]*></script>[^\n]*\S\(|\son[a-z]+=`),
		"inline style":       regexp.MustCompile(`<style|\sstyle=`),
		"markup of a string": regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser`),
		"code of a string":   regexp.MustCompile(`\beval\(|new Function`),
	}
	err := fs.WalkDir(Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(name, "vendor/") {
			return err
		}
		body, err := fs.ReadFile(Files(), name)
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(string(body), `xmlns="http://www.w3.org/2000/svg"`, "")
		for what, pattern := range forbidden {
			if path.Ext(name) == ".css" && what != "another host" {
				continue
			}
			if found := pattern.FindString(text); found != "" {
				t.Errorf("%s: %s: %q", name, what, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
