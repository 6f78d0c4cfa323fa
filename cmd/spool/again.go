package main

import (
	"slices"

	"github.com/spool-video/spool"
)

// again is what becomes of a video that the ledger knows already.
type again int

const (
	goOn      again = iota // it is unfinished: nothing to decide
	skip                   // ready, published, unchanged
	otherwise              // ready, but made with other settings: left alone
	tryAgain               // failed or cancelled: goes on where it ended
	remake                 // a new revision is made; why says why
)

// seen is what was found out about a known video before deciding.
type seen struct {
	Stamp    spool.SourceStamp // of the source now; zero when it was not looked at
	Gone     bool              // its master is not in the destination
	Settings spool.Settings    // what is asked for now
	Remake   bool              // --remake
}

// decide says what becomes of a known video, and why when that is news.
func decide(v spool.Video, s seen) (what again, why string) {
	same := sameSettings(v.Settings, s.Settings)
	ended := v.Status == spool.Failed || v.Status == spool.Cancelled
	// What failed for good, or was cancelled, begins anew in any case.
	anew := ended && (v.Failure == nil || v.Failure.Class != spool.Transient)
	switch {
	case differs(v.Stamp, s.Stamp):
		return remake, "its source has changed"
	case v.Status == spool.Ready && s.Gone:
		return remake, "it is gone from the destination"
	case v.Status == spool.Ready && same:
		return skip, ""
	case !same && (s.Remake || anew):
		return remake, "other settings are asked for"
	case v.Status == spool.Ready:
		return otherwise, ""
	case !same:
		why = "with the settings that it began with; --remake, or spool rm " + v.ID + ", lets it begin anew"
	}
	if ended {
		return tryAgain, why
	}
	return goOn, why
}

// differs compares what is known of both: a server need not tell everything.
func differs(before, now spool.SourceStamp) bool {
	return before.Size != 0 && now.Size != 0 && before.Size != now.Size ||
		before.Modified != 0 && now.Modified != 0 && before.Modified != now.Modified ||
		before.Tag != "" && now.Tag != "" && before.Tag != now.Tag
}

// sameSettings compares what shapes a package.
func sameSettings(a, b spool.Settings) bool {
	return a.Ladder == b.Ladder && slices.Equal(a.Sizes, b.Sizes) && a.Preset == b.Preset &&
		a.Encrypt == b.Encrypt && a.KeyURI == b.KeyURI && a.KeyRotation == b.KeyRotation && a.Copy == b.Copy &&
		a.Segment == b.Segment && a.Container == b.Container && a.Storyboard == b.Storyboard
}
