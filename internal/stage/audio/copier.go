package audio

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/publish"
	"github.com/spool-video/spool/internal/tap"
)

var errCopy = errors.New("the source's own packets are not what its index says")

// largestPacket is what a packet of AAC may have, in bytes; the plan saw less.
const largestPacket = 6 * 6144 / 8

// copy makes the piece's segments of the source's own packets. It needs no CPU
// slot.
func (s Stage) copy(ctx context.Context, job spool.Job, cut cutter) (publish.Record, error) {
	record, err := s.own(ctx, job, cut)
	if !errors.Is(err, errCopy) {
		return record, err
	}
	return record, &spool.Error{
		Class: spool.Replan, Code: "copy-not-as-planned", Err: err,
		Reason: fmt.Sprintf("audio piece %d: the source's own sound cannot be published as it is", job.Piece.Number),
		Hint:   "the video is planned again, and all of it is encoded",
	}
}

func (s Stage) own(ctx context.Context, job spool.Job, cut cutter) (publish.Record, error) {
	source, end, err := s.Sources.Read(job.Fetched.Hearing())
	if err != nil {
		return publish.Record{}, err
	}
	defer end()
	movie, err := tap.Locate(ctx, source)
	if errors.Is(err, tap.ErrUnsupported) {
		return publish.Record{}, fmt.Errorf("%w: %w", errCopy, err)
	}
	if err != nil {
		return publish.Record{}, fmt.Errorf("read the source's index: %w", err)
	}
	sound := job.Plan.Sounds[job.Piece.Sound]
	first := sound.First + job.Piece.FirstPacket
	if sound.Stream >= len(movie.Tracks) || first+job.Piece.Packets > len(movie.Tracks[sound.Stream].Samples) {
		return publish.Record{}, fmt.Errorf("%w: it has fewer packets", errCopy)
	}
	track := movie.Tracks[sound.Stream]
	next, origin := first, track.Samples[0].PTS
	packet := func() ([]byte, error) {
		if next >= len(track.Samples) {
			return nil, io.EOF
		}
		p := track.Samples[next]
		if p.PTS != origin+int64(next)*cmaf.PacketSamples || p.Size > largestPacket {
			return nil, fmt.Errorf("%w: packet %d of %d bytes is heard at tick %d", errCopy, next, p.Size, p.PTS)
		}
		next++
		data := make([]byte, p.Size)
		if err := tap.ReadFull(ctx, source, data, p.Pos); errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: it ends before packet %d", errCopy, next-1)
		} else if err != nil {
			return nil, fmt.Errorf("read source: %w", err)
		}
		return data, nil
	}
	record, err := cut.segments(packets{packet, func() []byte { return track.Config }})
	if err != nil {
		return record, err
	}
	init, err := cut.init(track.Config)
	record.Inits = []publish.Init{init}
	return record, err
}
