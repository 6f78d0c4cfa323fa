package main

import (
	"os"
	"strings"

	"github.com/spool-video/spool/internal/config"
)

// quoted is a word as a POSIX shell takes it back, for commands that a person
// may copy.
func quoted(word string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=@%,./:"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// toFlag is the flag by which a command finds this destination, with a blank
// before it; "" when it is found without.
func toFlag(cfg config.Config) string {
	if cfg.Origin("to") == "default" {
		return ""
	}
	return " --to " + quoted(cfg.To)
}

// sameFile reports whether two writers end in one file, pipe or terminal.
func sameFile(a, b any) bool {
	f, ok := a.(*os.File)
	g, both := b.(*os.File)
	if !ok || !both {
		return false
	}
	first, err := f.Stat()
	if err != nil {
		return false
	}
	second, err := g.Stat()
	return err == nil && os.SameFile(first, second)
}
