package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
)

// leftOut says in words what of the source is not published.
func leftOut(facts spool.Facts, sounds []spool.Sound) []string {
	var words []string
	for n, a := range facts.Audio {
		if !slices.ContainsFunc(sounds, func(s spool.Sound) bool { return s.Stream == a.Index }) {
			words = append(words, fmt.Sprintf("%s audio track%s: nothing of it is heard", ordinal(n+1), inBrackets(a.Language)))
		}
	}
	for _, s := range facts.Subtitles {
		if !s.Text() {
			words = append(words, "subtitles that are "+notText(s.Codec)+inBrackets(s.Language))
		}
	}
	return words
}

// notText says what subtitles are that are no text.
func notText(codec string) string {
	switch codec {
	case "hdmv_pgs_subtitle":
		return "pictures (PGS)"
	case "dvd_subtitle":
		return "pictures (VobSub)"
	case "dvb_subtitle":
		return "pictures (DVB)"
	case "xsub":
		return "pictures (XSUB)"
	case "eia_608":
		return "closed captions"
	case "dvb_teletext":
		return "teletext"
	}
	return "neither text nor known"
}

func ordinal(n int) string {
	names := []string{"first", "second", "third", "fourth", "fifth"}
	if n >= 1 && n <= len(names) {
		return names[n-1]
	}
	return fmt.Sprintf("%d.", n)
}

func inBrackets(language string) string {
	if language == "" {
		return ""
	}
	return " (" + language + ")"
}

// notes say in words what a person should know of how the source is treated.
func notes(p *spool.Plan, x *ffmpeg.FrameIndex, constant bool, careful int) []string {
	var words []string
	v := p.Facts.Video
	if v == nil {
		return shortened(words, p, x)
	}
	if v.HDR() {
		words = append(words, "HDR is tone-mapped to SDR")
	}
	if v.Interlaced {
		words = append(words, "interlaced pictures are deinterlaced")
	}
	if v.BitDepth > 8 {
		words = append(words, fmt.Sprintf("%d-bit colour becomes 8-bit", v.BitDepth))
	}
	rate := p.Timeline.Rate
	switch {
	case !constant:
		words = append(words, fmt.Sprintf("the variable frame rate becomes %.5g frames per second", rate.Float()))
	case rate.Float() < v.FrameRate.Float()*0.9:
		words = append(words, fmt.Sprintf("%.5g frames per second become %.5g", v.FrameRate.Float(), rate.Float()))
	}
	switch {
	case careful > 0:
		words = append(words, "the source is damaged in places, or its times are wrong: it was read from its start, and what could be decoded is shown")
	case p.Sequential:
		words = append(words, "this source cannot be sought exactly: one encoder makes all of it")
	}
	words = append(words, uneven(p)...)
	return shortened(words, p, x)
}

// cut notes the tracks that go on after the pictures for so long that somebody
// may miss it.
func cut(p *spool.Plan, tracks []*track) []string {
	const much = 2 * time.Second
	end := p.Timeline.Duration(p.SampleRate())
	var words []string
	for n, a := range p.Facts.Audio {
		i := slices.IndexFunc(tracks, func(t *track) bool { return t.stream.Index == a.Index })
		if i < 0 {
			continue
		}
		if more := time.Duration(tracks[i].length()*float64(time.Second)) - end; more > much {
			words = append(words, fmt.Sprintf("the %s audio track%s goes on for %s after the pictures: it is cut there",
				ordinal(n+1), inBrackets(a.Language), more.Round(100*time.Millisecond)))
		}
	}
	return words
}

// uneven notes that segments are not as long as was asked for, because those of
// a source that is copied can end only at its own key frames.
func uneven(p *spool.Plan) []string {
	g := p.Grid
	if g.Segment == 0 || !copied(p.Rungs) || len(g.Frames) < 2 {
		return nil
	}
	longest := p.Timeline.Rate.Invert().Duration(int64(slices.Max(g.Frames)))
	asked := time.Duration(g.Segment) * time.Second
	if g.Target <= g.Segment && longest >= asked*2/3 {
		return nil
	}
	return []string{fmt.Sprintf(
		"segments last up to %.3g s instead of %d s: the pictures of the largest size are the source's own, and these can be cut only at its key frames; --copy never makes them as asked for",
		longest.Seconds(), g.Segment)}
}

// shortened notes that a file holds less than it says: a download that was
// cut, a recording that was not closed.
func shortened(words []string, p *spool.Plan, x *ffmpeg.FrameIndex) []string {
	var measured time.Duration
	if len(x.PTS) > 0 {
		measured = x.TimeBase.Duration(x.End - x.PTS[0])
	}
	for _, s := range x.Sounds {
		measured = max(measured, s.TimeBase.Duration(s.End-s.Start()))
	}
	said := p.Facts.Duration
	if len(p.Facts.Subtitles) > 0 {
		return words // their last cue may be what lasts so long
	}
	if missing := said - measured; missing < 500*time.Millisecond || missing < said/50 {
		return words
	}
	return append(words, fmt.Sprintf("the file says that it lasts %s, but only %s of it are there",
		said.Round(100*time.Millisecond), measured.Round(100*time.Millisecond)))
}
