package spool

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind is what a job does.
type Kind string

// The kinds of jobs, in the order in which a video needs them.
const (
	Fetch  Kind = "fetch"
	Draft  Kind = "plan" // makes the Plan
	Encode Kind = "encode"
	Audio  Kind = "audio"
	Texts  Kind = "subtitles" // all of them
	Finish Kind = "finish"
)

// JobKey names one job.
type JobKey struct {
	Video    string `json:"video"`
	Revision string `json:"revision"`
	Kind     Kind   `json:"kind"`
	Number   int    `json:"number"` // chunk or piece; 0 for the other kinds
}

func (k JobKey) String() string {
	return fmt.Sprintf("%s/%s/%s-%d", k.Video, k.Revision, k.Kind, k.Number)
}

// JobState is where a job stands.
type JobState string

// The states of a job.
const (
	JobWaiting JobState = "waiting" // for bytes of the source that have not arrived
	JobReady   JobState = "ready"   // may be handed out, not before NotBefore
	JobSent    JobState = "sent"    // handed out, not yet known to have started
	JobRunning JobState = "running" // a worker said so
	JobDone    JobState = "done"
	JobFailed  JobState = "failed"
)

// JobRecord is what the ledger knows of a job.
type JobRecord struct {
	JobKey
	State     JobState  `json:"state"`
	Epoch     int       `json:"epoch"`    // how often it was handed out
	Attempts  int       `json:"attempts"` // how often it failed in a way that counts
	Deaths    int       `json:"deaths"`   // how often its encoder died under a worker that lived, or its worker was lost alone
	NotBefore time.Time `json:"notBefore"`
	Worker    string    `json:"worker,omitempty"`
	Failure   *Failure  `json:"failure,omitempty"`
	Place     Place     `json:"place,omitzero"` // which workers it may be given to
	Turn      int64     `json:"turn,omitempty"` // of two ready jobs of equal priority the one with the smaller turn is handed out first
	Seen      int       `json:"seen,omitempty"` // Report.Serial of the last report of this epoch that counted
	// Lost are the sessions of the workers that were lost with this job, and
	// whose loss counts as a death. It is never changed in place.
	Lost []string `json:"lost,omitempty"`
}

// Place says which workers a job may be given to. The zero value is any.
type Place struct {
	Worker string `json:"worker,omitempty"` // only this one: the source lies on its disk
	Store  string `json:"store,omitempty"`  // only who reaches it: the source lies in there (Beat.Reach)
	Class  string `json:"class,omitempty"`  // only who encodes like the workers that made the other parts (Beat.Class)
}

// Job is one piece of work as a worker gets it: self-contained, so that a
// worker needs no ledger.
type Job struct {
	JobKey
	Epoch     int         `json:"epoch"`
	Source    string      `json:"source"`
	Canonical string      `json:"canonical"`
	Title     string      `json:"title,omitempty"`
	Settings  Settings    `json:"settings"`
	Careful   int         `json:"careful,omitempty"`   // how often planning has been too trusting: Video.Replans
	Replaced  int         `json:"replaced,omitempty"`  // as Video.Replaced: a source that does not stand still is read when it is whole
	Fetched   *Fetched    `json:"fetched,omitempty"`   // all kinds but fetch
	Plan      *Plan       `json:"plan,omitempty"`      // encode, audio, finish; Chunks and Pieces only for finish
	Chunk     *Chunk      `json:"chunk,omitempty"`     // encode
	Spare     int         `json:"spare,omitempty"`     // encode: slots for encoders that it may use beside its own, when they are free
	Piece     *AudioPiece `json:"piece,omitempty"`     // audio
	Keys      ContentKeys `json:"keys,omitempty"`      // encode, audio, finish of encrypted videos: those of their segments
	Made      *Made       `json:"made,omitempty"`      // finish: what all parts reported
	Published string      `json:"published,omitempty"` // finish: the revision that the master names now
	GivenUp   []string    `json:"givenUp,omitempty"`   // finish: Video.GivenUp
}

// SubtitleFile is a file of subtitles that belongs to a source: beside it, or
// of its page.
type SubtitleFile struct {
	Path     string `json:"path,omitempty"` // on the worker's disk
	Language string `json:"language,omitempty"`
	Title    string `json:"title,omitempty"`
	Role     Role   `json:"role,omitempty"`
	Forced   bool   `json:"forced,omitempty"`
	Missing  string `json:"missing,omitempty"` // why it could not be had; then there is no path
}

// ContentKey is an AES-128 key of a revision.
type ContentKey struct {
	ID    string `json:"id"` // names the key in its URI and file
	Bytes []byte `json:"bytes"`
	URI   string `json:"uri"`             // as it stands in playlists
	First int    `json:"first,omitempty"` // number of the first segment that is encrypted with it, in every rendition
}

// ContentKeys are the keys of some consecutive segments, in their order. None:
// the segments are not encrypted.
type ContentKeys []ContentKey

// Of is the key of a segment; nil when there is none.
func (k ContentKeys) Of(segment int) *ContentKey {
	for i := range slices.Backward(k) {
		if k[i].First <= segment {
			return &k[i]
		}
	}
	return nil
}

// At is the key with a URI; nil when there is none.
func (k ContentKeys) At(uri string) *ContentKey {
	i := slices.IndexFunc(k, func(c ContentKey) bool { return c.URI == uri })
	if i < 0 {
		return nil
	}
	return &k[i]
}

// IDs names the keys, with commas between them.
func (k ContentKeys) IDs() string {
	names := make([]string, len(k))
	for i := range k {
		names[i] = k[i].ID
	}
	return strings.Join(names, ",")
}

// Fetched is what the fetch job found.
type Fetched struct {
	Path    string `json:"path,omitempty"` // the source, on the disk of the worker that fetched it; "" when it lies elsewhere
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256,omitempty"` // of downloads
	Tag     string `json:"tag,omitempty"`    // tells this version of the source from others: the server's ETag, of links
	Scratch bool   `json:"scratch"`          // the file is Spool's own and goes when the video is READY
	Page    *Page  `json:"page,omitempty"`
	// Arriving is set while not all bytes are here: the source is read through
	// the worker's tap, by Path.
	Arriving bool `json:"arriving,omitempty"`
	// Sound is the file that the sound lies in, where pictures and sound are
	// apart; this one's own sound is then not heard. Each file has a clock of
	// its own, and both clocks begin at the same time.
	Sound *Fetched `json:"sound,omitempty"`
	// Subtitles are files of subtitles that belong to the source.
	Subtitles []SubtitleFile `json:"subtitles,omitempty"`
	// Remote is where any worker can read the source by ranges, in place of
	// Path. Nil: only the worker that fetched it can.
	Remote *Remote `json:"remote,omitempty"`
}

// Remote is a place whose bytes can be read by ranges from any worker that
// reaches it. One field is set. What has another size than the Fetched, or
// another tag, is another source.
type Remote struct {
	Store string `json:"store,omitempty"` // a file in a store: NAME:PATH
	URL   string `json:"url,omitempty"`   // a file at a web server; may hold secrets
	// Staged is the folder of a source that lies in numbered parts: NAME:PATH
	// in a store, or an absolute path.
	Staged string `json:"staged,omitempty"`
}

// Anywhere reports whether any worker can read the source, and not only the
// one that fetched it.
func (f *Fetched) Anywhere() bool { return f.Remote != nil && f.Hearing().Remote != nil }

// Hearing is the file that the sound is read from.
func (f *Fetched) Hearing() *Fetched {
	if f.Sound != nil {
		return f.Sound
	}
	return f
}

// Bytes is how large the source is, in bytes.
func (f *Fetched) Bytes() int64 {
	if f.Sound != nil {
		return f.Size + f.Sound.Size
	}
	return f.Size
}

// Page is what a web page said of its video.
type Page struct {
	Extractor string        `json:"extractor"`
	ID        string        `json:"id"`
	Title     string        `json:"title,omitempty"`
	Uploader  string        `json:"uploader,omitempty"`
	URL       string        `json:"url"`
	Duration  time.Duration `json:"duration,omitempty"`
	Chapters  []Chapter     `json:"chapters,omitempty"`
	Subtitles []string      `json:"subtitles,omitempty"` // languages that the page offers
}

// Chapter is one named part of a video.
type Chapter struct {
	Title string        `json:"title"`
	Start time.Duration `json:"start"`
	End   time.Duration `json:"end"`
}

// Object is one published file.
type Object struct {
	Name   string `json:"name"` // below the video's folder: "<rev>/v0-360p/00000-1a2b3c4d.m4s"
	Size   int64  `json:"size"` // bytes as published
	SHA256 string `json:"sha256"`
	Type   string `json:"type"` // content type
}

// Segment is one published media file of a rendition.
type Segment struct {
	Object
	Rendition string `json:"rendition"`
	Number    int    `json:"number"`
	Units     int    `json:"units"` // video frames, or audio packets
	Plain     string `json:"plain"` // sha256 before encryption
	// KeyFrames is how many key frames the cutter saw; 0 for audio.
	KeyFrames int `json:"keyFrames,omitempty"`
	// IFrames are those of the key frames that can be shown by themselves.
	IFrames []IFrame `json:"iframes,omitempty"`
}

// IFrame is a key frame that can be shown by itself: a range of its segment or,
// where that is encrypted, an object of its own.
type IFrame struct {
	Frame  int     `json:"frame"`            // counted from the segment's first
	Offset int64   `json:"offset"`           // bytes of the segment, not encrypted, before what belongs to it
	Size   int64   `json:"size"`             // bytes from there to its end
	Object *Object `json:"object,omitempty"` // nil: it is a range of its segment
}

// InitSection is a rendition's initialisation section, with what playlists
// say of it.
type InitSection struct {
	Object
	Rendition string `json:"rendition"`
	Codec     string `json:"codec"` // RFC 6381
	Width     int    `json:"width,omitempty"`
	Height    int    `json:"height,omitempty"`
	Timescale int    `json:"timescale"`
	Config    []byte `json:"config"` // avcC payload or AudioSpecificConfig: must be the same in every part
}

// Made is what encoding a chunk or a piece produced; finish gets all of it.
type Made struct {
	Inits    []InitSection `json:"inits"`
	Segments []Segment     `json:"segments"`
	Notes    []string      `json:"notes,omitempty"` // in words: what was wrong with the source, but tolerated
}

// Result is what a job that is done reports; one field is set.
type Result struct {
	Fetched  *Fetched  `json:"fetched,omitempty"`
	Plan     *Plan     `json:"plan,omitempty"`
	Made     *Made     `json:"made,omitempty"`
	Finished *Finished `json:"finished,omitempty"`
}

// Finished is what the finish job reports.
type Finished struct {
	Master  string        `json:"master"` // where it lies, as a person would open it
	Objects int           `json:"objects"`
	Bytes   int64         `json:"bytes"`
	Length  time.Duration `json:"length"`
	Notes   []string      `json:"notes,omitempty"` // in words, for a person: "no storyboard: …"
}

// Phase is what a running job is doing.
type Phase string

// The phases of jobs.
const (
	Downloading Phase = "downloading" // Done and Total are bytes
	Probing     Phase = "probing"
	Encoding    Phase = "encoding"   // Done and Total are output frames (audio: packets)
	Publishing  Phase = "publishing" // Done and Total are bytes
	Verifying   Phase = "verifying"
)

// Progress is how far a running job is.
type Progress struct {
	Phase Phase  `json:"phase"`
	Done  int64  `json:"done"`
	Total int64  `json:"total"`          // 0 = unknown
	Note  string `json:"note,omitempty"` // what it waits for, when it waits
	Have  Spans  `json:"have,omitempty"` // fetch: the bytes of the source that can be read
	// HaveSound is Have of the file that the sound lies in, where it is apart.
	HaveSound Spans `json:"haveSound,omitempty"`
	// Result is what can be used of the job although it goes on. The worker
	// sends it as a report of its own (Arrived); beats do not carry it. When
	// Phase is "" the rest says nothing.
	Result *Result `json:"-"`
}

// Outcome is what a report says of a job.
type Outcome string

// The outcomes of a report.
const (
	Started Outcome = "started"
	// Arrived: the job goes on, and its Result so far can be used: a source
	// that can be read while it arrives, the first chunks of a plan, segments
	// that are published.
	Arrived Outcome = "arrived"
	Done    Outcome = "done"
	Broke   Outcome = "failed"
	// Returned: the worker gives the job back untouched (it drains); no
	// attempt is counted.
	Returned Outcome = "returned"
)

// Report is a worker's word on a job.
type Report struct {
	JobKey
	Epoch   int      `json:"epoch"`
	Worker  string   `json:"worker"`
	Outcome Outcome  `json:"outcome"`
	Result  *Result  `json:"result,omitempty"`
	Failure *Failure `json:"failure,omitempty"`
	// Serial counts the reports of one session of a worker, from 1; 0 when
	// nobody counts.
	Serial  int    `json:"serial,omitempty"`
	Session string `json:"session,omitempty"`
	// Died is set when the job's child process was killed by a signal.
	Died  bool          `json:"died,omitempty"`
	After time.Duration `json:"after,omitempty"` // do not try again before
	Took  time.Duration `json:"took,omitempty"`
}

// Needs is the scheduler's word to the worker that fetches a source: what of it
// is still to be read. What is not among it may be given back.
type Needs struct {
	JobKey // of the fetch
	// Whole: all of it, for what can be made only of all of it.
	Whole bool `json:"whole,omitempty"`
	// Source and Sound are the windows of the parts that are not done, in the
	// source and in the file that its sound lies in, where that is apart.
	Source []Span `json:"source,omitempty"`
	Sound  []Span `json:"sound,omitempty"`
	Made   int64  `json:"made"` // bytes that what is made of one part has at most
	Done   int    `json:"done"` // parts that are done: of two messages the one that counts fewer is the older
}
