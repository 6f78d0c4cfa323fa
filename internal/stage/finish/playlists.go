package finish

import (
	"fmt"
	"path"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/verify"
)

const indexName = "index.m3u8"

// playlists writes the media playlists.
func (p *parcel) playlists(job spool.Job) error {
	var all []*verify.Rendition
	for i := range p.manifest.Renditions {
		all = append(all, &p.manifest.Renditions[i])
	}
	for i := range p.manifest.Subtitles {
		all = append(all, &p.manifest.Subtitles[i])
	}
	for _, r := range all {
		media := p.mediaPlaylist(r, job.Keys)
		text, err := media.Encode()
		if err != nil {
			return fmt.Errorf("finish %s: %s: %w", job.Video, r.Name, err)
		}
		d := newDocument(path.Join(job.Revision, r.Name, indexName), hls.ContentType, text)
		r.Playlist = d.Object
		p.media[r.Name] = media
		p.lists = append(p.lists, d)
		if err := p.iframes(job, r); err != nil {
			return err
		}
	}
	return nil
}

func (p *parcel) mediaPlaylist(r *verify.Rendition, all spool.ContentKeys) hls.Media {
	m := hls.Media{Version: p.version(), Target: p.manifest.Grid.Target, VOD: true, Ended: true, Map: initOf(r)}
	ticks, base := p.manifest.Ticks(*r)
	for i, d := range hls.Durations(ticks, base) {
		s := hls.Segment{URI: path.Base(r.Segments[i].Name), Duration: d}
		if key := all.Of(i); key != nil {
			iv := keys.IV(key.Bytes, r.Name, i)
			s.Key = &hls.Key{URI: key.URI, IV: &iv}
		}
		m.Segments = append(m.Segments, s)
		r.Segments[i].Seconds = d.Seconds()
	}
	return m
}

// version is the protocol version of all playlists.
func (p *parcel) version() int { return hls.VersionOf(p.manifest.Renditions[0].Init.Name) }

// initOf is how a rendition's playlists name its init section; "" when it has
// none.
func initOf(r *verify.Rendition) string {
	if r.Init.Name == "" {
		return ""
	}
	return path.Base(r.Init.Name)
}

// leading makes the master playlist, with rates measured on the segments.
func (p *parcel) leading() hls.Master {
	var pictures, sounds []hls.Stream
	for _, r := range p.manifest.Renditions {
		s := p.stream(r)
		if r.Sound() {
			sounds = append(sounds, s)
			continue
		}
		s.FrameRate = p.manifest.Timeline.Rate.Float()
		pictures = append(pictures, s)
	}
	m := hls.Offer(pictures, sounds)
	m.Version = p.version()
	if first := p.media[p.manifest.Renditions[0].Name].Segments; len(first) > 0 && first[0].Key != nil {
		m.NameKey(first[0].Key.URI)
	}
	var texts []hls.Stream
	for _, r := range p.manifest.Subtitles {
		texts = append(texts, p.stream(r))
	}
	m.OfferText(texts)
	m.IFrames = p.looks
	return m
}

func (p *parcel) stream(r verify.Rendition) hls.Stream {
	weights := make([]hls.Weight, len(r.Segments))
	for i, s := range p.media[r.Name].Segments {
		weights[i] = hls.Weight{Bytes: r.Segments[i].Size, Duration: s.Duration}
	}
	s := hls.Stream{
		URI: r.Playlist.Name, Codec: r.Init.Codec, Width: r.Init.Width, Height: r.Init.Height,
		Channels: r.Channels,
		Track:    hls.Track{Number: r.Track, Language: r.Language, Title: r.Title, Role: r.Role, Text: r.Text, Forced: r.Forced},
	}
	s.Peak, s.Average = hls.Rates(weights, p.manifest.Grid.Target)
	return s
}
