package verify

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/store"
)

// task is some segments that are to be read, and what was found in them.
type task struct {
	rendition Rendition
	numbers   []int
	report    Report
}

// What is decoded by one process: to start one costs as much as to decode some
// segments.
const (
	mostTogether  = 10
	bytesTogether = 16 << 20
)

// chosen gives the segments of a rendition that are to be read: all, or the
// one that the seed chooses.
func (c *checker) chosen(r Rendition) []task {
	list := c.lists[r.Name]
	if !list.ok || len(r.Segments) == 0 {
		return nil // it was reported; there is nothing to hold segments against
	}
	if list.media.Segments[0].Key != nil && c.o.Keys == nil {
		c.add(Finding{Object: r.Playlist.Name, Rule: "key", Level: Warning, Text: "without keys, segments are compared by their hash alone"})
	}
	if !c.o.Deep {
		return []task{{rendition: r, numbers: []int{c.sample(r)}}}
	}
	var tasks []task
	var size int64
	for i, s := range r.Segments {
		last := len(tasks) - 1
		if size += s.Size; last < 0 || len(tasks[last].numbers) == mostTogether || size > bytesTogether {
			tasks = append(tasks, task{rendition: r})
			last, size = last+1, s.Size
		}
		tasks[last].numbers = append(tasks[last].numbers, i)
	}
	return tasks
}

// segments reads the chosen segments of all renditions, and decodes as many at
// a time as there are cores. Findings come in the order of the segments.
func (c *checker) segments(ctx context.Context) error {
	var tasks []task
	for _, r := range slices.Concat(c.manifest.Renditions, c.manifest.Subtitles) {
		tasks = append(tasks, c.chosen(r)...)
	}
	atOnce := readers
	if c.o.Deep {
		atOnce = runtime.NumCPU() // each holds many segments
	}
	err := c.several(ctx, len(tasks), atOnce, func(ctx context.Context, i int) error {
		t := &tasks[i]
		one := *c // what a segment needs of it is only read from here on
		one.report = Report{}
		err := one.stretch(ctx, t.rendition, t.numbers)
		t.report = one.report
		return err
	})
	if err != nil {
		return err
	}
	for _, t := range tasks {
		c.report.Findings = append(c.report.Findings, t.report.Findings...)
		c.report.Decoded += t.report.Decoded
	}
	return nil
}

// sample chooses a segment of a rendition by the seed.
func (c *checker) sample(r Rendition) int {
	h := fnv.New64a()
	h.Write([]byte(r.Name))
	return rand.New(rand.NewPCG(c.o.Seed, h.Sum64())).IntN(len(r.Segments))
}

// segment reads a segment and holds it against the manifest. It gives what is
// to be decoded: the clear segment, or nil when something was found.
func (c *checker) segment(ctx context.Context, r Rendition, number int) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s := r.Segments[number]
	if _, there := c.sizes[s.Name]; !there {
		return nil, nil // it was reported as missing
	}
	content, err := c.read(ctx, s.Name, min(max(s.Size, 0), maxText))
	if errors.Is(err, store.ErrNotFound) {
		c.fail(s.Name, "missing", "the object is not there", "", "")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	whole := c.hash(s.Object, content)
	stills, err := c.readStills(ctx, s)
	if err != nil {
		return nil, err
	}
	plain := c.decrypt(r, number, content)
	if plain == nil {
		return nil, nil
	}
	if sum := Sum(plain); sum != s.Plain {
		if whole {
			c.fail(s.Name, "key", "the key does not give back what was encrypted", s.Plain, sum)
		}
		return nil, nil
	}
	if r.Text {
		c.cues(r, number, plain)
		return nil, nil
	}
	if c.manifest.Settings.Container == spool.TS {
		if !c.inspectTransport(r, number, plain) {
			return nil, nil
		}
		return plain, nil
	}
	init := c.texts[r.Init.Name]
	if init == nil || Sum(init) != r.Init.SHA256 {
		return nil, nil // it was reported
	}
	if !c.inspect(r, number, init, plain) {
		return nil, nil
	}
	if err := c.stills(r, number, plain, stills); err != nil {
		return nil, err
	}
	return plain, nil
}

// decrypt gives the clear segment; nil when it cannot, which is reported.
func (c *checker) decrypt(r Rendition, number int, content []byte) []byte {
	media := c.lists[r.Name].media
	return c.open(r.Segments[number].Name, media, number, content)
}

// open decrypts an entry of a playlist; nil when it cannot, which is reported.
func (c *checker) open(name string, media hls.Media, number int, content []byte) []byte {
	key := media.Segments[number].Key
	if key == nil {
		return content
	}
	if c.o.Keys == nil {
		return nil
	}
	secret, err := c.o.Keys(key.URI)
	if err != nil {
		c.fail(name, "key", "its key cannot be had: "+spool.AsError(err).Reason, key.URI, "")
		return nil
	}
	var iv [16]byte
	if key.IV != nil {
		iv = *key.IV
	} else {
		binary.BigEndian.PutUint64(iv[8:], uint64(media.Sequence+number))
	}
	plain, err := keys.Decrypt(secret, iv, content)
	if err != nil {
		c.fail(name, "100", "it does not decrypt: "+err.Error(), "", "")
		return nil
	}
	return plain
}

// inspect holds a clear segment against the grid.
func (c *checker) inspect(r Rendition, number int, init, plain []byte) bool {
	s := r.Segments[number]
	info, err := cmaf.Inspect(init, plain)
	if err != nil {
		c.fail(s.Name, "41", "it is not fragmented MP4: "+err.Error(), "", "")
		return false
	}
	before, units := expected(r.Segments, number)
	timescale, unit := r.SampleRate, packetSamples
	if !r.Sound() {
		if timescale, unit, err = cmaf.Timescale(c.manifest.Timeline.Rate); err != nil {
			c.fail(s.Name, "plan", "the frame rate cannot be: "+err.Error(), "", "")
			return false
		}
	}
	checks := []numbers{
		{"32", "timescale", int64(timescale), int64(info.Track.Timescale)},
		{"32", "decode time", before * int64(unit), int64(info.Decode)},
		{"32", "duration in ticks", units * int64(unit), int64(info.Duration)},
		{"plan", "number of samples", units, int64(info.Samples)},
	}
	if !r.Sound() {
		checks = append(checks, c.pictures(r, number, info, int64(unit))...)
	}
	ok := c.agree(s.Name, checks)
	if !r.Sound() && (!info.IDR || len(info.Sync) == 0 || info.Sync[0] != 0) {
		c.fail(s.Name, "30", "it does not start with an IDR picture", "", "")
		ok = false
	}
	if priming := c.manifest.GridOf(r).PrimingSamples; r.Sound() && info.Track.Priming != int64(priming) {
		c.fail(r.Init.Name, "48", "the edit list does not cut the priming", fmt.Sprint(priming), fmt.Sprint(info.Track.Priming))
		ok = false
	}
	return ok
}

// numbers are two that have to be the same.
type numbers struct {
	rule, what    string
	declared, got int64
}

// agree reports which of some numbers are not the same.
func (c *checker) agree(name string, checks []numbers) bool {
	ok := true
	for _, n := range checks {
		if n.declared != n.got {
			c.fail(name, n.rule, n.what+" is not the planned one", fmt.Sprint(n.declared), fmt.Sprint(n.got))
			ok = false
		}
	}
	return ok
}

// pictures gives what only segments of pictures have to agree on: the time
// that they show, their key frames and, when they were encoded for the grid,
// where these stand.
func (c *checker) pictures(r Rendition, number int, info cmaf.SegmentInfo, frame int64) []numbers {
	before, units := expected(r.Segments, number)
	checks := []numbers{
		{"31", "number of key frames", int64(r.Segments[number].KeyFrames), int64(len(info.Sync))},
		{"16", "time of the first picture", before * frame, info.Start},
		{"16", "end of the last picture", (before + units) * frame, info.End},
	}
	if r.Copied {
		return checks
	}
	for i, at := range info.Sync {
		checks = append(checks, numbers{"31", "place of a key frame", int64(i) * int64(c.manifest.Grid.GOP), int64(at)})
	}
	return checks
}
