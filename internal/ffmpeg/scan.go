package ffmpeg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/process"
)

// lines is a writer that gives whole lines to each; what is longer than a
// line of ffprobe's can be is dropped.
type lines struct {
	each func(line []byte)
	rest []byte
}

const maxLine = 4096

// Write never fails.
func (l *lines) Write(b []byte) (int, error) {
	n := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		if len(l.rest) == 0 {
			l.each(b[:i])
		} else {
			l.each(append(l.rest, b[:i]...))
			l.rest = l.rest[:0]
		}
		b = b[i+1:]
	}
	if len(l.rest)+len(b) <= maxLine {
		l.rest = append(l.rest, b...)
	}
	return n, nil
}

// packet is one line of ffprobe -show_packets.
type packet struct {
	stream             int
	pts, dts, duration int64
	pos                int64 // of its first byte in the file; -1 when that is not known
	timed, sorted      bool  // it has a pts; it has a dts
	key, hidden        bool  // flags K and D
}

// parsePacket reads "stream_index=0|pts=512|dts=N/A|duration=512|flags=K_".
// Lines of side data and empty lines are not packets.
func parsePacket(line []byte) (packet, bool) {
	p := packet{stream: -1, pos: -1}
	for field := range bytes.SplitSeq(line, []byte{'|'}) {
		key, value, _ := bytes.Cut(field, []byte{'='})
		if string(key) == "flags" {
			p.key, p.hidden = bytes.IndexByte(value, 'K') >= 0, bytes.IndexByte(value, 'D') >= 0
			continue
		}
		n, err := strconv.ParseInt(string(value), 10, 64)
		// Sums and differences of two times must not overflow.
		if err != nil || n > math.MaxInt64/4 || n < math.MinInt64/4 {
			continue
		}
		switch string(key) {
		case "stream_index":
			p.stream = int(min(max(n, -1), math.MaxInt32))
		case "pts":
			p.pts, p.timed = n, true
		case "dts":
			p.dts, p.sorted = n, true
		case "duration":
			p.duration = max(n, 0)
		case "pos":
			p.pos = n
		}
	}
	return p, p.stream >= 0
}

// frameTime reads a frame's time from a line of the metadata filter:
// "frame:0    pts:512     pts_time:0.04".
func frameTime(line []byte) (int64, bool) {
	if !bytes.HasPrefix(line, []byte("frame:")) {
		return 0, false
	}
	for field := range bytes.FieldsSeq(line) {
		if value, ok := bytes.CutPrefix(field, []byte("pts:")); ok {
			n, err := strconv.ParseInt(string(value), 10, 64)
			return n, err == nil && n < math.MaxInt64/4 && n > math.MinInt64/4
		}
	}
	return 0, false
}

// scan collects packets of the pictures and of the sound.
type scan struct {
	video    int         // stream index; -1 without pictures
	rate     spool.Ratio // as declared
	header   time.Duration
	pictures pictures
	sounds   []*listener
	starts   map[int]int64 // presentation time of each stream's start
	atZero   bool          // the file's clock starts at exactly 0
	jumpy    bool          // a format whose clock may jump: transport and program streams
}

// pictures are what the packets of the video stream say.
type pictures struct {
	count    int
	shown    []int64
	keys     []int64
	duration map[int64]int64 // of the packets near the end, by time
	untimed  bool            // some have no presentation time
	restarts bool            // decoding times go back
	firstDTS int64
	lastDTS  int64
	base     spool.Ratio
}

func newScan(facts spool.Facts) *scan {
	s := &scan{video: -1, header: facts.Duration, starts: map[int]int64{}}
	s.jumpy = jumpy(facts.Format)
	if v := facts.Video; v != nil {
		s.video, s.rate = v.Index, v.FrameRate
		s.pictures.base, s.pictures.duration = v.TimeBase, map[int64]int64{}
	}
	for i := range facts.Audio {
		a := &facts.Audio[i]
		s.sounds = append(s.sounds, &listener{stream: a, index: SoundIndex{TimeBase: a.TimeBase}, lengths: map[int64]int{}})
	}
	return s
}

// listener is what the packets of one track of sound say.
type listener struct {
	stream  *spool.AudioStream
	index   SoundIndex
	lengths map[int64]int // durations of packets, and how often they come
	lastEnd int64
}

// listener gives that of a stream; nil when it is not one of sound.
func (s *scan) listener(stream int) *listener {
	for _, l := range s.sounds {
		if l.stream.Index == stream {
			return l
		}
	}
	return nil
}

func jumpy(format string) bool { return format == "mpegts" || format == "mpeg" }

// run reads the packets; ffprobe's text is never held.
func (s *scan) run(ctx context.Context, tools Tools, path string) error {
	args := []string{"-v", "error", "-show_entries", "format=start_time:stream=index,start_pts:packet=stream_index,pts,dts,duration,flags", "-of", "compact=p=0"}
	args = append(args, guarded(path)...)
	command := tools.probe(args)
	watched, alive, stop := tools.watch(ctx)
	defer stop()
	command.Stdout = &lines{each: func(line []byte) {
		alive()
		s.line(line)
	}}
	p, err := process.Start(watched, command)
	if err != nil {
		return err
	}
	err = hung(watched, p.Wait())
	var exit *process.ExitError
	if errors.As(err, &exit) && exit.Signal == 0 && (s.pictures.count > 0 || s.heard()) {
		return nil // damaged towards its end; what was read counts
	}
	return err
}

// heard reports whether any packet of sound has come.
func (s *scan) heard() bool {
	return slices.ContainsFunc(s.sounds, func(l *listener) bool { return len(l.index.PTS) > 0 })
}

func (s *scan) line(text []byte) {
	if p, ok := parsePacket(text); ok {
		s.take(p)
	} else {
		s.start(text)
	}
}

func (s *scan) take(p packet) {
	if p.stream == s.video {
		s.pictures.add(p)
	} else if l := s.listener(p.stream); l != nil {
		l.hear(p)
	}
}

// start reads the lines on streams and on the file, which follow the packets:
// "index=0|start_pts=2090", "start_time=0.000000".
func (s *scan) start(text []byte) {
	if string(bytes.TrimSpace(text)) == "start_time=0.000000" {
		s.atZero = true
		return
	}
	var index, at int
	if n, err := fmt.Sscanf(string(text), "index=%d|start_pts=%d", &index, &at); err == nil && n == 2 {
		s.starts[index] = int64(at)
	}
}

// shift is by how much ffmpeg moves a stream back when it reads that one
// alone, although it was told to keep times (-copyts): it takes the clock of
// a transport stream that starts at exactly 0 for one that it has set itself.
func (s *scan) shift(stream int) int64 {
	if !s.atZero || !s.jumpy {
		return 0
	}
	return max(s.starts[stream], 0)
}

// keepDurations is how many packets' durations are kept: the last frame shown
// is among the last packets.
const keepDurations = 256

func (v *pictures) add(p packet) {
	if p.sorted {
		if v.count > 0 && v.base.Duration(v.lastDTS-p.dts) > time.Second {
			v.restarts = true
		}
		if v.count == 0 {
			v.firstDTS = p.dts
		}
		v.lastDTS = p.dts
	}
	v.count++
	if !p.timed {
		v.untimed = true
		return
	}
	if p.key {
		v.keys = append(v.keys, p.pts)
	}
	if p.hidden {
		return
	}
	v.shown = append(v.shown, p.pts)
	v.duration[p.pts] = p.duration
	if n := len(v.shown); n > keepDurations {
		delete(v.duration, v.shown[n-1-keepDurations])
	}
}

func (l *listener) hear(p packet) {
	x := &l.index
	if !p.timed {
		if !p.sorted {
			x.Untimed = true
			return
		}
		p.pts = p.dts // sound is stored in the order in which it is heard
	}
	if n := len(x.PTS); n > 0 && p.pts-l.lastEnd > max(p.duration, 1) {
		x.Gaps++
	}
	if p.hidden && x.Hidden == len(x.PTS) {
		x.Hidden++
	}
	x.PTS = append(x.PTS, p.pts)
	l.lengths[p.duration]++
	l.lastEnd = p.pts + p.duration
	x.End = max(x.End, l.lastEnd)
	if len(x.PTS) == 1 {
		x.End = l.lastEnd
	}
}

// soundIndexes gives the indexes of all sound but that of which no packet was
// found, or all of whose packets are hidden.
func (s *scan) soundIndexes() map[int]*SoundIndex {
	all := map[int]*SoundIndex{}
	for _, l := range s.sounds {
		x := &l.index
		if len(x.PTS) == 0 || x.Hidden == len(x.PTS) {
			continue
		}
		x.PacketSamples = CountSamples(x, l.stream, len(l.lengths))
		x.Shift = s.shift(l.stream.Index)
		move(x.PTS, x.Shift)
		x.End -= x.Shift
		all[l.stream.Index] = x
	}
	return all
}

func move(times []int64, by int64) {
	for i := range times {
		times[i] -= by
	}
}
