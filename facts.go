package spool

import "time"

// Facts are what probing found in a source.
type Facts struct {
	Format    string           `json:"format"`   // ffprobe's format name: "mov,mp4,m4a,3gp,3g2,mj2"
	Duration  time.Duration    `json:"duration"` // as the header says; measured durations are in the plan
	Size      int64            `json:"size"`     // bytes
	Video     *VideoStream     `json:"video,omitempty"`
	Audio     []AudioStream    `json:"audio,omitempty"`
	Subtitles []SubtitleStream `json:"subtitles,omitempty"`
	Cover     int              `json:"cover"` // stream index of an attached picture, or -1
}

// VideoStream is the one stream of moving pictures that is published.
type VideoStream struct {
	Index      int    `json:"index"` // stream index in the file
	Codec      string `json:"codec"` // ffmpeg's name: "h264"
	Profile    string `json:"profile,omitempty"`
	Width      int    `json:"width"`  // coded pixels, before sample aspect and rotation
	Height     int    `json:"height"` // coded pixels
	SAR        Ratio  `json:"sar"`    // sample aspect ratio; 1/1 when unknown
	Rotation   int    `json:"rotation,omitempty"`
	FrameRate  Ratio  `json:"frameRate"` // average frames per second
	TimeBase   Ratio  `json:"timeBase"`  // seconds per tick
	PixFmt     string `json:"pixFmt"`
	BitDepth   int    `json:"bitDepth"`
	Interlaced bool   `json:"interlaced,omitempty"`
	Range      string `json:"range,omitempty"`     // color_range: "tv", "pc"
	Space      string `json:"space,omitempty"`     // color_space (matrix)
	Transfer   string `json:"transfer,omitempty"`  // color_transfer
	Primaries  string `json:"primaries,omitempty"` // color_primaries
}

// HDR reports whether the stream's transfer is PQ or HLG.
func (v *VideoStream) HDR() bool {
	return v.Transfer == "smpte2084" || v.Transfer == "arib-std-b67"
}

// Display is the size in square pixels, upright, as a viewer sees it; not
// rounded to even.
func (v *VideoStream) Display() (width, height int) {
	width, height = v.Width, v.Height
	if v.SAR.Known() && v.SAR.Num != v.SAR.Den {
		width = int((int64(width)*v.SAR.Num + v.SAR.Den/2) / v.SAR.Den)
	}
	if v.Rotation%180 != 0 {
		width, height = height, width
	}
	return max(width, 1), max(height, 1)
}

// AudioStream is one track of sound.
type AudioStream struct {
	Index      int    `json:"index"`
	Codec      string `json:"codec"`
	Channels   int    `json:"channels"`
	SampleRate int    `json:"sampleRate"` // Hz
	TimeBase   Ratio  `json:"timeBase"`
	Language   string `json:"language,omitempty"` // ISO 639 as tagged, or ""
	Title      string `json:"title,omitempty"`
	Default    bool   `json:"default,omitempty"`
	Role       Role   `json:"role,omitempty"`
}

// Role is what a track is for besides being watched: most have none.
type Role string

// The roles of tracks, by what their files say.
const (
	Commentary Role = "commentary"       // somebody speaks about the video
	Described  Role = "described"        // sound for who does not see: what is shown is told
	Impaired   Role = "hearing-impaired" // for who hears badly: speech that is easy to follow, or subtitles that tell of sounds, too
)

// SubtitleStream is one track of subtitles.
type SubtitleStream struct {
	Index    int    `json:"index"`
	Codec    string `json:"codec"`
	Language string `json:"language,omitempty"`
	Title    string `json:"title,omitempty"`
	Role     Role   `json:"role,omitempty"`
	Forced   bool   `json:"forced,omitempty"` // only what is spoken in a language that the film's viewers do not know
}

// Text reports whether the subtitles are text; others are pictures of it.
func (s SubtitleStream) Text() bool {
	switch s.Codec {
	case "subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text":
		return true
	}
	return false
}
