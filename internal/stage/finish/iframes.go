package finish

import (
	"fmt"
	"path"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/verify"
)

const iframesName = "iframes.m3u8"

// iframes writes the I-frame playlist of a rendition, when all of its I-frames
// can be had by themselves.
func (p *parcel) iframes(job spool.Job, r *verify.Rendition) error {
	lengths, ok := r.Stills()
	if !ok {
		return nil
	}
	m := hls.Media{
		Version: p.version(), Target: p.manifest.Grid.Target, VOD: true, Ended: true, IFrames: true,
		Map: initOf(r),
	}
	durations := hls.Durations(lengths, p.manifest.Timeline.Rate.Invert())
	for number, segment := range r.Segments {
		for n, i := range segment.IFrames {
			s := hls.Segment{URI: path.Base(segment.Name), Duration: durations[len(m.Segments)]}
			if i.Object == nil {
				s.Range = &hls.Range{Offset: i.Offset, Length: i.Size}
			} else {
				s.URI = path.Base(i.Object.Name)
			}
			if key := job.Keys.Of(number); key != nil {
				iv := keys.IV(key.Bytes, keys.Still(r.Name, n), number)
				s.Key = &hls.Key{URI: key.URI, IV: &iv}
			}
			m.Segments = append(m.Segments, s)
		}
	}
	text, err := m.Encode()
	if err != nil {
		return fmt.Errorf("finish %s: I-frames of %s: %w", job.Video, r.Name, err)
	}
	d := newDocument(path.Join(job.Revision, r.Name, iframesName), hls.ContentType, text)
	r.IFrames = &d.Object
	p.lists = append(p.lists, d)
	p.looks = append(p.looks, look(*r, m))
	return nil
}

// look is what the master says of a rendition's I-frames.
func look(r verify.Rendition, m hls.Media) hls.IFrames {
	i := hls.IFrames{
		URI: r.IFrames.Name, Codec: r.Init.Codec, Width: r.Init.Width, Height: r.Init.Height, VideoRange: "SDR",
	}
	i.Bandwidth, i.Average = hls.Rates(r.StillWeights(m), m.Target)
	return i
}
