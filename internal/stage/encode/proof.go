package encode

import (
	"bufio"
	"fmt"
	"io"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
)

// seen is what the encoder printed of the frames it chose, in ticks of the
// source.
type seen struct {
	first, last int64
	count       int
}

// watchTimes reads the pipe of source times to its end; each is called for
// every frame.
func watchTimes(pipe io.Reader, video *spool.VideoStream, each func(time int64)) (seen, error) {
	var s seen
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		time, ok, err := ffmpeg.SourceTime(lines.Text(), video)
		if err != nil {
			return s, err
		}
		if !ok {
			continue
		}
		if s.count == 0 {
			s.first = time
		}
		s.last = time
		s.count++
		each(time)
	}
	if err := lines.Err(); err != nil {
		return s, fmt.Errorf("read source times: %w", err)
	}
	return s, nil
}

// missing is how many of 100 frames a source that is decoded from the start
// may lack: it is damaged, but there is no better way to read it.
const missing = 1

// prove holds the frames that were chosen against the plan. A note is for a
// person: what was wrong, but tolerated.
func (s seen) prove(c spool.Chunk, sequential bool) (note string, err error) {
	if s.count == c.SourceFrames && s.first == c.FirstPTS && s.last == c.LastPTS {
		return "", nil
	}
	what := fmt.Sprintf("%d source frames from tick %d to %d were read where the plan has %d from %d to %d",
		s.count, s.first, s.last, c.SourceFrames, c.FirstPTS, c.LastPTS)
	lack := c.SourceFrames - s.count
	if !sequential {
		return "", &spool.Error{
			Class: spool.Replan, Code: "frames-not-as-planned",
			Reason: fmt.Sprintf("chunk %d: %s", c.Number, what),
			Hint:   "the video is planned again, to be read from its start",
		}
	}
	if s.count == 0 || lack*100 > c.SourceFrames*missing || -lack*100 > c.SourceFrames*missing {
		return "", &spool.Error{
			Class: spool.Permanent, Code: "damaged",
			Reason: "the source is damaged: " + what,
			Hint:   "get the source again, or repair it",
		}
	}
	return fmt.Sprintf("the source is damaged in places: %d of its frames were to be read, %d were", c.SourceFrames, s.count), nil
}
