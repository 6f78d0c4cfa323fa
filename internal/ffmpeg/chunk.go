package ffmpeg

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spool-video/spool"
)

// Encoding is one encoder process: a chunk of a plan, for all rungs that are
// encoded or a row of them.
type Encoding struct {
	Input     []string // how the source is opened, "-i" and its file included
	Plan      *spool.Plan
	Chunk     spool.Chunk
	Preset    string // x264's
	Threads   int    // of the decoder, the filters and each encoder
	Timescale int    // ticks per second of the video tracks that are written
	// Skip leaves out that many output frames at the chunk's start, a whole
	// number of segments. Only plans that are encoded from the start by one
	// process use it, to go on after a crash.
	Skip  int
	Rungs Row // of EncodedRungs, the ones that this process makes
}

// Row is a row of rungs: those from From up to To. The zero value is all.
type Row struct{ From, To int }

// Of gives the rungs of the row.
func (w Row) Of(rungs []spool.Rung) []spool.Rung {
	from, to := w.bounds(rungs)
	return rungs[from:to]
}

func (w Row) bounds(rungs []spool.Rung) (from, to int) {
	if w.To == 0 {
		return 0, len(rungs)
	}
	return w.From, w.To
}

// The extra pipes of an encoder process: the first carries the source times
// of the frames that were chosen, the others one rung each, highest first.
const (
	timesPipe = 3
	rungsPipe = 4
)

// EncodedRungs are the rungs that an encoder process makes, in the order of
// its pipes.
func EncodedRungs(p *spool.Plan) []spool.Rung {
	var rungs []spool.Rung
	for _, r := range p.Rungs {
		if r.Action == spool.EncodeRung {
			rungs = append(rungs, r)
		}
	}
	return rungs
}

// ChunkArgs are the arguments of the one ffmpeg that makes a chunk: one
// decode, frames chosen by their absolute source times, scaling in a cascade,
// one fragmented MP4 a rung. Pipe 0 of the process (its descriptor 3) carries
// what SourceTime reads, pipe 1+i the rung i of the row. A rung is the same to
// the byte whichever row makes it.
func ChunkArgs(e Encoding) ([]string, error) {
	video, rungs := e.Plan.Facts.Video, EncodedRungs(e.Plan)
	if video == nil || len(rungs) == 0 {
		return nil, fmt.Errorf("arguments of chunk %d: the plan encodes no pictures", e.Chunk.Number)
	}
	if !e.Plan.Timeline.TimeBase.Known() || !e.Plan.Timeline.Rate.Known() {
		return nil, fmt.Errorf("arguments of chunk %d: the plan has no time base or frame rate", e.Chunk.Number)
	}
	threads := strconv.Itoa(max(e.Threads, 1))
	args := []string{
		"-hide_banner", "-nostats", "-v", "error", "-y",
		"-max_error_rate", "0.1", "-abort_on", "empty_output+empty_output_stream",
		"-filter_complex_threads", threads,
		// Source times stay what they are, and seeking is to an absolute time.
		"-copyts", "-noaccurate_seek", "-seek_timestamp", "1",
	}
	if e.Chunk.Seek != nil {
		args = append(args, "-ss", seconds(*e.Chunk.Seek, e.Plan.Timeline.TimeBase))
	}
	if !video.Interlaced && video.Rotation == 0 {
		// A picture size that changes in the middle must not start the graph
		// anew, which counts frames. Only scale meets it; deinterlacing and
		// turning could not.
		args = append(args, "-reinit_filter", "0")
	}
	args = append(args, "-threads", threads)
	args = append(args, e.Input...)
	args = append(args, "-filter_complex", e.graph(video, rungs))
	for i, r := range e.Rungs.Of(rungs) {
		args = append(args, "-map", fmt.Sprintf("[o%d]", i))
		args = append(args, e.rung(r, threads)...)
		args = append(args, fmt.Sprintf("pipe:%d", rungsPipe+i))
	}
	return args, nil
}

// rung are the output options of one rung.
func (e Encoding) rung(r spool.Rung, threads string) []string {
	rate, gop := strconv.Itoa(r.MaxRate), strconv.Itoa(e.Plan.Grid.GOP)
	args := []string{
		"-fps_mode", "passthrough", "-map_metadata", "-1", "-map_chapters", "-1",
		"-c:v", "libx264", "-preset", e.Preset, "-profile:v", "high", "-crf", strconv.Itoa(r.CRF),
		"-maxrate", rate, "-bufsize", rate,
		"-g", gop, "-keyint_min", gop, "-sc_threshold", "0",
		// stitchable: parameter sets do not depend on what is encoded, so that
		// the chunks of a rung share one init section.
		"-x264-params", "stitchable=1:open-gop=0",
		// Captions in the pictures would have to be declared; they are left out.
		"-a53cc", "0",
		"-threads", threads,
		"-video_track_timescale", strconv.Itoa(e.Timescale),
	}
	if keys := e.keys(); keys != "" {
		args = append(args, "-force_key_frames", keys, "-forced-idr", "1")
	}
	return append(args, "-f", "mp4", "-movflags", "+cmaf+frag_keyframe+empty_moov+default_base_moof+skip_trailer")
}

// keys names the frames that begin segments, when counting GOPs from the first
// does not hit them: the grid is then that of a source which is copied. They
// are told by their numbers; ffmpeg's versions round times in ways of their
// own. x264 counts the next GOP from there.
func (e Encoding) keys() string {
	var terms []string
	frames, gop, regular := e.Plan.Grid.Frames, max(e.Plan.Grid.GOP, 1), true
	from := min(e.Chunk.FirstSegment, len(frames))
	frames = frames[from:min(from+e.Chunk.Segments, len(frames))]
	for i, at := 0, -e.Skip; i < len(frames)-1; i++ {
		regular = regular && frames[i]%gop == 0
		if at += frames[i]; at > 0 {
			terms = append(terms, fmt.Sprintf("eq(n,%d)", at))
		}
	}
	if regular {
		return ""
	}
	return "expr:" + strings.Join(terms, "+")
}

// graph is the filter graph. ffmpeg itself puts rotation in front of it.
func (e Encoding) graph(video *spool.VideoStream, rungs []spool.Rung) string {
	steps := e.choose(video)
	steps = append(steps, e.picture(video, rungs[0])...)
	var g strings.Builder
	fmt.Fprintf(&g, "[0:%d]%s", video.Index, strings.Join(steps, ","))
	from, to := e.Rungs.bounds(rungs)
	for i := 1; i < to; i++ {
		if i <= from {
			g.WriteString(",") // the rung before only leads to this one
		} else {
			fmt.Fprintf(&g, ",split=2[o%d][c%d];[c%d]", i-1-from, i, i)
		}
		fmt.Fprintf(&g, "scale=w=%d:h=%d:flags=bicubic,setsar=1,format=yuv420p,%s", rungs[i].Width, rungs[i].Height, colourOf(video).setparams())
	}
	fmt.Fprintf(&g, "[o%d]", to-1-from)
	return g.String()
}

// choose are the filters that pick the output frames by their source times.
func (e Encoding) choose(video *spool.VideoStream) []string {
	line, ticks := e.Plan.Timeline, int64(1)
	var steps []string
	if video.Interlaced {
		// Before the cut, since it looks at neighbours; it halves the time base.
		steps, ticks = append(steps, "bwdif=mode=send_frame"), 2
	}
	steps = append(steps,
		fmt.Sprintf("trim=start_pts=%d:end_pts=%d", e.Chunk.FirstPTS*ticks, e.Chunk.LastPTS*ticks+1),
		// The filter prints only frames that have metadata: give them some.
		"metadata=mode=add:key=spool:value=1",
		fmt.Sprintf(`metadata=mode=print:key=spool:direct=1:file=pipe\\:%d`, timesPipe),
	)
	if end := e.Chunk.FirstFrame + e.Chunk.Frames; end >= line.Frames {
		// The fps filter drops a last frame that is shown for less than half
		// an output frame. One more, after the end, keeps it.
		after := -line.Rate.Invert().Rescale(-int64(end), line.TimeBase)
		steps = append(steps, "tpad=stop=1:stop_mode=clone",
			fmt.Sprintf("setpts='if(lt(N,%d),PTS-(%d),%d)'", e.Chunk.SourceFrames, line.Origin*ticks, after*ticks))
	} else {
		steps = append(steps, fmt.Sprintf("setpts=PTS-(%d)", line.Origin*ticks))
	}
	rate := fmt.Sprintf("fps=fps=%s:round=near", line.Rate)
	if e.Plan.Sequential {
		// Its first frame may be missing: the next one is shown from 0 on.
		rate += ":start_time=0"
	}
	first := e.Chunk.FirstFrame + e.Skip
	return append(steps, rate,
		// After the last source frame it is held for as long as the chunk lasts.
		"tpad=stop=-1:stop_mode=clone",
		fmt.Sprintf("trim=start_pts=%d:end_pts=%d", first, e.Chunk.FirstFrame+e.Chunk.Frames),
		fmt.Sprintf("setpts=PTS-%d", first),
	)
}

// picture are the filters that make the highest rung of a source frame.
func (e Encoding) picture(video *spool.VideoStream, top spool.Rung) []string {
	colour := colourOf(video)
	scale := fmt.Sprintf("scale=w=%d:h=%d:flags=bicubic", top.Width, top.Height)
	if video.HDR() {
		// Scaled first: tone mapping works on floating-point pictures.
		return append(append([]string{scale}, toneMap(video)...), "format=yuv420p", "setsar=1", colour.setparams())
	}
	scale += ":out_range=tv"
	switch {
	case isRGB(video):
		scale += ":out_color_matrix=bt709"
	case strings.HasPrefix(video.PixFmt, "yuvj") || video.Range == "pc":
		scale += ":in_range=pc"
	default:
		// Told so, the filter copies no picture that is of the right size already.
		scale += ":in_range=tv"
	}
	return []string{scale, "setsar=1", "format=yuv420p", colour.setparams()}
}

// toneMap are the filters that make SDR of HDR.
func toneMap(video *spool.VideoStream) []string {
	in := fmt.Sprintf("tin=%s:min=%s:pin=%s:rin=%s", video.Transfer,
		known(video.Space, "bt2020nc"), known(video.Primaries, "bt2020"), known(video.Range, "tv"))
	return []string{
		"zscale=" + in + ":t=linear:npl=100", "format=gbrpf32le", "zscale=p=bt709",
		"tonemap=tonemap=hable:desat=0", "zscale=t=bt709:m=bt709:r=tv",
	}
}

// NeedsToneMap reports whether a plan's pictures are HDR: then ChunkArgs uses
// the filters zscale and tonemap.
func NeedsToneMap(p *spool.Plan) bool { return p.Facts.Video != nil && p.Facts.Video.HDR() }

// colour is how an SDR output is tagged.
type colour struct{ matrix, primaries, transfer string }

// colourOf keeps the colours of the source and says what they are, also where
// the source does not: players would guess by the size of each rung.
func colourOf(v *spool.VideoStream) colour {
	ntsc := colour{"smpte170m", "smpte170m", "smpte170m"}
	pal := colour{"bt470bg", "bt470bg", "smpte170m"}
	switch {
	case v.HDR() || isRGB(v):
		return colour{"bt709", "bt709", "bt709"}
	case v.Space == "bt2020nc":
		return colour{"bt2020nc", "bt2020", "bt709"}
	case v.Space == "smpte170m":
		return ntsc
	case v.Space == "bt470bg":
		return pal
	case v.Space == "" || v.Space == "unknown" || v.Space == "reserved":
		if max(v.Width, v.Height) >= 1280 || min(v.Width, v.Height) > 576 {
			return colour{"bt709", "bt709", "bt709"}
		}
		if v.Height == 576 || v.Height == 288 {
			return pal
		}
		return ntsc
	}
	return colour{"bt709", "bt709", "bt709"}
}

func (c colour) setparams() string {
	return fmt.Sprintf("setparams=range=tv:colorspace=%s:color_primaries=%s:color_trc=%s",
		c.matrix, c.primaries, c.transfer)
}

func isRGB(v *spool.VideoStream) bool {
	for _, name := range []string{"rgb", "bgr", "gbr", "argb", "abgr", "pal8", "0rgb", "0bgr"} {
		if strings.HasPrefix(v.PixFmt, name) {
			return true
		}
	}
	return v.Space == "gbr"
}

func known(s, otherwise string) string {
	if s == "" || s == "unknown" || s == "reserved" {
		return otherwise
	}
	return s
}

// seconds writes ticks as seconds with microseconds, rounded up: ffmpeg looks
// for the last key frame that is not later.
func seconds(ticks int64, base spool.Ratio) string {
	micro := -base.Rescale(-ticks, spool.Ratio{Num: 1, Den: 1_000_000})
	sign := ""
	if micro < 0 {
		sign, micro = "-", -micro
	}
	return fmt.Sprintf("%s%d.%06d", sign, micro/1_000_000, micro%1_000_000)
}

// SourceTime reads one line of the pipe of source times. ok is false for the
// lines in between, and time is in ticks of the plan's time base; a frame
// without a time gives an error.
func SourceTime(line string, video *spool.VideoStream) (time int64, ok bool, err error) {
	if !strings.HasPrefix(line, "frame:") {
		return 0, false, nil
	}
	for field := range strings.FieldsSeq(line) {
		value, found := strings.CutPrefix(field, "pts:")
		if !found {
			continue
		}
		time, err = strconv.ParseInt(value, 10, 64)
		if err != nil {
			return 0, false, fmt.Errorf("read source time %q: %w", line, err)
		}
		if video != nil && video.Interlaced {
			time /= 2
		}
		return time, true, nil
	}
	return 0, false, fmt.Errorf("read source time %q: it has none", line)
}
