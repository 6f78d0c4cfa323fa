package rules

import (
	"fmt"

	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/m3u8"
)

// eachReread checks every media playlist that was read a second time.
func eachReread(f func(judge, *survey.List)) check {
	return eachMedia(func(j judge, l *survey.List) {
		if l.Later != nil {
			f(j, l)
		}
	})
}

// targetStays is rule 10: the target duration does not change.
func targetStays(j judge, l *survey.List) {
	if l.Target != l.Later.Target {
		j.differs(at(l, l.First("EXT-X-TARGETDURATION").Line), "the target duration has changed while the package was read",
			fmt.Sprintf("%d s", l.Target), fmt.Sprintf("%d s", l.Later.Target))
	}
}

// listedStays is rule 17: what has ended does not change, an EVENT playlist
// only grows, and others lose segments from their start alone.
func listedStays(j judge, l *survey.List) {
	before, after := l.Playlist, *l.Later
	complete := before.Ended || before.Type == "VOD"
	if before.Type != after.Type {
		j.differs(at(l, l.First("EXT-X-PLAYLIST-TYPE").Line), "EXT-X-PLAYLIST-TYPE has changed while the package was read", before.Type, after.Type)
	}
	if before.Ended && !after.Ended {
		j.says(at(l, l.First("EXT-X-ENDLIST").Line), "EXT-X-ENDLIST was taken back while the package was read")
	}
	shift := after.Sequence - before.Sequence
	switch {
	case shift < 0, shift > 0 && (complete || before.Type == "EVENT"):
		j.differs(at(l, 0), "the first segment is not the one that it was when the package was read first", before.Sequence, after.Sequence)
		return
	case complete && len(after.Segments) != len(before.Segments):
		j.differs(at(l, 0), "a playlist that was complete has changed its number of segments", len(before.Segments), len(after.Segments))
	case len(after.Segments)+shift < len(before.Segments):
		j.differs(at(l, 0), "segments at the end were taken back", len(before.Segments), len(after.Segments)+shift)
	}
	for i := shift; i < len(before.Segments) && i-shift < len(after.Segments); i++ {
		if !sameEntry(before.Segments[i], after.Segments[i-shift]) {
			j.says(at(l, before.Segments[i].Line), "the segment was exchanged while the package was read")
			return
		}
	}
}

// sameEntry compares two entries but for queries, in which servers tell
// sessions.
func sameEntry(a, b m3u8.Segment) bool {
	return bare(a.URI) == bare(b.URI) && a.Duration == b.Duration && a.Discontinuity == b.Discontinuity && a.Gap == b.Gap &&
		(a.Range == nil) == (b.Range == nil) && (a.Range == nil || *a.Range == *b.Range) &&
		(a.Key == nil) == (b.Key == nil) && (a.Key == nil || a.Key.Method == b.Key.Method)
}

// growsInTime is rule 23: a list that has not ended has one segment more after
// 1.5 target durations, or has ended by then.
func growsInTime(j judge, l *survey.List) {
	if !l.Growing() || l.Later.Ended || l.Target == 0 || l.Waited < l.Due() {
		return
	}
	if l.Later.Sequence+len(l.Later.Segments) <= l.Sequence+len(l.Segments) {
		j.differs(at(l, 0), "the playlist has neither ended nor grown within 1.5 target durations", l.Due(), seconds(l.Waited))
	}
}
