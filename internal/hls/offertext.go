package hls

import (
	"slices"

	"github.com/spool-video/spool"
)

// OfferText adds subtitles to a master playlist: all variants have them. None
// is shown unless a player's settings or a person ask for it.
func (m *Master) OfferText(texts []Stream) {
	if len(texts) == 0 {
		return
	}
	names := nameTracks(texts)
	peak, average := 0, 0
	for _, s := range texts {
		peak, average = max(peak, s.Peak), max(average, s.Average)
		r := Rendition{
			Group: textGroup, Name: names[s.Track.Number], Language: s.Track.tag().String(),
			Autoselect: s.Track.Role != spool.Commentary, Forced: s.Track.Forced, URI: s.URI,
		}
		if s.Track.Role == spool.Impaired {
			r.Characteristics = "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"
		}
		r.Autoselect = r.Autoselect && !slices.ContainsFunc(m.Subtitles, func(o Rendition) bool {
			return o.Autoselect && o.Language == r.Language && o.Forced == r.Forced && o.Characteristics == r.Characteristics
		})
		m.Subtitles = append(m.Subtitles, r)
	}
	for i := range m.Variants {
		v := &m.Variants[i]
		v.Subtitles = textGroup
		v.Bandwidth += peak
		v.Average += average
	}
}
