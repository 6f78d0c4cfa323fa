package tap

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
)

// Index says what ffmpeg.Index finds in the finished file, from the moov box
// alone. Only End may differ, by less than a frame: with B-frames ffprobe
// guesses for how long the last picture is shown, from what the encoder wrote
// about its rate or from the time base, where the tables know it. Keys are those
// that the file lists, which are those that ffmpeg can seek to. Where the two
// might differ otherwise the error wraps ErrUnsupported: a first
// picture that may not be shown, codecs whose packets ffmpeg cuts anew, tables
// that do not tell how long the last picture is shown.
func (m *Movie) Index(facts spool.Facts) (*ffmpeg.FrameIndex, error) {
	x := &ffmpeg.FrameIndex{Sounds: map[int]*ffmpeg.SoundIndex{}}
	for i := range facts.Audio {
		if err := m.hear(x, &facts.Audio[i]); err != nil {
			return nil, err
		}
	}
	v := facts.Video
	if v == nil {
		if len(x.Sounds) == 0 {
			return nil, unsupported("index: neither pictures nor sound")
		}
		for _, s := range x.Sounds {
			if err := long(s.TimeBase, s.End-s.Start()); err != nil {
				return nil, err
			}
		}
		return x, nil
	}
	t, err := m.track(v.Index, "vide", v.TimeBase)
	if err != nil {
		return nil, err
	}
	if err := t.pictures(x, v, facts.Duration); err != nil {
		return nil, err
	}
	return x, long(x.TimeBase, x.End-x.PTS[0])
}

// hear adds the index of a track of sound, when something of it is heard.
func (m *Movie) hear(x *ffmpeg.FrameIndex, a *spool.AudioStream) error {
	t, err := m.track(a.Index, "soun", a.TimeBase)
	if err != nil {
		return err
	}
	sound, err := t.sound(a)
	if sound != nil {
		x.Sounds[a.Index] = sound
	}
	return err
}

// long leaves the refusal of what is too long to who sees the whole file.
func long(base spool.Ratio, ticks int64) error {
	if length := base.Duration(ticks); length > ffmpeg.MaxDuration {
		return unsupported("index: %s long", length)
	}
	return nil
}

// track gives a track by ffmpeg's number, if it is what ffprobe says it is.
func (m *Movie) track(index int, handler string, base spool.Ratio) (*Track, error) {
	if index < 0 || index >= len(m.Tracks) {
		return nil, unsupported("index: no track %d", index)
	}
	t := &m.Tracks[index]
	if t.Err != nil {
		return nil, t.Err
	}
	if t.Handler != handler || t.TimeBase != base {
		return nil, unsupported("index: track %d is %q at %v, not %q at %v", index, t.Handler, t.TimeBase, handler, base)
	}
	return t, nil
}

// wholePackets are codecs whose samples ffmpeg takes for packets as they are,
// and whose first frame it shows when decoding begins at a key frame that no
// other picture comes before.
var wholePackets = map[string]bool{
	"h264": true, "hevc": true, "mpeg4": true, "vp9": true, "av1": true, "prores": true, "mjpeg": true,
}

// intra are codecs all of whose pictures are key frames.
var intra = map[string]bool{"prores": true, "mjpeg": true}

// pictures fills in what is known of the video track.
func (t *Track) pictures(x *ffmpeg.FrameIndex, v *spool.VideoStream, header time.Duration) error {
	if !wholePackets[v.Codec] {
		return unsupported("index: packets of %s", v.Codec)
	}
	if t.unlisted && len(t.Samples) > 1 && !intra[v.Codec] {
		return unsupported("index: no list of key frames")
	}
	x.TimeBase = t.TimeBase
	for i := range t.Samples {
		s := &t.Samples[i]
		if s.Key {
			x.Keys = append(x.Keys, s.PTS)
		}
		if !s.Hidden {
			x.PTS = append(x.PTS, s.PTS)
		}
		// Pictures before the first key frame lean on what is not here: whether
		// they are shown is the decoder's business.
		if s.PTS < t.Samples[0].PTS {
			return unsupported("index: pictures before the first key frame")
		}
	}
	if len(x.PTS) == 0 || !t.Samples[0].Key {
		return unsupported("index: it does not begin with a key frame")
	}
	slices.Sort(x.PTS)
	slices.Sort(x.Keys)
	x.Zero = x.PTS[0]
	return t.end(x, v, header)
}

// end finds when the last picture ends.
func (t *Track) end(x *ffmpeg.FrameIndex, v *spool.VideoStream, header time.Duration) error {
	last := x.PTS[len(x.PTS)-1]
	length := t.lasts(last, v)
	if length < 0 {
		return unsupported("index: how long the last picture is shown")
	}
	if length == 0 || t.TimeBase.Duration(length) > max(10*time.Second, header) {
		length = 0
		if n := int64(len(x.PTS) - 1); n > 0 {
			length = (last - x.PTS[0]) / n
		} else if v.FrameRate.Known() {
			length = v.FrameRate.Invert().RescaleNearest(1, t.TimeBase)
		}
	}
	x.End = last + max(length, 1)
	return nil
}

// lasts is for how long the picture shown at a time is shown; negative when
// the tables do not tell. They tell it at once where pictures are shown in the
// order of decoding, else by the rate.
func (t *Track) lasts(pts int64, v *spool.VideoStream) int64 {
	if i := t.shownAt(pts); i >= 0 && !t.reordered {
		if d := t.toNext(i); d > 0 {
			return d
		}
	}
	switch {
	case t.regular > 0:
		return t.regular
	case v.Codec == "h264" && t.common > max(1, t.TimeBase.Den/500):
		return t.common
	case t.jittery():
		return t.nominal()
	}
	return -1
}

// shownAt is the last sample that is shown at a time; -1 when there is none.
func (t *Track) shownAt(pts int64) int {
	for i := len(t.Samples) - 1; i >= 0; i-- {
		if t.Samples[i].PTS == pts && !t.Samples[i].Hidden {
			return i
		}
	}
	return -1
}

// jittery reports whether the pictures come at a constant rate but for
// rounding: of a time base that does not fit, or of milliseconds.
func (t *Track) jittery() bool {
	var sum int64
	for i := range t.Samples {
		sum += int64(t.Samples[i].Duration)
	}
	n := int64(len(t.Samples))
	for i := range t.Samples[:n-1] {
		if off := int64(t.Samples[i].Duration)*n - sum; max(off, -off) > n*(2+t.TimeBase.Den/1000) {
			return false
		}
	}
	return true
}

// nominal is the distance of pictures at the usual rate that is nearest to
// the track's, rounded down as ffprobe does; negative when none is near.
func (t *Track) nominal() int64 {
	last := len(t.Samples) - 1
	if last < 1 {
		return -1
	}
	span := t.TimeBase.Float() * float64(t.Samples[last].DTS-t.Samples[0].DTS)
	best, off := spool.Ratio{}, 0.01*span
	for whole := range int64(240) {
		for _, rate := range []spool.Ratio{{Num: whole + 1, Den: 1}, {Num: (whole + 1) * 1000, Den: 1001}} {
			if d := math.Abs(span - float64(last)/rate.Float()); d < off {
				best, off = rate, d
			}
		}
	}
	if !best.Known() {
		return -1
	}
	return best.Invert().Rescale(1, t.TimeBase)
}

// toNext is how long a sample lasts until the next one is decoded; the last
// one lasts until the track ends.
func (t *Track) toNext(i int) int64 {
	next := t.length
	if i+1 < len(t.Samples) {
		next = t.Samples[i+1].DTS
	}
	return max(next-t.Samples[i].DTS, 0)
}

// wholeSound are codecs of sound whose samples ffmpeg takes for packets as
// they are.
var wholeSound = map[string]bool{"aac": true, "alac": true, "flac": true, "opus": true, "mp3": true, "ac3": true, "eac3": true}

// plain reports whether sound is not compressed: where its packets begin
// depends on where reading does.
func plain(a *spool.AudioStream) bool { return strings.HasPrefix(a.Codec, "pcm_") }

// sound gives the index of a track of sound, nil when nothing of it is heard.
func (t *Track) sound(a *spool.AudioStream) (*ffmpeg.SoundIndex, error) {
	if !wholeSound[a.Codec] && !plain(a) || t.reordered {
		return nil, unsupported("index: packets of %s", a.Codec)
	}
	x := &ffmpeg.SoundIndex{TimeBase: t.TimeBase, PTS: make([]int64, 0, len(t.Samples))}
	lengths := map[int64]bool{}
	end := int64(0)
	for i := range t.Samples {
		s, length := &t.Samples[i], t.packetLength(i, a)
		if length <= 0 {
			return nil, unsupported("index: how long sample %d of the sound is", i)
		}
		if i > 0 && s.PTS-end > length {
			x.Gaps++
		}
		if s.Hidden && x.Hidden == i {
			x.Hidden++
		}
		x.PTS = append(x.PTS, s.PTS)
		lengths[length] = true
		end = s.PTS + length
		if x.End = max(x.End, end); i == 0 {
			x.End = end
		}
	}
	if x.Hidden == len(x.PTS) {
		return nil, nil
	}
	x.PacketSamples = ffmpeg.CountSamples(x, a, len(lengths))
	return x, nil
}

// packetLength is how long ffprobe says that a packet of sound is; 0 when the
// tables do not tell.
func (t *Track) packetLength(i int, a *spool.AudioStream) int64 {
	length := t.toNext(i)
	counted := a.Codec == "ac3" || a.Codec == "eac3" // ffmpeg looks into these
	switch {
	case length > 0 && !counted:
		return length
	case plain(a):
		return int64(t.Samples[i].Duration)
	case counted || a.Codec == "aac" || a.Codec == "mp3":
		return t.regular
	}
	return 0
}
