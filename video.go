package spool

import (
	"regexp"
	"strings"
	"time"
)

// Status is where a video stands.
type Status string

// The statuses of a video.
const (
	Waiting   Status = "waiting"   // accepted, nothing of it is running
	Working   Status = "working"   // some job of it is running
	Paused    Status = "paused"    // waits for the machine or the destination; Failure says for what
	Ready     Status = "ready"     // published and verified
	Failed    Status = "failed"    // ended with a reason
	Cancelled Status = "cancelled" // ended by request
)

// Ended reports whether nothing more will happen to a video of this status by
// itself.
func (s Status) Ended() bool { return s == Ready || s == Failed || s == Cancelled }

// Settings are what was asked for a video; a revision is made with one value
// of them.
type Settings struct {
	Ladder  string `json:"ladder"`            // a ladder's name: "default", "classic", or one from the config
	Sizes   []int  `json:"sizes,omitempty"`   // short sides in pixels, instead of the ladder's own
	Preset  string `json:"preset"`            // x264's preset
	Encrypt bool   `json:"encrypt,omitempty"` // AES-128
	KeyURI  string `json:"keyURI,omitempty"`  // template with {video} and {key}
	// KeyRotation is how many segments of each rendition share a key; 0: all of
	// a revision's.
	KeyRotation int    `json:"keyRotation,omitempty"`
	Copy        string `json:"copy,omitempty"`    // the top rung: CopyNever, or "" to copy what qualifies
	Segment     int    `json:"segment,omitempty"` // how long segments are to be, seconds; 0: UsualSegment
	// Storyboard is StoryboardAlways, StoryboardOff, or "" for one of each video
	// that is not encrypted.
	Storyboard string `json:"storyboard,omitempty"`
	// Container is what segments are wrapped in: TS, or "" for fragmented MP4.
	Container string `json:"container,omitempty"`
}

// UsualSegment is how long segments are, in seconds, when nothing else is
// asked for.
const UsualSegment = 6

// TS is the value of Settings.Container for MPEG-TS, and packed audio beside it.
const TS = "ts"

// CopyNever is the value of Settings.Copy that has every rung encoded.
const CopyNever = "never"

// The values of Settings.Storyboard besides "": also of encrypted videos, whose
// pictures it shows in clear, and of none.
const (
	StoryboardAlways = "always"
	StoryboardOff    = "off"
)

// Video is one thing to publish to one destination.
type Video struct {
	ID        string      `json:"id"`
	Source    string      `json:"source"`    // URL or absolute path, as it is to be fetched; may hold secrets
	Canonical string      `json:"canonical"` // what makes two sources the same one; holds no secrets
	Title     string      `json:"title,omitempty"`
	Settings  Settings    `json:"settings"`
	Priority  int         `json:"priority,omitempty"` // videos of a higher one come first
	Status    Status      `json:"status"`
	Revision  string      `json:"revision,omitempty"`  // the revision being made, or made last
	Published string      `json:"published,omitempty"` // the revision that the master names, or ""
	GivenUp   []string    `json:"givenUp,omitempty"`   // revisions that were begun before it and never published
	Failure   *Failure    `json:"failure,omitempty"`   // why it failed or is paused
	Stamp     SourceStamp `json:"stamp"`               // what the source looked like
	Sizes     []string    `json:"sizes,omitempty"`     // names of the published rungs: "360p"
	LeftOut   []string    `json:"leftOut,omitempty"`   // what of the source was not published: "subtitles (eng)"
	Notes     []string    `json:"notes,omitempty"`     // what a person should know of how it was made: "HDR is tone-mapped to SDR"
	Replans   int         `json:"replans,omitempty"`   // how often the plan had to be made more careful
	Replaced  int         `json:"replaced,omitempty"`  // how often the source became another one while it was downloaded
	Callbacks []string    `json:"callbacks,omitempty"` // URLs that are told how it ends; may hold secrets
	Added     time.Time   `json:"added"`
	Changed   time.Time   `json:"changed"`
}

// Failure is why a video failed or is paused, as the ledger keeps it.
type Failure struct {
	Class  Class  `json:"class"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
	Hint   string `json:"hint,omitempty"`
	// Had is how many bytes of its source a fetch had when it failed, the most
	// so far. It is kept with the job; the failure of a video has none.
	Had int64 `json:"had,omitempty"`
}

// SourceStamp is what a source looked like: another stamp means another
// revision. Of a local file it is known when the video is accepted, of a link
// once it was downloaded; of a page it stays zero.
type SourceStamp struct {
	Size     int64  `json:"size,omitempty"`     // bytes
	Modified int64  `json:"modified,omitempty"` // nanoseconds since 1970; local files
	Tag      string `json:"tag,omitempty"`      // the server's ETag; links, and files in stores
	// Sum is a checksum of all of it, "sha256:…" or one that its store has; ""
	// when it is not known. It tells a file that was touched from one that changed.
	Sum string `json:"sum,omitempty"`
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// ValidID reports whether id may name a video: 1 to 64 letters, digits, _ and
// -, the first a letter or a digit. Every name in a destination comes from one.
func ValidID(id string) bool { return idPattern.MatchString(id) }

// FoldID is the form under which IDs clash: some stores and file systems do
// not tell case apart.
func FoldID(id string) string { return strings.ToLower(id) }
