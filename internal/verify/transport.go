package verify

import (
	"bytes"
	"fmt"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/mpegts"
)

// inspectTransport holds a clear segment of MPEG-TS, or of packed audio,
// against the grid.
func (c *checker) inspectTransport(r Rendition, number int, plain []byte) bool {
	if r.Sound() {
		return c.inspectPacked(r, number, plain)
	}
	s := r.Segments[number]
	pictures, err := mpegts.ReadPictures(r.Init.Config, plain)
	if err != nil {
		c.fail(s.Name, "42", "it is not MPEG-TS as it was written: "+err.Error(), "", "")
		return false
	}
	timescale, frame, err := cmaf.Timescale(c.manifest.Timeline.Rate)
	if err != nil {
		c.fail(s.Name, "plan", "the frame rate cannot be: "+err.Error(), "", "")
		return false
	}
	before, units := expected(r.Segments, number)
	first := before * int64(frame)
	decodes, err := mpegts.Decodes(r.Init.Config, timescale, first, int64(frame), len(pictures))
	if err != nil {
		c.fail(s.Name, "42", "its codec configuration cannot be read: "+err.Error(), "", "")
		return false
	}
	shown := map[int64]bool{}
	for i := range units {
		shown[mpegts.Time(first+i*int64(frame), timescale)] = true
	}
	checks := []numbers{{"plan", "number of pictures", units, int64(len(pictures))}}
	keys := 0
	for i, p := range pictures {
		if !shown[p.PTS] {
			c.fail(s.Name, "16", fmt.Sprintf("picture %d is not shown at the time of a frame, or at that of another", i), "", fmt.Sprint(p.PTS))
			return false
		}
		delete(shown, p.PTS)
		checks = append(checks, numbers{"32", fmt.Sprintf("decode time of picture %d", i), decodes[i], p.DTS})
		if !p.Key {
			continue
		}
		if !r.Copied {
			checks = append(checks, numbers{"31", "place of a key frame", int64(keys) * int64(c.manifest.Grid.GOP), int64(i)})
		}
		keys++
	}
	checks = append(checks, numbers{"31", "number of key frames", int64(s.KeyFrames), int64(keys)})
	return c.agree(s.Name, checks)
}

// inspectPacked holds packed audio against the grid.
func (c *checker) inspectPacked(r Rendition, number int, plain []byte) bool {
	s := r.Segments[number]
	first, packets, err := mpegts.ReadSound(r.Init.Config, plain)
	if err != nil {
		c.fail(s.Name, "43", "it is not packed audio as it was written: "+err.Error(), "", "")
		return false
	}
	before, units := expected(r.Segments, number)
	unheard := int64(c.leftOut(r, number))
	begins := (before+unheard)*packetSamples - int64(c.manifest.GridOf(r).PrimingSamples)
	return c.agree(s.Name, []numbers{
		{"plan", "number of packets", units - unheard, int64(len(packets))},
		{"16", "time of the first packet", mpegts.Time(begins, r.SampleRate), first},
	})
}

// leftOut is how many units of a segment are not in its file.
func (c *checker) leftOut(r Rendition, number int) int {
	if !r.Sound() || c.manifest.Settings.Container != spool.TS {
		return 0
	}
	before, units := expected(r.Segments, number)
	return mpegts.Unheard(before*packetSamples, int64(c.manifest.GridOf(r).PrimingSamples), int(units))
}

// track is what a rendition's init section says of it, or, where there is none,
// its codec configuration, which every segment of pictures is held against.
// False: it cannot be read, which is reported, or it is not there, which was.
func (c *checker) track(r Rendition) (cmaf.Track, bool) {
	if r.Init.Name != "" {
		text := c.texts[r.Init.Name]
		track, err := cmaf.NewReader(bytes.NewReader(text)).Init()
		if err != nil && text != nil {
			c.fail(r.Init.Name, "41", "the init section cannot be read", "", "")
		}
		return track, err == nil
	}
	track := cmaf.Track{Config: r.Init.Config, Video: !r.Sound()}
	if r.Sound() {
		return track, true
	}
	h, err := cmaf.ParseH264(r.Init.Config)
	if err != nil {
		c.fail(c.report.Revision+"/"+ManifestName, "manifest", r.Name+": the codec configuration cannot be read", "", "")
		return track, false
	}
	track.Width, track.Height = h.Width, h.Height
	return track, true
}
