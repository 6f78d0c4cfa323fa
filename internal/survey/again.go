package survey

import (
	"context"
	"fmt"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/survey/m3u8"
)

// again reads the media playlists once more, after all else: some promise not
// to change, others to grow. Lists that grow are given the time in which the
// next segment is due, as far as there is patience for it.
func (s *surveyor) again(ctx context.Context) error {
	if s.o.Patience <= 0 {
		return nil
	}
	if err := s.await(ctx); err != nil {
		return err
	}
	for _, l := range s.pkg.Lists {
		if l.Missing != "" || l.Multivariant() {
			continue
		}
		began := time.Now()
		b, _, err := s.source.Read(ctx, l.url, nil, maxPlaylist)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			s.unchecked(fmt.Sprintf("%s could not be read a second time: %s", l.Name, spool.AsError(err).Reason))
		case !m3u8.Looks(b):
			s.unchecked(l.Name + " was no playlist when it was read a second time")
		default:
			later := s.scope(l.url).Read(b)
			l.Later, l.Waited = &later, began.Sub(l.read)
		}
	}
	return nil
}

// await waits until every list that grows must have grown.
func (s *surveyor) await(ctx context.Context) error {
	var longest time.Duration
	for _, l := range s.pkg.Lists {
		if l.Missing == "" && l.Growing() {
			longest = max(longest, l.Due()-time.Since(l.read))
		}
	}
	if longest > s.o.Patience {
		s.unchecked(fmt.Sprintf("whether the lists grow in time: the next segment may take %v, and %v were waited", longest.Round(time.Second), s.o.Patience))
	}
	timer := time.NewTimer(min(longest, s.o.Patience))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Due is within what time of any moment a list that grows has one segment more:
// 1.5 target durations.
func (l *List) Due() time.Duration { return time.Duration(l.Target) * 3 * time.Second / 2 }
