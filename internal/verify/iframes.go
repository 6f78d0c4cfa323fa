package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/wrap"
)

// Stills gives how long each I-frame of a rendition is shown, in frames: to the
// next one, or to the end. It reports false when not every key frame can be had
// by itself, and for sound.
func (r Rendition) Stills() (lengths []int64, ok bool) {
	at, last := 0, 0
	for _, s := range r.Segments {
		if len(s.IFrames) != s.KeyFrames || len(s.IFrames) == 0 || s.IFrames[0].Frame != 0 {
			return nil, false
		}
		for _, i := range s.IFrames {
			if start := at + i.Frame; start > 0 {
				lengths, last = append(lengths, int64(start-last)), start
			}
		}
		at += s.Units
	}
	return append(lengths, int64(at-last)), at > 0
}

// StillWeights are the I-frames of a rendition as far as rates go; m is their
// playlist.
func (r Rendition) StillWeights(m hls.Media) []hls.Weight {
	var weights []hls.Weight
	for _, s := range r.Segments {
		for _, i := range s.IFrames {
			w := hls.Weight{Bytes: i.Size, Duration: m.Segments[len(weights)].Duration}
			if i.Object != nil {
				w.Bytes = i.Object.Size
			}
			weights = append(weights, w)
		}
	}
	return weights
}

// iframes checks an I-frame playlist against the manifest.
func (c *checker) iframes(r Rendition) {
	if r.IFrames == nil {
		return
	}
	name := r.IFrames.Name
	text := c.texts[name]
	if text == nil {
		return
	}
	m, err := hls.ParseMedia(text)
	if err != nil {
		c.syntax(name, err)
		return
	}
	if !m.IFrames || !m.VOD || !m.Ended {
		c.fail(name, "80", "the playlist is not a finished VOD of I-frames", "", "")
		return
	}
	c.mapped(name, m.Map, r)
	lengths, ok := r.Stills()
	if !ok || len(lengths) != len(m.Segments) {
		c.fail(name, "80", "there are not as many I-frames as key frames", fmt.Sprint(len(m.Segments)), fmt.Sprint(len(lengths)))
		return
	}
	c.looks[r.Name] = m
	n := 0
	for number, s := range r.Segments {
		for _, i := range s.IFrames {
			c.entry(name, m.Segments[n], s, i)
			c.keyed(name, number, m.Segments[n])
			n++
		}
	}
	c.shown(name, m, lengths)
}

// entry checks that an I-frame is where the manifest says.
func (c *checker) entry(playlist string, got hls.Segment, s Segment, i spool.IFrame) {
	want := got
	want.URI, want.Range = s.Name, &hls.Range{Offset: i.Offset, Length: i.Size}
	if i.Object != nil {
		want.URI, want.Range = i.Object.Name, nil
	}
	same := (got.Range == nil) == (want.Range == nil) && (got.Range == nil || *got.Range == *want.Range)
	if !same || below(playlist, got.URI) != want.URI {
		c.fail(playlist, "82", "an I-frame lies elsewhere than in the manifest", got.URI, want.URI)
	}
}

// shown checks rule 81: every EXTINF leads to the next I-frame.
func (c *checker) shown(playlist string, m hls.Media, lengths []int64) {
	frame := c.manifest.Timeline.Rate.Invert()
	for i, d := range hls.Durations(lengths, frame) {
		if off := (m.Segments[i].Duration - d).Abs(); off > time.Millisecond {
			c.fail(playlist, "81", fmt.Sprintf("the duration of I-frame %d is not the time to the next one", i), m.Segments[i].Duration.String(), d.String())
			return
		}
	}
}

// looked checks what the master declares of I-frames.
func (c *checker) looked(m hls.Master, renditions map[string]measured) {
	declared := map[string]hls.IFrames{}
	for _, i := range m.IFrames {
		declared[i.URI] = i
	}
	for _, r := range c.manifest.Renditions {
		if r.IFrames == nil {
			continue
		}
		i, there := declared[r.IFrames.Name]
		if delete(declared, r.IFrames.Name); !there {
			c.fail(MasterName, "80", "it does not offer the I-frames of "+r.Name, "", "")
			continue
		}
		c.offered(i, renditions[r.Playlist.Name])
	}
	for uri := range declared {
		c.fail(MasterName, "18", "a list of I-frames is not in the manifest", uri, "")
	}
}

func (c *checker) offered(i hls.IFrames, r measured) {
	if m, ok := c.looks[r.Name]; ok {
		peak, average := hls.Rates(r.StillWeights(m), m.Target)
		c.rate(i.URI+": BANDWIDTH", "61", i.Bandwidth, peak)
		c.rate(i.URI+": AVERAGE-BANDWIDTH", "62", i.Average, average)
	}
	if i.Codec != r.codec {
		c.fail(MasterName, "64", i.URI+": CODECS is not what the init section says", i.Codec, r.codec)
	}
	if i.Width != r.width || i.Height != r.height {
		c.fail(MasterName, "65", i.URI+": RESOLUTION is not that of the pictures",
			fmt.Sprintf("%dx%d", i.Width, i.Height), fmt.Sprintf("%dx%d", r.width, r.height))
	}
}

// readStills reads the I-frames of a segment that are objects of their own; of
// those that are not what was published, which is reported, the content is nil.
func (c *checker) readStills(ctx context.Context, s Segment) ([][]byte, error) {
	contents := make([][]byte, len(s.IFrames))
	for n, i := range s.IFrames {
		if i.Object == nil {
			continue
		}
		if _, there := c.sizes[i.Object.Name]; !there {
			continue // it was reported
		}
		content, err := c.read(ctx, i.Object.Name, min(max(i.Object.Size, 0), maxText))
		if errors.Is(err, store.ErrNotFound) {
			c.fail(i.Object.Name, "missing", "the object is not there", "", "")
			continue
		}
		if err != nil {
			return nil, err
		}
		if c.hash(*i.Object, content) {
			contents[n] = content
		}
	}
	return contents, nil
}

// stills checks that the I-frames of a segment are what its clear bytes hold:
// ranges from a fragment's start to its first picture's end, or objects that
// decrypt to that picture.
func (c *checker) stills(r Rendition, number int, plain []byte, contents [][]byte) error {
	s := r.Segments[number]
	if r.Sound() || len(s.IFrames) == 0 {
		return nil
	}
	track := wrap.Track{Container: c.manifest.Settings.Container, Video: true}
	found, err := track.IFrames(plain)
	if err != nil || len(found) != len(s.IFrames) {
		c.fail(s.Name, "82", "its I-frames are not those of the manifest", fmt.Sprint(len(s.IFrames)), fmt.Sprint(len(found)))
		return nil //nolint:nilerr // it is a finding
	}
	at := 0 // in the playlist
	for _, before := range r.Segments[:number] {
		at += len(before.IFrames)
	}
	list, listed := c.looks[r.Name]
	for n, i := range s.IFrames {
		if found[n].Frame != i.Frame || found[n].Offset != i.Offset || found[n].Size != i.Size {
			c.fail(s.Name, "82", fmt.Sprintf("I-frame %d lies elsewhere", n),
				fmt.Sprintf("%d bytes from %d", i.Size, i.Offset), fmt.Sprintf("%d bytes from %d", found[n].Size, found[n].Offset))
			continue
		}
		if contents[n] == nil || !listed {
			continue
		}
		want, err := track.Still(plain, i)
		if err != nil {
			return fmt.Errorf("look at I-frames of %s: %w", r.Name, err)
		}
		if got := c.open(i.Object.Name, list, at+n, contents[n]); got != nil && !bytes.Equal(got, want) {
			c.fail(i.Object.Name, "82", "it is not the I-frame of its segment", "", "")
		}
	}
	return nil
}
