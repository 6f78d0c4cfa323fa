package plan

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
)

// laySubtitles puts all tracks of text into a plan: those of the source on its
// own clock, and the files beside it, whose clock begins with the video.
func laySubtitles(p *spool.Plan, x *ffmpeg.FrameIndex, beside []spool.SubtitleFile) {
	zero := new(big.Rat)
	if p.Facts.Video != nil {
		zero = ticks(x.Zero, x.TimeBase)
	} else {
		zero = earliest(x)
	}
	origin, _ := zero.Float64()
	layTexts(p, origin, beside)
}

// layTexts does so when the source's clock shows origin, in seconds, as the
// video begins.
func layTexts(p *spool.Plan, origin float64, beside []spool.SubtitleFile) {
	p.Subtitles = nil
	add := func(s spool.Subtitle) {
		s.Name = fmt.Sprintf("s%d-%s", len(p.Subtitles), cmp.Or(s.Language, "und"))
		p.Subtitles = append(p.Subtitles, s)
	}
	for _, s := range p.Facts.Subtitles {
		if s.Text() {
			add(spool.Subtitle{
				Stream: s.Index, Codec: s.Codec, Language: s.Language, Title: s.Title, Role: s.Role, Forced: s.Forced, OriginSeconds: origin,
			})
		}
	}
	for _, f := range beside {
		if f.Path == "" {
			p.LeftOut = append(slices.Clone(p.LeftOut), "subtitles"+inBrackets(f.Language)+" that cannot be had: "+f.Missing)
			continue
		}
		add(spool.Subtitle{Stream: -1, File: f.Path, Language: f.Language, Title: f.Title, Role: f.Role, Forced: f.Forced})
	}
}
