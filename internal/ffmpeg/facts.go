package ffmpeg

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spool-video/spool"
)

// answer is ffprobe's JSON, as far as it is used.
type answer struct {
	Streams []stream `json:"streams"`
	Format  struct {
		Name     string `json:"format_name"`
		Start    string `json:"start_time"`
		Duration string `json:"duration"`
		Size     string `json:"size"`
	} `json:"format"`
}

type stream struct {
	Index       int    `json:"index"`
	Type        string `json:"codec_type"`
	Codec       string `json:"codec_name"`
	Tag         string `json:"codec_tag_string"`
	Profile     string `json:"profile"`
	Width       int    `json:"width"`
	Height      int    `json:"height"`
	SAR         string `json:"sample_aspect_ratio"`
	PixFmt      string `json:"pix_fmt"`
	FieldOrder  string `json:"field_order"`
	Range       string `json:"color_range"`
	Space       string `json:"color_space"`
	Transfer    string `json:"color_transfer"`
	Primaries   string `json:"color_primaries"`
	AvgRate     string `json:"avg_frame_rate"`
	BaseRate    string `json:"r_frame_rate"`
	TimeBase    string `json:"time_base"`
	SampleRate  string `json:"sample_rate"`
	Channels    int    `json:"channels"`
	Disposition struct {
		Default     int `json:"default"`
		AttachedPic int `json:"attached_pic"`
		Comment     int `json:"comment"`
		Described   int `json:"visual_impaired"`
		Impaired    int `json:"hearing_impaired"`
		Forced      int `json:"forced"`
	} `json:"disposition"`
	Tags struct {
		Language string `json:"language"`
		Title    string `json:"title"`
	} `json:"tags"`
	SideData []struct {
		Type     string  `json:"side_data_type"`
		Rotation float64 `json:"rotation"`
	} `json:"side_data_list"`
}

// parse reads ffprobe's JSON into facts, and refuses what cannot be published.
func parse(text []byte) (spool.Facts, error) {
	facts, _, err := parseStart(text)
	return facts, err
}

// parseStart gives also when the file begins, as ffprobe writes it.
func parseStart(text []byte) (spool.Facts, string, error) {
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return spool.Facts{}, "", fmt.Errorf("read ffprobe's answer: %w", err)
	}
	facts, err := a.facts()
	return facts, a.Format.Start, err
}

func (a answer) facts() (spool.Facts, error) {
	facts := spool.Facts{Format: a.Format.Name, Duration: duration(a.Format.Duration), Cover: -1}
	if size, err := strconv.ParseInt(a.Format.Size, 10, 64); err == nil {
		facts.Size = size
	}
	if len(a.Streams) > MaxStreams {
		return facts, tooManyStreams(len(a.Streams))
	}
	var pictures *stream
	for i := range a.Streams {
		s := &a.Streams[i]
		switch s.Type {
		case "video":
			if s.Disposition.AttachedPic == 1 {
				facts.Cover = max(facts.Cover, s.Index)
			} else if pictures == nil || s.Disposition.Default > pictures.Disposition.Default {
				pictures = s
			}
		case "audio":
			if err := s.known(audioCodecs); err == nil {
				facts.Audio = append(facts.Audio, s.audio())
			}
		case "subtitle":
			facts.Subtitles = append(facts.Subtitles, spool.SubtitleStream{
				Index: s.Index, Codec: s.Codec, Language: language(s.Tags.Language), Title: clean(s.Tags.Title, 80),
				Role: s.role(), Forced: s.Disposition.Forced == 1,
			})
		}
	}
	return facts, a.judge(&facts, pictures)
}

// judge takes the pictures into the facts, or says why they cannot be.
func (a answer) judge(facts *spool.Facts, pictures *stream) error {
	for _, s := range a.Streams {
		for _, d := range s.SideData {
			if strings.HasPrefix(d.Type, "Encryption") {
				return encrypted()
			}
		}
	}
	if pictures == nil {
		if len(facts.Audio) > 0 {
			return nil
		}
		for _, s := range a.Streams {
			if s.Type == "audio" {
				return s.known(audioCodecs)
			}
		}
		return refuse("no-media", "the source holds neither video nor audio", notMediaHint)
	}
	if err := pictures.known(videoCodecs); err != nil {
		return err
	}
	switch w, h := pictures.Width, pictures.Height; {
	case w <= 0 || h <= 0:
		return refuse("no-picture-size", "the size of the pictures is missing, or beyond 8192x4320", tooLargeHint)
	case int64(w)*int64(h) > MaxPixels:
		return refuse("too-many-pixels", fmt.Sprintf("pictures of %dx%d are more than Spool decodes (8192x4320)", w, h), tooLargeHint)
	}
	video, err := pictures.video()
	facts.Video = video
	return err
}

const tooLargeHint = "check the file, or convert it to a smaller size first"

func encrypted() error {
	return refuse("encrypted", "the source is protected (encrypted); Spool has no key for it", "publish from the unprotected original")
}

func tooManyStreams(n int) error {
	return refuse("too-many-streams", fmt.Sprintf("the file holds %d streams; %d are allowed", n, MaxStreams), "keep only the streams that are wanted")
}

// known refuses codecs that are not on a list.
func (s *stream) known(list []string) error {
	for _, name := range list {
		if s.Codec == name {
			return nil
		}
	}
	what := s.Codec
	if what == "" || what == "unknown" || what == "none" {
		what = s.Tag
	}
	return refuse("unknown-codec", fmt.Sprintf("the %s codec %q is not one that Spool decodes", s.Type, clean(what, 20)),
		"convert the source to a usual codec (H.264, HEVC, VP9, AV1; AAC, MP3, Opus) first")
}

func (s *stream) video() (*spool.VideoStream, error) {
	v := &spool.VideoStream{
		Index: s.Index, Codec: s.Codec, Profile: clean(s.Profile, 40), Width: s.Width, Height: s.Height,
		SAR: ratio(s.SAR), FrameRate: ratio(s.AvgRate), TimeBase: ratio(s.TimeBase), PixFmt: s.PixFmt,
		BitDepth: bitDepth(s.PixFmt), Range: s.Range, Space: s.Space, Transfer: s.Transfer, Primaries: s.Primaries,
	}
	if !v.SAR.Known() || v.SAR.Float() > 100 || v.SAR.Float() < 0.01 {
		v.SAR = spool.Ratio{Num: 1, Den: 1}
	}
	if !v.FrameRate.Known() {
		v.FrameRate = ratio(s.BaseRate)
	}
	if !v.TimeBase.Known() {
		return nil, refuse("not-media", "the video stream has no clock", notMediaHint)
	}
	switch s.FieldOrder {
	case "tt", "bb", "tb", "bt":
		v.Interlaced = true
	}
	for _, d := range s.SideData {
		if !math.IsNaN(d.Rotation) && math.Abs(d.Rotation) <= 360 {
			v.Rotation = (360 - int(math.Round(d.Rotation/90))*90) % 360 // ffprobe counts against the clock
		}
	}
	return v, nil
}

func (s *stream) audio() spool.AudioStream {
	rate, err := strconv.Atoi(s.SampleRate)
	if err != nil || rate < 0 || rate > 1_000_000 {
		rate = 0
	}
	return spool.AudioStream{
		Index: s.Index, Codec: s.Codec, Channels: s.Channels, SampleRate: rate, TimeBase: ratio(s.TimeBase),
		Language: language(s.Tags.Language), Title: clean(s.Tags.Title, 80), Default: s.Disposition.Default == 1, Role: s.role(),
	}
}

// role is what a track is for, by its disposition.
func (s *stream) role() spool.Role {
	switch d := s.Disposition; {
	case d.Comment == 1:
		return spool.Commentary
	case d.Described == 1:
		return spool.Described
	case d.Impaired == 1:
		return spool.Impaired
	}
	return ""
}

// ratio reads a fraction; what is none is unknown.
func ratio(s string) spool.Ratio {
	r, err := spool.ParseRatio(s)
	if err != nil || !r.Known() || r.Num > math.MaxInt32 || r.Den > math.MaxInt32 {
		return spool.Ratio{}
	}
	return r
}

// duration reads seconds; more than ten years is a lie that is kept in bounds.
func duration(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f < 0 {
		return 0
	}
	return time.Duration(min(f, 3e8) * float64(time.Second))
}

var depthPattern = regexp.MustCompile(`(?:p|gray|gb[ra]*p|x2rgb|x2bgr|0)(9|10|12|14|16)(?:le|be)$`)

// bitDepth reads the bits a sample from a pixel format's name: yuv420p10le.
func bitDepth(pixFmt string) int {
	m := depthPattern.FindStringSubmatch(pixFmt)
	if m == nil {
		return 8
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 8
	}
	return n
}

var languagePattern = regexp.MustCompile(`^[a-z]{2,3}(-[a-z0-9]{2,8}){0,2}$`)

// language keeps tags that may stand in a folder's name and in a playlist.
func language(tag string) string {
	tag = strings.ToLower(tag)
	if tag == "und" || !languagePattern.MatchString(tag) {
		return ""
	}
	return tag
}

// clean keeps at most n printable characters.
func clean(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		if n == 0 {
			break
		}
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			n--
		}
	}
	return b.String()
}
