package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// order is one call of spool run.
type order struct {
	name     string // of its folder in scratch: state, work and what is published
	sources  []string
	preset   string
	progress string   // "none" when ""
	flags    []string // more of them, in pairs
}

func (b *bench) home(o order) string { return filepath.Join(b.dir, o.name) }

// published is the folder of one of the order's videos, which are numbered.
func (b *bench) published(o order, video int) string {
	return filepath.Join(b.home(o), "to", videoID(video))
}

func videoID(number int) string { return fmt.Sprintf("video-%d", number) }

// arguments writes the order's list and gives what spool is called with.
func (b *bench) arguments(o order) ([]string, error) {
	home := b.home(o)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	var list strings.Builder
	for i, source := range o.sources {
		fmt.Fprintf(&list, "%s id=%s\n", source, videoID(i))
	}
	path := filepath.Join(home, "list.txt")
	if err := os.WriteFile(path, []byte(list.String()), 0o600); err != nil {
		return nil, err
	}
	progress := "none"
	if o.progress != "" {
		progress = o.progress
	}
	args := []string{
		"run", "-f", path, "--to", filepath.Join(home, "to"), "--state", filepath.Join(home, "state"), "--work", filepath.Join(home, "work"),
		"--preset", o.preset, "--encrypt", "none", "--progress", progress,
	}
	args = append(args, o.flags...)
	return append(args, strings.Fields(b.extra)...), nil
}

// runSpool carries an order out and checks that all of it was published.
func (b *bench) runSpool(ctx context.Context, o order) (spent, error) {
	args, err := b.arguments(o)
	if err != nil {
		return spent{}, err
	}
	used, err := b.call(ctx, b.spool, args...)
	if err != nil {
		return spent{}, err
	}
	return used, b.complete(o)
}

// complete checks that all videos of an order are published.
func (b *bench) complete(o order) error {
	for i := range o.sources {
		if _, err := os.Stat(filepath.Join(b.published(o, i), "master.m3u8")); err != nil {
			return fmt.Errorf("spool run: not all %d videos were published: %w", len(o.sources), err)
		}
	}
	return nil
}

// runOnce carries an order out and removes what it left.
func (b *bench) runOnce(ctx context.Context, o order) (spent, error) {
	used, err := b.runSpool(ctx, o)
	if err != nil {
		return spent{}, err
	}
	return used, os.RemoveAll(b.home(o))
}
