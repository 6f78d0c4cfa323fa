package ffmpeg

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spool-video/spool"
)

const (
	// packetSamples is how many samples of a channel an AAC-LC packet holds.
	packetSamples = 1024
	// prerollPackets are encoded before a piece and dropped: an encoder needs
	// some packets to come to what it would have made in one go.
	prerollPackets = 8
	// postrollPackets are encoded behind a piece, since an encoder holds back
	// what it has not seen the end of.
	postrollPackets = 4
	// anchorSlack is how far a decoded frame's time may be from that of its
	// packet: Matroska rounds to 1 ms, and half of it on either side.
	anchorSlack = 0.001
	// gap is the smallest hole, in seconds, that is filled with silence;
	// smaller ones are jitter of timestamps.
	gap = 0.025
)

// AudioEncoding is one encoder process: a piece of a plan's sound.
type AudioEncoding struct {
	Input []string // how the source is opened, "-i" and its file included
	Plan  *spool.Plan
	Piece spool.AudioPiece
}

// Preroll is how many AAC packets AudioArgs encodes before a piece's own;
// they are to be dropped.
func Preroll(p spool.AudioPiece) int { return min(p.FirstPacket, prerollPackets) }

// AudioArgs are the arguments of the ffmpeg that makes a piece of sound. Pipe
// 0 of the process (its descriptor 3) carries the times of the source's
// frames, in samples at the source's rate, as SourceTime reads them; pipe 1
// the AAC packets in ADTS framing, pre-roll first, at least as many as the
// piece has.
func AudioArgs(e AudioEncoding) ([]string, error) {
	if e.Piece.Sound >= len(e.Plan.Sounds) {
		return nil, fmt.Errorf("arguments of audio piece %d: the plan has no such sound", e.Piece.Number)
	}
	sound, stream := e.sound(), e.Plan.SoundStream(e.Piece.Sound)
	if stream == nil || stream.SampleRate <= 0 || sound.SampleRate <= 0 {
		return nil, fmt.Errorf("arguments of audio piece %d: its sound has no rate", e.Piece.Number)
	}
	args := []string{
		"-hide_banner", "-nostats", "-v", "error", "-y",
		"-abort_on", "empty_output+empty_output_stream",
		"-copyts", "-noaccurate_seek", "-seek_timestamp", "1",
	}
	if e.Piece.Seek != nil {
		args = append(args, "-ss", strconv.FormatFloat(*e.Piece.Seek, 'f', 6, 64))
	}
	args = append(args, "-threads", "1")
	args = append(args, e.Input...)
	graph := fmt.Sprintf("[0:%d]%s[a]", sound.Stream, strings.Join(e.filters(stream), ","))
	return append(args,
		"-filter_complex", graph, "-map", "[a]", "-map_metadata", "-1", "-map_chapters", "-1",
		"-c:a", "aac", "-profile:a", "aac_low", "-b:a", strconv.Itoa(sound.BitRate),
		"-f", "adts", fmt.Sprintf("pipe:%d", rungsPipe)), nil
}

func (e AudioEncoding) sound() *spool.Sound { return &e.Plan.Sounds[e.Piece.Sound] }

// filters lay the source's sound on the timeline: what comes before the
// piece is dropped, what is missing is silence, and exactly the samples of
// the piece with its pre-roll and post-roll come out.
func (e AudioEncoding) filters(stream *spool.AudioStream) []string {
	in, out := int64(stream.SampleRate), int64(e.sound().SampleRate)
	first := int64(e.Piece.FirstPacket-Preroll(e.Piece)) * packetSamples
	count := int64(Preroll(e.Piece)+e.Piece.Packets+postrollPackets) * packetSamples
	end := first + count
	if samples := e.Plan.Timeline.Samples; samples > 0 {
		end = min(end, samples)
	}
	// Resampling starts where a source sample and an output sample fall
	// together, so that all pieces use the same phase.
	g := spool.GCD(in, out)
	start := first / (out / g) * (in / g)
	steps := e.lay(in)
	if stream.Channels == 1 && e.sound().Channels == 2 {
		steps = append(steps, "pan=stereo|c0=c0|c1=c0") // at full level
	}
	return append(steps,
		fmt.Sprintf("aresample=%d:async=1:min_hard_comp=%g:first_pts=%d", out, gap, start),
		fmt.Sprintf("aformat=sample_fmts=fltp:sample_rates=%d:channel_layouts=%s", out, layout(e.sound().Channels)),
		fmt.Sprintf("atrim=start_pts=%d:end_pts=%d", first, max(end, first+1)),
		"asetpts=N", // counted from here on
		fmt.Sprintf("apad=whole_len=%d", count),
	)
}

// lay gives each frame its place on the timeline, in samples of the source.
func (e AudioEncoding) lay(in int64) []string {
	times := []string{
		"ametadata=mode=add:key=spool:value=1",
		fmt.Sprintf(`ametadata=mode=print:key=spool:direct=1:file=pipe\\:%d`, timesPipe),
	}
	if e.Piece.Anchor == nil {
		origin := int64(math.Round(e.sound().OriginSeconds * float64(in)))
		return append(times, fmt.Sprintf("asetpts=PTS-(%d)", origin))
	}
	// Whole frames from the anchor on, placed by counting from it.
	from := AnchorSample(e.Plan, e.Piece) - int64(anchorSlack*float64(in))
	steps := append([]string{fmt.Sprintf("aselect='gte(pts,%d)'", from)}, times...)
	return append(steps, fmt.Sprintf("asetpts=PTS-STARTPTS+(%d)", e.Piece.Anchor.Sample))
}

// AnchorSample is the time of a piece's anchor in samples at the source's
// rate: what SourceTime reads of the first frame, to within AnchorSlack.
func AnchorSample(p *spool.Plan, piece spool.AudioPiece) int64 {
	stream := p.SoundStream(piece.Sound)
	return stream.TimeBase.RescaleNearest(piece.Anchor.PTS, spool.Ratio{Num: 1, Den: int64(stream.SampleRate)})
}

// AnchorSlack is by how many samples the first frame's time may differ from
// AnchorSample.
func AnchorSlack(p *spool.Plan, piece spool.AudioPiece) int64 {
	return 2 * int64(anchorSlack*float64(p.SoundStream(piece.Sound).SampleRate))
}

func layout(channels int) string {
	switch channels {
	case 1:
		return "mono"
	case 6:
		return "5.1"
	}
	return "stereo"
}
