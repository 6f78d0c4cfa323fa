package main

import (
	"os"
	"strings"

	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/plaintext"
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

// folded breaks a text into lines of so many columns, between words. A word
// that is longer has a line of its own.
func folded(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && plaintext.Width(line)+1+plaintext.Width(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// toFlag are the flags by which a command finds this destination, with a blank
// before each; "" when it is found without.
func toFlag(cfg config.Config) string {
	flags := ""
	if cfg.Origin("to") != "default" {
		flags = " --to " + quoted(cfg.To)
	}
	if cfg.Origin("rclone-config") == "--rclone-config" {
		flags += " --rclone-config " + quoted(cfg.RcloneConfig)
	}
	return flags
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
