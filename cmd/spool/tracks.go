package main

import (
	"context"
	"fmt"
	"path/filepath"

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

// texts says which subtitles there will be, and what is left out.
func (f forecast) texts(say func(format string, args ...any)) {
	for _, s := range f.Subtitles {
		from := "in the source, " + s.Codec
		if s.File != "" {
			from = filepath.Base(s.File)
		}
		say("  %-6s %-6s %-9s  %s", "text", "WebVTT", textName(s), from)
	}
	for _, words := range f.LeftOut {
		say("  left out: %s", words)
	}
}

func textName(s spool.Subtitle) string {
	return hls.Track{Language: s.Language, Title: s.Title, Role: s.Role, Forced: s.Forced, Text: true}.Name()
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

// tracks says in words which sounds and subtitles a video has, as it was
// planned last.
func (h *house) tracks(ctx context.Context, rec ledger.Record) (sounds, texts []string, err error) {
	results, err := h.ledger.Results(ctx, rec.Video.ID, rec.Video.Revision)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range results {
		if r.Result == nil || r.Result.Plan == nil {
			continue
		}
		sounds, texts = nil, nil
		for _, s := range r.Result.Plan.Sounds {
			name := trackName(s)
			if s.Channels > 2 {
				name += " in " + channelWords(s.Channels)
			}
			sounds = append(sounds, name)
		}
		for _, s := range r.Result.Plan.Subtitles {
			texts = append(texts, textName(s))
		}
	}
	return sounds, texts, nil
}
