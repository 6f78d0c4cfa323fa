package early

import (
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/grid"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/wrap"
)

// list is one rendition: what of it is in the store, and what its playlist
// says.
type list struct {
	rendition string
	cap       int // bits per second
	sound     *spool.Sound
	init      *spool.InitSection
	segments  map[int]spool.Segment // by number
	standing  hls.Media             // as the store has it; without segments there is none
}

// newLists are those of a plan in the order of writing: sound first, of the
// main track alone, then pictures, the smallest first. A player that changes to a larger size finds
// at least what it had.
func newLists(p *spool.Plan, container string) []*list {
	var lists []*list
	if len(p.Sounds) > 0 {
		s := &p.Sounds[0]
		most := wrap.Rate(container, false, s.BitRate, float64(s.SampleRate)/grid.PacketSamples)
		lists = append(lists, &list{rendition: s.Name, cap: most, sound: s, segments: map[int]spool.Segment{}})
	}
	for _, r := range slices.Backward(p.Rungs) {
		if r.Action != spool.SkipRung {
			most := wrap.Rate(container, true, r.MaxRate, p.Timeline.Rate.Float())
			lists = append(lists, &list{rendition: r.Name, cap: most, segments: map[int]spool.Segment{}})
		}
	}
	return lists
}

// add takes a segment, and reports whether it is a new one. One that was made
// again takes the place of the first, which may be swept, unless the first
// stands in the playlist: then nobody sweeps it.
func (l *list) add(revision string, s spool.Segment, g spool.Grid) bool {
	if s.Number < 0 || path.Dir(s.Name) != path.Join(revision, l.rendition) {
		return false
	}
	_, known := l.segments[s.Number]
	units := l.units(g)
	if known && s.Number < len(units) && s.Units != units[s.Number] {
		return false
	}
	l.segments[s.Number] = s
	return !known
}

// units are how many frames or packets the plan gives each segment.
func (l *list) units(g spool.Grid) []int {
	switch {
	case l.sound == nil:
		return g.Frames
	case l.sound.Copied:
		return l.sound.Packets
	}
	return g.Packets
}

// has reports whether the rendition has segment n, as it was planned.
func (l *list) has(n int, g spool.Grid) bool {
	if l.init == nil {
		return false
	}
	if n < len(l.standing.Segments) {
		return true
	}
	units := l.units(g)
	s, ok := l.segments[n]
	return ok && n < len(units) && s.Units == units[n]
}

// length is how long a segment plays, as it was made.
func (l *list) length(n int, p *spool.Plan) time.Duration {
	one := p.Timeline.Rate.Invert()
	if l.sound != nil {
		one = spool.Ratio{Num: grid.PacketSamples, Den: int64(l.sound.SampleRate)}
	}
	return one.Duration(int64(l.segments[n].Units))
}

// durations are those of the first n segments.
func (l *list) durations(n int, p *spool.Plan) []time.Duration {
	units := l.units(p.Grid)
	units = units[:min(n, len(units))]
	ticks := make([]int64, len(units))
	for i, u := range units {
		ticks[i] = int64(u)
	}
	if l.sound == nil {
		return hls.Durations(ticks, p.Timeline.Rate.Invert())
	}
	for i := range ticks {
		ticks[i] *= grid.PacketSamples
	}
	if len(ticks) > 0 {
		ticks[0] -= int64(p.SoundGrid(0).PrimingSamples)
	}
	return hls.Durations(ticks, spool.Ratio{Num: 1, Den: int64(l.sound.SampleRate)})
}

// playlist is the standing one with segments added until there are n. What
// stands is not touched.
func (l *list) playlist(n int, p *spool.Plan, all spool.ContentKeys) (hls.Media, error) {
	m, init := l.standing, ""
	if l.init.Name != "" {
		init = up(l.init.Name)
	}
	if len(m.Segments) == 0 {
		m = hls.Media{Version: hls.VersionOf(init), Target: p.Grid.Target, Event: true, FromStart: true, Map: init}
	}
	if m.Map != init {
		return hls.Media{}, fmt.Errorf("parts of %s were encoded with different parameters", l.rendition)
	}
	m.Segments = slices.Clone(m.Segments)
	durations := l.durations(n, p)
	for i := len(m.Segments); i < n; i++ {
		s, ok := l.segments[i]
		if !ok || i >= len(durations) {
			return hls.Media{}, fmt.Errorf("segment %d of %s is not there", i, l.rendition)
		}
		entry := hls.Segment{URI: up(s.Name), Duration: durations[i]}
		if key := all.Of(i); key != nil {
			iv := keys.IV(key.Bytes, l.rendition, i)
			entry.Key = &hls.Key{URI: key.URI, IV: &iv}
		}
		m.Segments = append(m.Segments, entry)
	}
	return m, nil
}

// adopt takes what an earlier run left in the store for what stands.
func (l *list) adopt(m hls.Media, target int) error {
	if m.Target != target || !m.Event || m.Sequence != 0 {
		return &unfitError{fmt.Errorf("the list %s in the destination is of another plan", l.rendition)}
	}
	l.standing = m
	return nil
}

// stream is what the early master says of the rendition. Its rates are upper
// bounds: an encode may exceed its cap by a little in one segment, and a
// rendition that was not capped by us by more.
func (l *list) stream(revision string, p *spool.Plan) hls.Stream {
	s := hls.Stream{URI: listName(revision, l.rendition), Codec: l.init.Codec, Width: l.init.Width, Height: l.init.Height}
	var weights []hls.Weight
	for i, d := range l.durations(p.Grid.Segments(), p) {
		if segment, ok := l.segments[i]; ok {
			weights = append(weights, hls.Weight{Bytes: segment.Size, Duration: d})
		}
	}
	peak, average := hls.Rates(weights, p.Grid.Target)
	s.Peak, s.Average = max((l.cap*11+9)/10, peak), max(l.cap, average)
	if l.sound != nil {
		s.Channels = l.sound.Channels
		s.Track = hls.Track{Language: l.sound.Language, Title: l.sound.Title, Role: l.sound.Role}
	} else {
		s.FrameRate = p.Timeline.Rate.Float()
	}
	return s
}
