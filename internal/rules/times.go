package rules

import (
	"fmt"
	"time"

	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/stream"
)

// rounding is what times may differ by because they are written as rounded
// numbers.
const rounding = time.Millisecond

// mediaFitsTarget is rule 8: media is not longer than the target and half a
// second.
func mediaFitsTarget(j judge, l *survey.List, p *survey.Part) {
	r := leading(p)
	if r == nil || l.Target == 0 || l.IFrames || l.AsIFrames {
		return
	}
	longest := time.Duration(l.Target)*time.Second + time.Second/2
	if d := stream.Time(r.Duration, r.Track.Timescale); d > longest+rounding {
		j.differs(at(l, p.Line), "the segment's media is longer than the target duration and half a second", fmt.Sprintf("%d s", l.Target), seconds(d))
	}
}

// addsUp is rule 12: the sums of EXTINF are the durations of the media, what an
// edit list cuts from its start left out. A discontinuity begins a new sum.
func addsUp(j judge, l *survey.List) {
	slack := frame(j.Package) + rounding
	var declared, start time.Duration
	running := false
	for i := range l.Parts {
		p := &l.Parts[i]
		r := leading(p)
		if r == nil {
			running = false
			continue
		}
		if !running || p.Discontinuity {
			start, declared, running = stream.Time(r.Decode, r.Track.Timescale)+cut(r), 0, true
		}
		declared += p.Duration
		measured := since(start, stream.Time(r.Decode+r.Duration, r.Track.Timescale), p.Media.Container)
		if (declared - measured).Abs() > slack {
			j.differs(at(l, p.Line), "the durations up to here are not those of the media", seconds(declared), seconds(measured))
			return
		}
	}
}

// cut is how much of a run's start its edit list cuts.
func cut(r *stream.Run) time.Duration {
	return begin(r) - stream.Time(r.Start+r.Track.Shift(), r.Track.Timescale)
}

// sameLength is rule 15: complete playlists last equally long.
func sameLength(j judge) {
	var first *survey.List
	for _, l := range j.Lists {
		if l.Missing != "" || !l.Ended || textual(l) || l.AsText || len(l.Segments) == 0 {
			continue
		}
		if first == nil {
			first = l
			continue
		}
		slack := frame(j.Package) + 30*time.Millisecond // a picture, and an AAC frame
		if (l.Length() - first.Length()).Abs() > slack {
			j.differs(at(l, 0), "the playlist does not last as long as "+first.Name, seconds(l.Length()), seconds(first.Length()))
		}
	}
}

// sameStart is rule 16: the first segments begin at one media time.
func sameStart(j judge) {
	var first *survey.List
	for _, l := range j.Lists {
		if !isStream(l) || l.Growing() || len(l.Parts) == 0 || leading(&l.Parts[0]) == nil {
			continue
		}
		if first == nil {
			first = l
			continue
		}
		a, b := begin(leading(&first.Parts[0])), begin(leading(&l.Parts[0]))
		slack := frame(j.Package) + rounding
		if d := since(a, b, l.Parts[0].Media.Container); d.Abs() > slack {
			j.differs(at(l, l.Parts[0].Line), "the media does not begin when that of "+first.Name+" does", seconds(a), seconds(b))
		}
	}
}

// sameGrid is rule 20: segments end at the same times, those of sound within
// an AAC frame.
func sameGrid(j judge) {
	j.toFirst(func(first, l *survey.List) {
		if len(l.Segments) != len(first.Segments) {
			j.differs(at(l, 0), "the playlist does not have as many segments as "+first.Name, len(l.Segments), len(first.Segments))
			return
		}
		j.boundaries(first, l)
	})
}

func (j judge) boundaries(first, l *survey.List) {
	slack := rounding
	if len(l.Parts) > 0 && l.Parts[0].Media.Find(stream.Video) == nil {
		slack = frame(j.Package)
	}
	var a, b time.Duration
	for i := range l.Segments[:max(len(l.Segments)-1, 0)] {
		a, b = a+first.Segments[i].Duration, b+l.Segments[i].Duration
		if (a - b).Abs() > slack {
			j.differs(at(l, l.Segments[i].Line), "the segment does not end when that of "+first.Name+" does", seconds(b), seconds(a))
			return
		}
	}
}

// keyFrameDistance is rule 31: key frames are at most 2 s apart, and the last
// one is so far from the end.
func keyFrameDistance(j judge, l *survey.List) {
	var worst time.Duration
	line := 0
	for i := range l.Parts {
		p := &l.Parts[i]
		r := p.Media.Find(stream.Video)
		if r == nil {
			continue
		}
		last := r.Start // a segment begins with one, by rule 30
		for _, k := range append(r.Keys, stream.KeyFrame{At: r.End}) {
			if d := stream.Time(k.At-last, r.Track.Timescale); d > worst {
				worst, line = d, p.Line
			}
			last = k.At
		}
	}
	if worst > 2*time.Second+frame(j.Package)+rounding {
		j.differs(at(l, line), "key frames are more than 2 s apart", nil, seconds(worst))
	}
}

// goesOn is rule 32: each segment's media begins where that of the one before
// ends, and so do the continuity counters of MPEG-TS.
func goesOn(j judge, l *survey.List) {
	for i := 1; i < len(l.Parts); i++ {
		before, p := &l.Parts[i-1], &l.Parts[i]
		if p.Discontinuity || !before.Known || !p.Known {
			continue
		}
		for _, r := range p.Media.Runs {
			for _, b := range before.Media.Runs {
				if b.Track.ID == r.Track.ID && b.Track.Timescale == r.Track.Timescale {
					j.follows(at(l, p.Line), p.Media.Container, b, r)
				}
			}
		}
		for pid, c := range p.Media.Counters {
			if b, known := before.Media.Counters[pid]; known && !c.Fresh && c.First != (b.Last+1)&0xf {
				j.differs(at(l, p.Line), fmt.Sprintf("PID %d: the continuity counter does not go on", pid), (b.Last+1)&0xf, c.First)
			}
		}
	}
}

// follows compares the times of a track in two segments. Fragmented MP4 has to
// be exact; times of MPEG-TS are rounded to its clock, and of sound to packets.
func (j judge) follows(s spot, c stream.Container, before, r stream.Run) {
	due, slack := before.Decode+before.Duration, int64(0)
	off := r.Decode - due
	switch {
	case c != stream.MP4 && before.Packets:
		off, slack = wrapped33(off), max(before.Frame, 1) // the last packet may hold fewer frames
	case c != stream.MP4:
		off, slack = wrapped33(off), max(before.Frame/2, 1)
	}
	if max(off, -off) > slack {
		text := fmt.Sprintf("the decode times of its %s do not go on: they jump by %s", r.Track.Kind, seconds(stream.Time(off, r.Track.Timescale)))
		j.differs(s, text, seconds(stream.Time(due, r.Track.Timescale)), seconds(stream.Time(r.Decode, r.Track.Timescale)))
	}
}

func wrapped33(n int64) int64 {
	n %= stream.Wrap
	switch {
	case n > stream.Wrap/2:
		n -= stream.Wrap
	case n < -stream.Wrap/2:
		n += stream.Wrap
	}
	return n
}

// lastSound is rule 49: the last piece of sound alone is not a tiny one, unless
// the pictures end with one as short.
func lastSound(j judge, l *survey.List) {
	n := len(l.Parts)
	if n < 2 || !l.Ended || firstRun(l, stream.Video) != nil || firstRun(l, stream.Audio) == nil {
		return
	}
	longest := time.Duration(0)
	for _, s := range l.Segments {
		longest = max(longest, s.Duration)
	}
	last := l.Segments[n-1].Duration
	for _, other := range j.Lists {
		if isStream(other) && pictures(other) != nil && other.Segments[len(other.Segments)-1].Duration < last+frame(j.Package) {
			return
		}
	}
	if last < longest/2 {
		j.differs(at(l, l.Parts[n-1].Line), "the last segment of sound is shorter than half of the others", nil, seconds(last))
	}
}
