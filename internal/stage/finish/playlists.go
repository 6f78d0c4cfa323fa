package finish

import (
	"fmt"
	"path"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/verify"
)

const (
	indexName  = "index.m3u8"
	audioGroup = "audio"
)

// playlists writes the media playlists.
func (p *parcel) playlists(job spool.Job) error {
	for i := range p.manifest.Renditions {
		r := &p.manifest.Renditions[i]
		media := p.mediaPlaylist(r, job.Key)
		text, err := media.Encode()
		if err != nil {
			return fmt.Errorf("finish %s: %s: %w", job.Video, r.Name, err)
		}
		d := newDocument(path.Join(job.Revision, r.Name, indexName), hls.ContentType, text)
		r.Playlist = d.Object
		p.media[r.Name] = media
		p.revision = append(p.revision, d)
	}
	return nil
}

func (p *parcel) mediaPlaylist(r *verify.Rendition, key *spool.ContentKey) hls.Media {
	m := hls.Media{Version: hls.Version, Target: p.manifest.Grid.Target, VOD: true, Ended: true, Map: path.Base(r.Init.Name)}
	ticks, base := p.manifest.Ticks(*r)
	for i, d := range hls.Durations(ticks, base) {
		s := hls.Segment{URI: path.Base(r.Segments[i].Name), Duration: d}
		if key != nil {
			iv := keys.IV(key.Bytes, r.Name, i)
			s.Key = &hls.Key{URI: key.URI, IV: &iv}
		}
		m.Segments = append(m.Segments, s)
		r.Segments[i].Seconds = d.Seconds()
	}
	return m
}

// master makes the master playlist, with rates measured on the segments.
func (p *parcel) master() hls.Master {
	m := hls.Master{Version: hls.Version, Independent: true}
	var sound *hls.Variant // the sound's rates, codec and playlist
	for _, r := range p.manifest.Renditions {
		if !r.Sound() {
			continue
		}
		v := p.variant(r)
		if sound == nil || v.Bandwidth > sound.Bandwidth {
			sound = &v
		}
		m.Audio = append(m.Audio, rendition(r, len(m.Audio) == 0))
	}
	for _, r := range p.manifest.Renditions {
		if r.Sound() {
			continue
		}
		v := p.variant(r)
		v.FrameRate = p.manifest.Timeline.Rate.Float()
		v.VideoRange = "SDR"
		v.NoCaptions = true
		if sound != nil {
			v.Audio = audioGroup
			v.Bandwidth += sound.Bandwidth
			v.Average += sound.Average
			v.Codecs = append(v.Codecs, sound.Codecs...)
		}
		m.Variants = append(m.Variants, v)
	}
	if len(m.Variants) == 0 && sound != nil {
		// Sound alone: its playlist is the variant, and there is no group.
		m.Audio, m.Variants = nil, []hls.Variant{*sound}
	}
	hls.Order(m.Variants)
	return m
}

func (p *parcel) variant(r verify.Rendition) hls.Variant {
	weights := make([]hls.Weight, len(r.Segments))
	for i, s := range p.media[r.Name].Segments {
		weights[i] = hls.Weight{Bytes: r.Segments[i].Size, Duration: s.Duration}
	}
	v := hls.Variant{URI: r.Playlist.Name, Codecs: []string{r.Init.Codec}, Width: r.Init.Width, Height: r.Init.Height}
	v.Bandwidth, v.Average = hls.Rates(weights, p.manifest.Grid.Target)
	return v
}

// rendition names a sound rendition for people and for players.
func rendition(r verify.Rendition, first bool) hls.Rendition {
	out := hls.Rendition{
		Group: audioGroup, Name: "Audio", Language: "und", Default: first, Autoselect: true,
		Channels: r.Channels, URI: r.Playlist.Name,
	}
	// Players compare RFC 5646 tags: "en", where files say "eng".
	tag, err := language.Parse(r.Language)
	if err != nil || tag == language.Und {
		return out
	}
	out.Language = tag.String()
	if name := display.English.Tags().Name(tag); name != "" {
		out.Name = name
	}
	return out
}
