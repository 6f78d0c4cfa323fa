package tap

import (
	"cmp"
	"math"
	"slices"

	"github.com/spool-video/spool"
)

// Slack is how many samples more than it shows a decoder may read: it holds
// some back to put them in order, and each of its threads holds one.
const Slack = 20

// Start is the PTS to give Window for decoding from the first sample on.
const Start = math.MinInt64

// Window is where the samples lie that a decoder reads when it begins at the
// key frame with presentation time seek, or the last one before it, and shows
// all up to the presentation time last: from that key frame to Slack samples
// beyond, in decoding order. Empty when the track has no samples.
func (t *Track) Window(seek, last int64) spool.Span {
	from := t.upTo(seek, func(s *Sample) bool { return s.Key && s.PTS <= seek })
	to := t.upTo(last, func(s *Sample) bool { return s.PTS <= last })
	return t.Bytes(max(from, 0), to+1+Slack)
}

// upTo is the last sample that is decoded no later than a time and is as it
// should be; -1 when there is none.
func (t *Track) upTo(at int64, good func(*Sample) bool) int {
	after, _ := slices.BinarySearchFunc(t.Samples, at, func(s Sample, at int64) int {
		if s.DTS <= at {
			return -1
		}
		return cmp.Compare(s.DTS, at)
	})
	for i := after - 1; i >= 0; i-- {
		if good(&t.Samples[i]) {
			return i
		}
	}
	return -1
}

// Bytes is where the samples from one to before another, in decoding order,
// lie, with all that lies between them. Numbers beyond the ends are cut.
func (t *Track) Bytes(from, to int) spool.Span {
	from, to = max(from, 0), min(to, len(t.Samples))
	if from >= to {
		return spool.Span{}
	}
	all := t.Samples[from].Bytes()
	for i := from; i < to; i++ {
		s := t.Samples[i].Bytes()
		all.From, all.To = min(all.From, s.From), max(all.To, s.To)
	}
	return all
}

// opening is how many samples of each track ffmpeg may look at when it opens a
// file, before it goes to where it was told to begin.
const opening = 16

// Head is what ffmpeg reads of a source, beside the moov box, each time that it
// opens it: the first bytes of the file and the first samples of each track.
// It must not be discarded while windows are read.
func (m *Movie) Head() spool.Spans {
	all := spool.Spans{}.Add(spool.Span{To: enough})
	for i := range m.Tracks {
		samples := m.Tracks[i].Samples
		for n := range min(opening, len(samples)) {
			at := samples[n].Bytes()
			at.From = max(at.From-enough, 0) // headers of boxes lie before the media
			all = all.Add(at)
		}
	}
	return all
}
