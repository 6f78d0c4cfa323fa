package main

import (
	"slices"
	"testing"
)

func TestQuoted(t *testing.T) {
	for word, want := range map[string]string{"/mnt/cdn-bucket": "/mnt/cdn-bucket", "a b": "'a b'", "": "''", "it's": `'it'\''s'`, "$HOME": "'$HOME'"} {
		if got := quoted(word); got != want {
			t.Errorf("quoted(%q) is %s, want %s", word, got, want)
		}
	}
}

func TestFolded(t *testing.T) {
	if got := folded("it breaks between words, and /never/within/a/path", 10); !slices.Equal(got, []string{"it breaks", "between", "words, and", "/never/within/a/path"}) {
		t.Errorf("%q", got)
	}
}
