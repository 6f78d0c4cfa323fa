package finish

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/process"
	"github.com/spool-video/spool/internal/storyboard"
	"github.com/spool-video/spool/internal/verify"
	"github.com/spool-video/spool/internal/wrap"
)

// boardTime is how long a storyboard may take: a video is not kept waiting for
// it.
const boardTime = 5 * time.Minute

// glance makes the storyboard; nil when the video has none. That none could be
// made is a note: the video is published all the same.
func (s Stage) glance(ctx context.Context, job spool.Job, p *parcel) (b *board, notes []string, err error) {
	within, cancel := context.WithTimeout(ctx, boardTime)
	defer cancel()
	b, err = s.storyboard(within, job, p)
	switch {
	case ctx.Err() != nil:
		return nil, nil, err
	case err != nil:
		return nil, []string{"no storyboard: " + spool.AsError(err).Reason}, nil
	}
	return b, nil, nil
}

// glance adds a storyboard, when there is one.
func (p *parcel) glance(b *board) {
	if b != nil {
		p.pictures, p.manifest.Storyboard = b.documents, &b.named
	}
}

// storyboard makes a video's storyboard of the key frames of its smallest
// rung, as they are published: the source is not decoded again.
func (s Stage) storyboard(ctx context.Context, job spool.Job, p *parcel) (*board, error) {
	if job.Settings.Storyboard == spool.StoryboardOff || len(job.Keys) > 0 && job.Settings.Storyboard != spool.StoryboardAlways {
		return nil, nil
	}
	var rungs []verify.Rendition
	for _, r := range p.manifest.Renditions {
		if r.Pictures() {
			rungs = append(rungs, r)
		}
	}
	if len(rungs) == 0 {
		return nil, nil
	}
	b := &board{stage: s, job: job, length: time.Duration(p.manifest.Seconds * float64(time.Second))}
	b.rung = slices.MinFunc(rungs, func(a, b verify.Rendition) int {
		return cmp.Compare(a.Init.Width*a.Init.Height, b.Init.Width*b.Init.Height)
	})
	b.width, b.height = storyboard.Size(b.rung.Init.Width, b.rung.Init.Height)
	b.starts = starts(p.manifest, b.rung)
	b.track = wrap.Track{Container: job.Settings.Container, Video: true, Config: b.rung.Init.Config, Timescale: b.rung.Init.Timescale}
	return b, b.make(ctx)
}

// starts are the times at which a rung's segments begin.
func starts(m verify.Manifest, r verify.Rendition) []time.Duration {
	lengths, base := m.Ticks(r)
	var at []time.Duration
	sum := int64(0)
	for _, n := range lengths {
		at = append(at, base.Duration(sum))
		sum += n
	}
	return at
}

// board is a storyboard in the making.
type board struct {
	stage         Stage
	job           spool.Job
	rung          verify.Rendition
	track         wrap.Track
	starts        []time.Duration // of its segments
	length        time.Duration
	width, height int // of a picture, in pixels

	next      time.Duration // from when on a picture is due
	cues      []storyboard.Cue
	documents []document
	named     verify.Storyboard
}

// sheet is a tile in the making.
type sheet struct {
	pictures []glimpse
	tile     []byte
}

func (b *board) make(ctx context.Context) error {
	var sheets []*sheet
	err := flow.Run(ctx, func(g *flow.Group) {
		queue := flow.NewQueue[*sheet](1)
		flow.Produce(g, 1, queue, func(ctx context.Context, put func(*sheet) error) error {
			return b.gather(ctx, func(pictures []glimpse) error {
				s := &sheet{pictures: pictures}
				sheets = append(sheets, s)
				return put(s)
			})
		})
		flow.Consume(g, runtime.NumCPU(), queue, func(ctx context.Context, s *sheet) (err error) {
			s.tile, err = b.tile(ctx, s.pictures)
			return err
		})
	})
	if err != nil {
		return err //nolint:wrapcheck // each says what it was about
	}
	for _, s := range sheets {
		b.lay(s)
	}
	if len(b.cues) == 0 {
		return errors.New("there is no key frame")
	}
	for i := range b.cues[1:] {
		b.cues[i].End = b.cues[i+1].Start
	}
	b.cues[0].Start, b.cues[len(b.cues)-1].End = 0, b.length
	b.named.Index = b.add(storyboard.IndexName, storyboard.IndexType, storyboard.Encode(b.cues))
	return nil
}

// gather reads the pictures, and gives those of one tile after those of
// another.
func (b *board) gather(ctx context.Context, give func([]glimpse) error) error {
	every := storyboard.Every(b.length)
	var waiting []glimpse
	for numbers := range slices.Chunk(b.chosen(every), glimpsers) {
		seen, err := b.look(ctx, numbers)
		if err != nil {
			return err
		}
		waiting = append(waiting, b.spaced(seen, every)...)
		for len(waiting) >= storyboard.PerTile {
			if err := give(waiting[:storyboard.PerTile]); err != nil {
				return err
			}
			waiting = waiting[storyboard.PerTile:]
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	return give(waiting)
}

// chosen are the numbers of the segments whose pictures are shown.
func (b *board) chosen(every time.Duration) []int {
	var numbers []int
	next := time.Duration(0)
	for i, at := range b.starts {
		if storyboard.Dense(b.length) || at >= next {
			numbers = append(numbers, i)
			next = at + every
		}
	}
	return numbers
}

// spaced leaves out what is shown too soon after another. What is due may come
// a little early: two seconds are not a whole number of frames at every rate.
func (b *board) spaced(seen []glimpse, every time.Duration) []glimpse {
	var kept []glimpse
	for _, g := range seen {
		if b.next == 0 || g.at >= b.next {
			b.next = g.at + every*9/10
			kept = append(kept, g)
		}
	}
	return kept
}

// tile makes one JPEG.
func (b *board) tile(ctx context.Context, pictures []glimpse) ([]byte, error) {
	// The pictures are in no container now; ffmpeg gets them in its own.
	init, err := cmaf.VideoInit(b.rung.Init.Config, b.rung.Init.Timescale)
	if err != nil {
		return nil, fmt.Errorf("write a storyboard's pictures: %w", err)
	}
	media := bytes.NewBuffer(init)
	f := cmaf.Fragment{Sequence: 1}
	for i := range pictures {
		f.Samples = append(f.Samples, cmaf.Sample{Duration: uint32(b.rung.Init.Timescale), Sync: true, Data: pictures[i].coded})
		pictures[i].coded = nil // a long video has hundreds
	}
	if err := cmaf.WriteFragment(media, f); err != nil {
		return nil, fmt.Errorf("write a storyboard's pictures: %w", err)
	}
	return b.stage.tile(ctx, media.Bytes(), b.filter(len(pictures)))
}

// lay adds a tile, with its cues.
func (b *board) lay(s *sheet) {
	name := fmt.Sprintf("%05d-%.8s.jpg", len(b.named.Tiles), verify.Sum(s.tile))
	b.named.Tiles = append(b.named.Tiles, b.add(name, storyboard.TileType, s.tile))
	for i, place := range storyboard.Lay(len(s.pictures), b.width, b.height) {
		b.cues = append(b.cues, storyboard.Cue{Start: s.pictures[i].at, Tile: name, Place: place})
	}
}

// filter scales pictures and lays them side by side.
func (b *board) filter(pictures int) string {
	columns, rows := storyboard.Grid(pictures)
	return fmt.Sprintf("scale=%d:%d:flags=area:in_range=tv:out_range=pc,format=yuvj420p,setsar=1,tile=%dx%d:nb_frames=%d",
		b.width, b.height, columns, rows, pictures)
}

func (b *board) add(name, kind string, content []byte) spool.Object {
	d := newDocument(path.Join(b.job.Revision, storyboard.Folder, name), kind, content)
	b.documents = append(b.documents, d)
	return d.Object
}

// tile lets ffmpeg make a JPEG of pictures. One that does not decode ends it:
// without it the others would be shown at wrong times.
func (s Stage) tile(ctx context.Context, media []byte, filter string) ([]byte, error) {
	command := s.Tools.Command(cmp.Or(s.Tools.FFmpeg, "ffmpeg"), []string{
		"-nostdin", "-hide_banner", "-v", "error", "-xerror", "-err_detect", "explode", "-threads", "1",
		"-protocol_whitelist", "pipe", "-codec_whitelist", "h264",
		"-f", "mp4", "-i", "pipe:0", "-map", "0:0", "-fps_mode", "passthrough",
		"-vf", filter, "-frames:v", "1", "-q:v", "4", "-f", "mjpeg", "pipe:1",
	})
	command.Stdin = bytes.NewReader(media)
	picture, err := process.Run(ctx, command)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("make a storyboard: %w", context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("make a storyboard: %w", err)
	case !isJPEG(picture):
		return nil, errors.New("make a storyboard: ffmpeg gave no picture")
	}
	return picture, nil
}
