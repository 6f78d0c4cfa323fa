package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spool-video/spool/internal/hls"
)

// viewer looks at a destination every few milliseconds, as players do, and
// holds that its lists are what they promise to be.
type viewer struct {
	bucket, keys string // folders; keys "" = the lists are clear
	done         chan struct{}
	ended        chan struct{}

	// What follows is the viewer's own until it has stopped.
	errs    []error
	lists   map[string]*growing // by name in the bucket
	seen    map[string]string   // of masters, as follow keeps it
	offered map[string]time.Time
	ready   map[string]time.Time // when the master was seen first
}

// growing is a list as it was seen last.
type growing struct {
	hls.Media
	changed time.Time
	longest time.Duration // that it stood unchanged although it had not ended
	grew    int           // how often
}

// look begins to look at a destination.
func look(bucket, keys string) *viewer {
	v := &viewer{
		bucket: bucket, keys: keys, done: make(chan struct{}), ended: make(chan struct{}),
		lists: map[string]*growing{}, seen: map[string]string{}, offered: map[string]time.Time{}, ready: map[string]time.Time{},
	}
	go v.run()
	return v
}

// stop ends the look.
func (v *viewer) stop() {
	close(v.done)
	<-v.ended
}

func (v *viewer) run() {
	defer close(v.ended)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		v.once()
		select {
		case <-v.done:
			v.once()
			return
		case <-tick.C:
		}
	}
}

func (v *viewer) once() {
	v.each("*/early.m3u8", v.early)
	v.each("*/live-*/*.m3u8", v.live)
	v.each("*/master.m3u8", func(name string, _ []byte) error {
		if _, known := v.ready[name]; !known {
			v.ready[name] = time.Now()
		}
		return follow(filepath.Join(v.bucket, name), v.seen)
	})
}

// each gives the files that match a pattern; those that go meanwhile are gone,
// and so is what they name when the whole bucket goes.
func (v *viewer) each(pattern string, do func(name string, text []byte) error) {
	found, _ := filepath.Glob(filepath.Join(v.bucket, pattern))
	for _, file := range found {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		name, _ := filepath.Rel(v.bucket, file)
		if err == nil {
			err = do(name, text)
		}
		if _, away := os.Stat(v.bucket); away != nil {
			return
		}
		if err != nil && len(v.errs) < 20 {
			v.errs = append(v.errs, fmt.Errorf("%s: %w", name, err))
		}
	}
}

// early holds that all lists that are offered are there.
func (v *viewer) early(name string, text []byte) error {
	if _, known := v.offered[name]; !known {
		v.offered[name] = time.Now()
	}
	for line := range bytes.Lines(text) {
		at, _, found := strings.Cut(string(line), ".m3u8")
		if i := strings.LastIndexAny(at, "\"\n"); found {
			list := path.Join(path.Dir(name), at[i+1:]+".m3u8")
			if _, err := os.Stat(filepath.Join(v.bucket, list)); err != nil {
				return err
			}
		}
	}
	return nil
}

// live holds a list that grows against what it was.
func (v *viewer) live(name string, text []byte) error {
	now := time.Now()
	m, err := hls.ParseMedia(text)
	if err != nil {
		return err
	}
	g := v.lists[name]
	if g == nil {
		g = &growing{Media: hls.Media{Target: m.Target, Map: m.Map}, changed: now}
		v.lists[name] = g
		if err := arrive(v.beside(name, m.Map), nil); err != nil {
			return err
		}
	}
	if !g.Ended {
		g.longest = max(g.longest, now.Sub(g.changed))
	}
	switch was := len(g.Segments); {
	case m.Target != g.Target || m.Map != g.Map || !m.Event || m.Sequence != 0:
		return fmt.Errorf("it has become another list:\n%s", text)
	case g.Ended && !m.Ended, len(m.Segments) < was:
		return fmt.Errorf("it has shrunk from %d segments, ended %v:\n%s", was, g.Ended, text)
	case len(m.Segments) == was && m.Ended == g.Ended:
		return nil
	}
	return v.grown(name, g, m, now)
}

func (v *viewer) grown(name string, g *growing, m hls.Media, now time.Time) error {
	for i, s := range m.Segments {
		if i < len(g.Segments) {
			if was := g.Segments[i]; was.URI != s.URI || was.Duration != s.Duration {
				return fmt.Errorf("segment %d was %v and is %v", i, was, s)
			}
			continue
		}
		if s.Duration.Round(time.Second) > time.Duration(m.Target)*time.Second {
			return fmt.Errorf("segment %d is longer than the target: %s", i, s.Duration)
		}
		if err := v.key(name, s); err != nil {
			return err
		}
		if err := arrive(v.beside(name, s.URI), nil); err != nil {
			return err
		}
	}
	g.Media, g.changed = m, now
	g.grew++
	return nil
}

// key holds that the key of a segment was exported before.
func (v *viewer) key(name string, s hls.Segment) error {
	if v.keys == "" || s.Key == nil {
		if (v.keys == "") != (s.Key == nil) {
			return fmt.Errorf("keys in %q, and a segment with key %v", v.keys, s.Key)
		}
		return nil
	}
	video, _, _ := strings.Cut(filepath.ToSlash(name), "/")
	key, err := os.ReadFile(filepath.Join(v.keys, video, path.Base(s.Key.URI)))
	if err == nil && len(key) != 16 {
		err = fmt.Errorf("a key of %d bytes", len(key))
	}
	return err
}

func (v *viewer) beside(list, uri string) string {
	return filepath.Join(v.bucket, filepath.Dir(list), filepath.FromSlash(uri))
}
