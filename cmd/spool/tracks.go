package main

import (
	"context"
	"fmt"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/ledger"
)

// sounds says of each sound of a forecast what becomes of it. One track that
// is encoded like most needs no words.
func (f forecast) sounds(say func(format string, args ...any)) {
	for _, s := range f.Sounds {
		if len(f.Sounds) == 1 && s.Why == "" {
			return
		}
		action, why := spool.EncodeRung, trackName(s)
		if s.Copied {
			action = spool.CopyRung
		}
		if s.Why != "" {
			why += ": " + s.Why
		}
		say("  %-6s %-6s %-9s  %s", "sound", action, channelWords(s.Channels), why)
	}
}

func trackName(s spool.Sound) string {
	return hls.Track{Language: s.Language, Title: s.Title, Role: s.Role}.Name()
}

// channelWords are channels as people call them.
func channelWords(channels int) string {
	switch channels {
	case 1:
		return "mono"
	case 2:
		return "stereo"
	case 6:
		return "5.1"
	}
	return fmt.Sprintf("%d ch", channels)
}

// sound says in words which sounds a video has, as it was planned last.
func (h *house) sound(ctx context.Context, rec ledger.Record) ([]string, error) {
	results, err := h.ledger.Results(ctx, rec.Video.ID, rec.Video.Revision)
	if err != nil {
		return nil, err
	}
	var words []string
	for _, r := range results {
		if r.Result == nil || r.Result.Plan == nil {
			continue
		}
		words = nil
		for _, s := range r.Result.Plan.Sounds {
			name := trackName(s)
			if s.Channels > 2 {
				name += " in " + channelWords(s.Channels)
			}
			words = append(words, name)
		}
	}
	return words, nil
}
