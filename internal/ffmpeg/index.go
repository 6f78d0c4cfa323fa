package ffmpeg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/process"
)

// FrameIndex is what lies where on a source's clock. Times of pictures are
// ticks of the video stream's time base.
type FrameIndex struct {
	TimeBase spool.Ratio
	// PTS are the presentation times of all frames that are shown, sorted.
	PTS []int64
	// Keys are the presentation times of key frames, sorted: also of those that
	// are decoded but not shown.
	Keys []int64
	// End is when the last frame ends.
	End int64
	// Decoded is set when the times were found by decoding the whole source,
	// because its packets do not tell them; seeking to them is not safe then.
	Decoded bool
	// Zero is where the pictures begin on the file's own clock, which the sound
	// is laid by. It is the first of PTS but where there are no presentation
	// times and the decoder's delay moves the frames, and where ffmpeg moves
	// them (SoundIndex.Shift).
	Zero int64
	// Sounds are the indexes of the tracks of sound of which something is
	// heard, by their stream indexes.
	Sounds map[int]*SoundIndex
}

// Origin is the presentation time of the first frame shown.
func (x *FrameIndex) Origin() int64 { return x.PTS[0] }

// SoundIndex is what lies where in a track of sound. Times are ticks of its
// stream's time base.
type SoundIndex struct {
	TimeBase spool.Ratio
	PTS      []int64 // of all packets, in the order of the file
	// Hidden is how many packets at the start are decoded but not heard.
	Hidden int
	End    int64 // when the last packet ends
	// PacketSamples is how many samples each packet holds when the track is one
	// continuous run of equal packets, so that positions can be counted; else 0.
	PacketSamples int
	// Gaps is how many breaks of more than a packet there are.
	Gaps int
	// Shift is by how many ticks ffmpeg will show the sound before its time on
	// the file's own clock; PTS and End have it taken off.
	Shift int64
	// Untimed is set when there are packets without a time.
	Untimed bool
}

// Start is the presentation time of the first packet that is heard.
func (s *SoundIndex) Start() int64 { return s.PTS[min(s.Hidden, len(s.PTS)-1)] }

// MaxDuration is the longest source that is published.
const MaxDuration = 24 * time.Hour

// MainAudio is the track that is heard unless somebody chooses another: the
// one marked as default, else the first, of those that have no other role when
// there are such. Nil when there is none.
func MainAudio(facts spool.Facts) *spool.AudioStream {
	var main *spool.AudioStream
	rank := func(a *spool.AudioStream) (n int) {
		if a.Default {
			n++
		}
		if a.Role == "" || a.Role == spool.Impaired {
			n += 2
		}
		return n
	}
	for i := range facts.Audio {
		if a := &facts.Audio[i]; main == nil || rank(a) > rank(main) {
			main = a
		}
	}
	return main
}

// Index reads all packets of a source once. With careful set, or when packets
// do not tell when their frames are shown, the pictures are decoded, too.
// Sources that hold nothing, are longer than MaxDuration, or whose clock
// starts anew are refused with a *spool.Error.
func Index(ctx context.Context, tools Tools, path string, facts spool.Facts, careful bool) (*FrameIndex, error) {
	scan := newScan(facts)
	if err := scan.run(ctx, tools, path); err != nil {
		return nil, fmt.Errorf("index packets: %w", err)
	}
	x := &FrameIndex{Sounds: scan.soundIndexes()}
	if facts.Video == nil {
		if len(x.Sounds) == 0 {
			return nil, refuse("no-media", "the source declares sound but holds none", incompleteHint)
		}
		return x, x.tooLong(facts)
	}
	x.TimeBase = facts.Video.TimeBase
	if scan.pictures.count == 0 {
		return nil, noPictures()
	}
	if scan.pictures.restarts && !scan.pictures.untimed {
		return nil, clockRestarts()
	}
	var err error
	if scan.pictures.untimed || careful {
		err = x.decode(ctx, tools, path, scan)
	} else {
		err = x.confirm(ctx, tools, path, scan)
	}
	if err != nil {
		return nil, err
	}
	return x, x.tooLong(facts)
}

func noPictures() *spool.Error {
	return refuse("no-pictures", "not a single picture of the source can be decoded", incompleteHint)
}

func clockRestarts() *spool.Error {
	return refuse("clock-restarts", "the source's clock starts anew in the middle: it is several recordings in one file",
		"join them first: ffmpeg -dts_delta_threshold 0.5 -i SOURCE -c copy joined.mkv")
}

// confirm takes the times of the packets, from the first frame on that the
// decoder really shows: pictures before the first key frame, or that lean on
// what an open GOP left out, have times but are not shown.
func (x *FrameIndex) confirm(ctx context.Context, tools Tools, path string, scan *scan) error {
	first, err := decodeTimes(ctx, tools, path, scan.video, 1)
	if err != nil {
		return err
	}
	times, shift := scan.pictures.shown, scan.shift(scan.video)
	move(times, shift)
	move(scan.pictures.keys, shift)
	slices.Sort(times)
	at, found := 0, false
	if len(first) > 0 {
		at, found = slices.BinarySearch(times, first[0])
	}
	if !found { // the decoder counts otherwise than the packets
		return x.decode(ctx, tools, path, scan)
	}
	x.PTS, x.Keys = times[at:], scan.pictures.keys
	slices.Sort(x.Keys)
	x.finish(scan)
	x.Zero = x.PTS[0] + shift
	return nil
}

// decode finds the times by decoding the whole source.
func (x *FrameIndex) decode(ctx context.Context, tools Tools, path string, scan *scan) error {
	times, err := decodeTimes(ctx, tools, path, scan.video, 0)
	if err != nil {
		return err
	}
	if len(times) == 0 {
		return noPictures()
	}
	slices.Sort(times)
	x.PTS, x.Keys, x.Decoded = times, scan.pictures.keys, true
	slices.Sort(x.Keys)
	x.finish(scan)
	x.Zero = x.PTS[0] + scan.shift(scan.video)
	if scan.pictures.untimed && scan.pictures.firstDTS < x.Zero {
		x.Zero = scan.pictures.firstDTS
	}
	return nil
}

// finish finds the end: the last frame is shown for as long as its packet
// says, unless that goes far beyond what the header says.
func (x *FrameIndex) finish(scan *scan) {
	last := x.PTS[len(x.PTS)-1]
	nominal := int64(0)
	if n := int64(len(x.PTS) - 1); n > 0 {
		nominal = (last - x.PTS[0]) / n
	} else if scan.rate.Known() {
		nominal = scan.rate.Invert().RescaleNearest(1, x.TimeBase)
	}
	length := scan.pictures.duration[last+scan.shift(scan.video)]
	// A single tick is what ffprobe says when it does not know: of the last
	// picture that is decoded, when that is not the last one shown.
	if length <= 1 || x.TimeBase.Duration(length) > max(10*time.Second, scan.header) {
		length = nominal
	}
	x.End = last + max(length, 1)
}

// tooLong refuses what is longer than MaxDuration by its packets' times.
func (x *FrameIndex) tooLong(facts spool.Facts) error {
	length := time.Duration(0)
	if len(x.PTS) > 0 {
		length = x.TimeBase.Duration(x.End - x.PTS[0])
	}
	for _, s := range x.Sounds {
		if len(x.PTS) == 0 {
			length = max(length, s.TimeBase.Duration(s.End-s.Start()))
		}
	}
	if length <= MaxDuration {
		return nil
	}
	return refuse("too-long", fmt.Sprintf("the source lasts %s; 24 hours are allowed", length.Round(time.Minute)), "cut it into parts")
}

// decodeTimes gives the times of frames as the decoder shows them; at most
// limit when that is positive. Their order is that of showing.
func decodeTimes(ctx context.Context, tools Tools, path string, stream, limit int) ([]int64, error) {
	watched, alive, stop := tools.watch(ctx)
	defer stop()
	return showTimes(watched, tools.Command(tools.FFmpeg, showArgs(InputArgs(path), stream, limit)), limit, alive)
}

// showArgs make ffmpeg print the times of frames as they are shown.
func showArgs(input []string, stream, limit int) []string {
	args := append([]string{"-v", "error", "-copyts"}, input...)
	args = append(args, "-map", "0:"+strconv.Itoa(stream), "-an", "-sn", "-dn")
	if limit > 0 {
		args = append(args, "-frames:v", strconv.Itoa(limit))
	}
	// The second filter prints only frames that have metadata.
	return append(args, "-vf", "metadata=mode=add:key=spool:value=1,metadata=mode=print:key=spool:direct=1:file=-",
		"-fps_mode", "passthrough", "-f", "null", "-")
}

// showTimes runs a program that was given showArgs.
func showTimes(watched context.Context, command process.Command, limit int, alive func()) ([]int64, error) {
	var times []int64
	command.Stdout = &lines{each: func(line []byte) {
		alive()
		if t, ok := frameTime(line); ok && (limit == 0 || len(times) < limit) {
			times = append(times, t)
		}
	}}
	p, err := process.Start(watched, command)
	if err != nil {
		return nil, err
	}
	err = hung(watched, p.Wait())
	var exit *process.ExitError
	if errors.As(err, &exit) && exit.Signal == 0 && len(times) > 0 {
		err = nil // damage after the frames that it showed
	}
	if errors.As(err, &exit) && exit.Signal == 0 {
		e := noPictures()
		e.Err = err
		return nil, e
	}
	if err != nil {
		return nil, fmt.Errorf("decode pictures: %w", err)
	}
	return times, nil
}
