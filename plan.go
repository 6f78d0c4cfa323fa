package spool

import "time"

// Plan is everything that was decided about a revision before its first frame
// is encoded. Any worker makes the same objects from it.
type Plan struct {
	Facts    Facts        `json:"facts"`
	Timeline Timeline     `json:"timeline"`
	Rungs    []Rung       `json:"rungs,omitempty"` // highest first; none for audio-only
	Grid     Grid         `json:"grid"`
	Chunks   []Chunk      `json:"chunks,omitempty"`
	Sounds   []Sound      `json:"sounds,omitempty"` // the main track's first, stereo before 5.1; none when the source has no audio
	Pieces   []AudioPiece `json:"pieces,omitempty"` // of all sounds
	// Subtitles are all tracks of text; one job makes them.
	Subtitles []Subtitle `json:"subtitles,omitempty"`
	LeftOut   []string   `json:"leftOut,omitempty"` // in words: "subtitles (eng)"
	Notes     []string   `json:"notes,omitempty"`   // in words, for a person: "HDR is tone-mapped to SDR"
	// Sequential is set when seeking in this source was proved wrong: one
	// process decodes from the start.
	Sequential bool `json:"sequential,omitempty"`
	// Open is set while the end of the source is not known: chunks and pieces
	// are going to be added, and what is there stays as it is.
	Open bool `json:"open,omitempty"`
	// Head is what an encoder reads before the window of its part, for sources
	// that are read through a pipe and not sought in: those that were planned
	// as streams. Empty otherwise.
	Head Spans `json:"head,omitempty"`
}

// Timeline is the planned time axis of the output. 0 is the first video frame
// shown; output frame n is shown from n/Rate seconds.
type Timeline struct {
	Origin   int64 `json:"origin"`   // presentation time of the first shown frame, ticks of the video stream's time base
	TimeBase Ratio `json:"timeBase"` // of the source's video stream
	Rate     Ratio `json:"rate"`     // output frames per second; unknown for audio-only
	Frames   int   `json:"frames"`   // output frames; 0 for audio-only
	Samples  int64 `json:"samples"`  // output audio samples a channel, at the rate of all sounds; 0 without audio
	// SourceFrames is how many source frames lie on the timeline.
	SourceFrames int `json:"sourceFrames"`
}

// Duration is the planned length of the output: that of the video, or of the
// audio when there is no video.
func (t Timeline) Duration(sampleRate int) time.Duration {
	if t.Frames > 0 {
		return t.Rate.Invert().Duration(int64(t.Frames))
	}
	if sampleRate > 0 {
		return Ratio{1, int64(sampleRate)}.Duration(t.Samples)
	}
	return 0
}

// Rung is one rendition of the pictures.
type Rung struct {
	Name      string `json:"name"`      // folder: "v0-360p"; v0 is the smallest
	ShortSide int    `json:"shortSide"` // pixels
	Width     int    `json:"width"`     // even
	Height    int    `json:"height"`    // even
	CRF       int    `json:"crf"`
	MaxRate   int    `json:"maxRate"` // bits per second; bufsize is the same
	Action    Action `json:"action"`
	Why       string `json:"why"` // one clause for a person
}

// Label is the rung's size as people say it: "360p".
func (r Rung) Label() string {
	for i := range r.Name {
		if r.Name[i] == '-' {
			return r.Name[i+1:]
		}
	}
	return r.Name
}

// Action is what is done for a rung.
type Action string

// The actions for a rung.
const (
	EncodeRung Action = "encode"
	CopyRung   Action = "copy"
	SkipRung   Action = "skip"
)

// Grid is where segments end, the same for every rendition.
type Grid struct {
	Segment        int   `json:"segment,omitempty"` // as Settings.Segment
	GOP            int   `json:"gop"`               // output frames between key frames; 0 for audio-only
	Target         int   `json:"target"`            // EXT-X-TARGETDURATION, seconds
	Frames         []int `json:"frames"`            // output frames of each segment; empty for audio-only
	Packets        []int `json:"packets"`           // AAC packets of each segment of encoded sound, priming included in the first
	PrimingSamples int   `json:"primingSamples"`    // what the first audio packet(s) hold before time 0
}

// Segments is how many segments each rendition has.
func (g Grid) Segments() int { return max(len(g.Frames), len(g.Packets)) }

// Chunk is some consecutive segments that one process encodes, for all rungs,
// in one go. Times of the source are ticks of its video stream's time base.
type Chunk struct {
	Number       int    `json:"number"`
	FirstSegment int    `json:"firstSegment"`
	Segments     int    `json:"segments"`
	FirstFrame   int    `json:"firstFrame"` // output frame number
	Frames       int    `json:"frames"`
	Seek         *int64 `json:"seek,omitempty"` // presentation time of the key frame to start decoding at; nil = from the start
	FirstPTS     int64  `json:"firstPTS"`       // source frame shown by output frame FirstFrame
	LastPTS      int64  `json:"lastPTS"`        // source frame shown by the chunk's last output frame
	SourceFrames int    `json:"sourceFrames"`   // source frames with FirstPTS ≤ PTS ≤ LastPTS
	// Bytes is the window of the source that its encoder reads, for sources
	// that are planned before all of them is here; empty otherwise.
	Bytes Span `json:"bytes,omitzero"`
}

// SoundGrid is the grid of one of the plan's sounds: what is copied divides
// into packets of its own, at the same times.
func (p *Plan) SoundGrid(n int) Grid {
	g := p.Grid
	if s := p.Sounds[n]; s.Copied {
		g.Packets, g.PrimingSamples = s.Packets, s.PrimingSamples
	}
	return g
}

// SegmentEnds are the times at which segments end, from the timeline's 0.
func (p *Plan) SegmentEnds() []time.Duration {
	unit, counts, n := p.Timeline.Rate.Invert(), p.Grid.Frames, int64(0)
	if len(counts) == 0 && len(p.Sounds) > 0 {
		laid := p.SoundGrid(0)
		const packet = 1024 // samples
		unit = Ratio{packet, int64(p.SampleRate())}
		counts = laid.Packets
	}
	var ends []time.Duration
	for _, c := range counts {
		n += int64(c)
		end := unit.Duration(n)
		if len(p.Grid.Frames) == 0 {
			end -= Ratio{1, int64(p.SampleRate())}.Duration(int64(p.Grid.PrimingSamples))
		}
		ends = append(ends, end)
	}
	return ends
}

// SoundStream is the source's track that one of the plan's sounds is made of;
// nil when the facts do not have it.
func (p *Plan) SoundStream(n int) *AudioStream {
	for i := range p.Facts.Audio {
		if p.Facts.Audio[i].Index == p.Sounds[n].Stream {
			return &p.Facts.Audio[i]
		}
	}
	return nil
}

// SampleRate is that of all the plan's sounds, in Hz; 0 without sound.
func (p *Plan) SampleRate() int {
	if len(p.Sounds) == 0 {
		return 0
	}
	return p.Sounds[0].SampleRate
}

// Sound is how an audio rendition is made.
type Sound struct {
	Name       string `json:"name"`   // folder: "a0-und", "a1-eng-6ch"
	Stream     int    `json:"stream"` // stream index in the file
	Language   string `json:"language,omitempty"`
	Title      string `json:"title,omitempty"` // as the source names the track
	Role       Role   `json:"role,omitempty"`
	SampleRate int    `json:"sampleRate"` // output Hz
	Channels   int    `json:"channels"`
	BitRate    int    `json:"bitRate"` // bits per second
	// OriginSeconds is the timeline's 0 on the source's clock, in seconds.
	OriginSeconds float64 `json:"originSeconds"`
	// Copied is set when the source's own packets are published as they are.
	// Packet 0 is then the source's packet First, in the order of the file, and
	// Packets and PrimingSamples are those of its SoundGrid.
	Copied         bool   `json:"copied,omitempty"`
	First          int    `json:"first,omitempty"`
	Packets        []int  `json:"packets,omitempty"`
	PrimingSamples int    `json:"primingSamples,omitempty"`
	Why            string `json:"why,omitempty"` // one clause for a person, when one is due
}

// Subtitle is how a rendition of subtitles is made.
type Subtitle struct {
	Name     string `json:"name"`           // folder: "s0-eng"
	Stream   int    `json:"stream"`         // stream index in the source; -1 when they lie in File
	File     string `json:"file,omitempty"` // a file of their own, on the worker's disk
	Codec    string `json:"codec,omitempty"`
	Language string `json:"language,omitempty"`
	Title    string `json:"title,omitempty"`
	Role     Role   `json:"role,omitempty"`
	Forced   bool   `json:"forced,omitempty"`
	// OriginSeconds is the timeline's 0 on the clock of the source or the file,
	// in seconds.
	OriginSeconds float64 `json:"originSeconds"`
}

// AudioPiece is some consecutive audio segments that one process encodes.
type AudioPiece struct {
	Number       int `json:"number"`          // among all pieces of a plan
	Sound        int `json:"sound,omitempty"` // which of the plan's sounds it is of
	FirstSegment int `json:"firstSegment"`
	Segments     int `json:"segments"`
	FirstPacket  int `json:"firstPacket"` // AAC packet number on the timeline; 0 is the priming packet
	Packets      int `json:"packets"`
	// Seek is where reading starts, seconds on the source's clock; nil = from
	// the start.
	Seek *float64 `json:"seek,omitempty"`
	// Anchor ties one source packet to an exact output position, so that
	// pieces of one source agree to the sample. Nil: the source's timestamps
	// are trusted as they are.
	Anchor *Anchor `json:"anchor,omitempty"`
	Bytes  Span    `json:"bytes,omitzero"` // as Chunk.Bytes
}

// Anchor says that the source audio packet with presentation time PTS starts
// at input sample Sample of the timeline.
type Anchor struct {
	PTS    int64 `json:"pts"`    // ticks of the audio stream's time base
	Sample int64 `json:"sample"` // samples at the source's rate, from the timeline's 0
}
