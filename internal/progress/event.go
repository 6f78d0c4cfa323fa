// Package progress shows a run to whoever watches it: a person at a terminal,
// a log, or another program. It is fed with events, and ends with a summary.
//
// All text that Spool did not write (titles, sources, reasons with a server's
// words) is made plain here, so that callers hand it in as it is.
package progress

import (
	"time"

	"github.com/spool-video/spool"
)

// Type is what an event tells.
type Type string

// The types of events.
const (
	Accepted Type = "accepted" // Video is new in this run
	Known    Type = "known"    // Video was known; Status says where it stands, Text what is new of it
	Bad      Type = "bad"      // a line was refused: Line, Source, Failure
	Counted  Type = "counted"  // all sources were read for the first time: a run has no more videos
	Moved    Type = "progress" // Snapshot is how far Video is
	Paused   Type = "paused"   // Video waits; Failure says for what
	Resumed  Type = "resumed"  // Video waits no more
	Ready    Type = "ready"    // Video is published: Sizes, LeftOut, Path, Took
	Failed   Type = "failed"   // Video ended; Failure says why
	Removed  Type = "removed"  // Video was taken back by somebody while it was worked on
	Noted    Type = "note"     // Text, about Video or the run as a whole
	// Watchable: Video can be watched while it is made, at Path; Text says so.
	Watchable Type = "watchable"
	Logged    Type = "log" // Text, one line of a log
)

// Event is one thing that happened. Which fields are set depends on Type.
type Event struct {
	Type     Type
	Time     time.Time // zero: now
	Video    string    // ID
	Title    string
	Source   string
	Line     int // of the list; 0 when there is none
	Status   spool.Status
	Text     string
	Failure  *spool.Failure
	Snapshot *Snapshot
	Sizes    []string
	LeftOut  []string
	Path     string        // of the master
	Took     time.Duration // since the video was begun in this run
	Name     string        // what a log calls it, when its Type says too little
	Warns    bool          // of a Noted: something is not as it should be
}

// Snapshot is how far one video is, all its jobs together.
type Snapshot struct {
	Phases     []spool.Phase // what is going on now, in the order of the words' list
	Download   Count         // bytes
	Encode     Count         // output frames; of audio alone, packets
	Length     time.Duration // of the output; 0 until it is planned
	Chunks     int           // 0 until it is planned
	ChunksDone int
	Note       string // what it waits for, when it waits
}

// Count is done and total; a total of 0 is not known yet.
type Count struct {
	Done, Total int64
}

// share is how much of it is done, 0 to 1, and whether that is known.
func (c Count) share() (float64, bool) {
	if c.Total <= 0 {
		return 0, false
	}
	return min(1, max(0, float64(c.Done)/float64(c.Total))), true
}

// active reports whether a phase is going on.
func (s *Snapshot) active(p spool.Phase) bool {
	for _, phase := range s.Phases {
		if phase == p {
			return true
		}
	}
	return false
}

// share is how much of the work on a video is done, 0 to 1. The stages weigh
// what they usually cost, publishing together with the encoding that it goes
// along with; something is kept for verifying, so that it does not stand at
// 99 % while the last bytes go out.
func (s *Snapshot) share() float64 {
	const download, encode = 0.2, 0.75
	encoded, planned := s.Encode.share()
	fetched, known := s.Download.share()
	if !known && (planned || !s.active(spool.Downloading)) {
		fetched = 1 // nothing to download, or it is over
	}
	return download*fetched + encode*encoded
}
