package verify

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hls"
)

// rendition checks a media playlist against the manifest, and both against
// the plan.
func (c *checker) rendition(r Rendition) {
	c.planned(r)
	name := r.Playlist.Name
	text := c.texts[name]
	if text == nil {
		return
	}
	media, err := hls.ParseMedia(text)
	if err != nil {
		c.syntax(name, err)
		return
	}
	list := hlsList{media: media, ok: len(media.Segments) == len(r.Segments)}
	c.lists[r.Name] = list
	if !media.VOD || !media.Ended {
		c.fail(name, "13", "the playlist is not a finished VOD", "", "")
	}
	if media.Target != c.manifest.Grid.Target {
		c.fail(name, "11", "the target duration differs from the plan's", fmt.Sprint(media.Target), fmt.Sprint(c.manifest.Grid.Target))
	}
	if !r.Text && (r.Init.Name == "") != (c.manifest.Settings.Container == spool.TS) {
		c.fail(name, "manifest", "the container and the init section do not go together", c.manifest.Settings.Container, r.Init.Name)
	}
	c.mapped(name, media.Map, r)
	if !list.ok {
		c.fail(name, "18", "the number of segments differs from the manifest's", fmt.Sprint(len(media.Segments)), fmt.Sprint(len(r.Segments)))
		return
	}
	for i, s := range media.Segments {
		if below(name, s.URI) != r.Segments[i].Name {
			c.fail(name, "18", fmt.Sprintf("segment %d is another object than in the manifest", i), s.URI, r.Segments[i].Name)
		}
		c.keyed(name, i, s)
	}
	c.durations(r, media)
}

// keyed checks that a segment has the key that the manifest names, which is the
// same in all renditions.
func (c *checker) keyed(playlist string, number int, s hls.Segment) {
	id := c.manifest.keyOf(number)
	switch {
	case (s.Key != nil) != c.manifest.Encrypted():
		c.fail(playlist, "106", fmt.Sprintf("segment %d: the playlist and the manifest differ about encryption", number), "", "")
	case s.Key != nil && !strings.Contains(s.Key.URI, id):
		c.fail(playlist, "106", fmt.Sprintf("segment %d has another key than in the manifest", number), s.Key.URI, id)
	}
}

// mapped checks that a playlist names the rendition's init section, or none
// where there is none.
func (c *checker) mapped(playlist, uri string, r Rendition) {
	if uri == "" && r.Init.Name != "" || uri != "" && below(playlist, uri) != r.Init.Name {
		c.fail(playlist, "41", "EXT-X-MAP names another init section", uri, r.Init.Name)
	}
}

// durations checks rule 12: the sums of EXTINF are within a frame of the truth.
func (c *checker) durations(r Rendition, media hls.Media) {
	ticks, base := c.manifest.Ticks(r)
	slack := time.Second / 30
	if rate := c.manifest.Timeline.Rate; rate.Known() {
		slack = rate.Invert().Duration(1)
	}
	if len(ticks) != len(media.Segments) {
		return // it was reported
	}
	var total int64
	var sum time.Duration
	for i, s := range media.Segments {
		total += ticks[i]
		sum += s.Duration
		if exact := base.Duration(total); (sum - exact).Abs() > slack {
			c.fail(r.Playlist.Name, "12", fmt.Sprintf("the durations up to segment %d do not add up to its end", i), sum.String(), exact.String())
			return
		}
	}
	c.report.Length = max(c.report.Length, sum)
}

// planned checks that the manifest holds what was planned, all of it once.
func (c *checker) planned(r Rendition) {
	if r.Text {
		if ticks, _ := c.manifest.Ticks(r); len(ticks) != len(r.Segments) {
			c.fail(c.report.Revision+"/"+ManifestName, "plan", r.Name+": the segments are not those of the grid", fmt.Sprint(len(ticks), " segments"), fmt.Sprint(len(r.Segments), " segments"))
		}
		return
	}
	want, planned := c.manifest.Grid.Frames, c.manifest.Timeline.Frames
	if r.Sound() {
		want, planned = c.manifest.GridOf(r).Packets, 0
	}
	name := c.report.Revision + "/" + ManifestName
	units := make([]int, len(r.Segments))
	total := 0
	for i, s := range r.Segments {
		units[i] = s.Units
		total += s.Units
		if gop := c.manifest.Grid.GOP; !r.Sound() && (s.KeyFrames < 1 || (!r.Copied && gop > 0 && s.KeyFrames != (s.Units+gop-1)/gop)) {
			c.fail(s.Name, "30", "it does not have the key frames of the grid", "", fmt.Sprint(s.KeyFrames))
		}
	}
	if !slices.Equal(units, want) {
		c.fail(name, "plan", r.Name+": the segments are not those of the grid", fmt.Sprint(len(want), " segments"), fmt.Sprint(len(units), " segments"))
	}
	if !r.Sound() && total != planned {
		c.fail(name, "plan", r.Name+": the frames are not as many as planned", fmt.Sprint(planned), fmt.Sprint(total))
	}
	if !r.Sound() || c.manifest.Timeline.Frames == 0 {
		return
	}
	ticks, base := c.manifest.Ticks(r)
	var samples int64
	for _, n := range ticks {
		samples += n
	}
	video := c.manifest.Timeline.Rate.Invert().Duration(int64(c.manifest.Timeline.Frames))
	slack := base.Duration(packetSamples) + c.manifest.Timeline.Rate.Invert().Duration(1)
	if sound := base.Duration(samples); (sound - video).Abs() > slack {
		c.fail(name, "15", r.Name+": sound and pictures differ in length", video.String(), sound.String())
	}
}

// below resolves a playlist's relative URI to a name below the video.
func below(playlist, uri string) string { return path.Join(path.Dir(playlist), uri) }

// measured is what a rendition's rates and codecs really are.
type measured struct {
	Rendition
	peak, average int
	codec         string
	width, height int
}

// master checks what the master declares against what is measured.
func (c *checker) master(m hls.Master) {
	if !m.Independent {
		c.fail(MasterName, "68", "EXT-X-INDEPENDENT-SEGMENTS is not there", "", "")
	}
	c.named(m.SessionKeys)
	renditions := map[string]measured{}
	pictures := 0
	for _, r := range c.manifest.Renditions {
		got := c.measure(r)
		renditions[r.Playlist.Name] = got
		if !r.Sound() {
			pictures++
		}
	}
	groups := map[string][]measured{}
	offered := map[string]bool{}
	for _, a := range m.Audio {
		sound := renditions[a.URI]
		if !sound.Sound() {
			c.fail(MasterName, "72", "an audio rendition is not in the manifest", a.URI, "")
		}
		groups[a.Group] = append(groups[a.Group], sound)
		offered[a.URI] = true
	}
	for _, r := range c.manifest.Renditions {
		if r.Sound() && len(m.Audio) > 0 && !offered[r.Playlist.Name] {
			c.fail(MasterName, "72", "a sound of the manifest is in no group", "", r.Playlist.Name)
		}
	}
	if want := max(pictures, 1) * max(len(groups), 1); len(m.Variants) != want {
		c.fail(MasterName, "69", "there are not as many variants as rungs", fmt.Sprint(len(m.Variants)), fmt.Sprint(want))
	}
	texts := c.subtitles(m)
	for _, v := range m.Variants {
		r, known := renditions[v.URI]
		if !known {
			c.fail(MasterName, "18", "a variant is not in the manifest", v.URI, "")
			continue
		}
		r = r.with(groups[v.Audio])
		if v.Subtitles != "" {
			r.peak, r.average = r.peak+texts.peak, r.average+texts.average
		}
		c.variant(v, r)
	}
	c.looked(m, renditions)
}

// named checks that the keys that the master names are those of segments.
func (c *checker) named(uris []string) {
	for _, uri := range uris {
		used := slices.ContainsFunc(c.manifest.Renditions, func(r Rendition) bool {
			return slices.ContainsFunc(c.lists[r.Name].media.Segments, func(s hls.Segment) bool { return s.Key != nil && s.Key.URI == uri })
		})
		if !used {
			c.fail(MasterName, "107", "EXT-X-SESSION-KEY names a key that no segment has", uri, "")
		}
	}
}

// with adds the heaviest sounds of a group, of which a variant may be one, and
// the codecs of all.
func (m measured) with(group []measured) measured {
	peak, average := 0, 0
	codecs := []string{m.codec}
	for _, s := range group {
		if s.Name != m.Name {
			peak, average = max(peak, s.peak), max(average, s.average)
		}
		if !slices.Contains(codecs, s.codec) {
			codecs = append(codecs, s.codec)
		}
	}
	m.peak += peak
	m.average += average
	m.codec = strings.Join(codecs, ",")
	return m
}

func (c *checker) measure(r Rendition) measured {
	got := measured{Rendition: r, codec: r.Init.Codec, width: r.Init.Width, height: r.Init.Height}
	if track, ok := c.track(r); ok {
		got.width, got.height = track.Width, track.Height
		if codec, err := track.Codec(); err == nil {
			got.codec = codec
		}
	}
	rates := c.rates(r)
	got.peak, got.average = rates.peak, rates.average
	return got
}

// rates measures a rendition's segments.
func (c *checker) rates(r Rendition) (got measured) {
	list := c.lists[r.Name]
	if !list.ok {
		return got
	}
	weights := make([]hls.Weight, len(r.Segments))
	for i, s := range list.media.Segments {
		weights[i] = hls.Weight{Bytes: c.sizes[r.Segments[i].Name], Duration: s.Duration}
	}
	got.peak, got.average = hls.Rates(weights, list.media.Target)
	return got
}

func (c *checker) variant(v hls.Variant, r measured) {
	if c.lists[r.Name].ok {
		c.rate(v.URI+": BANDWIDTH", "61", v.Bandwidth, r.peak)
		c.rate(v.URI+": AVERAGE-BANDWIDTH", "62", v.Average, r.average)
	}
	codecs := strings.Split(r.codec, ",")
	slices.Sort(codecs)
	declared := slices.Sorted(slices.Values(v.Codecs))
	if !slices.Equal(declared, codecs) {
		c.fail(MasterName, "64", v.URI+": CODECS is not what the init sections say", strings.Join(declared, ","), strings.Join(codecs, ","))
	}
	if v.Width != r.width || v.Height != r.height {
		c.fail(MasterName, "65", v.URI+": RESOLUTION is not that of the pictures",
			fmt.Sprintf("%dx%d", v.Width, v.Height), fmt.Sprintf("%dx%d", r.width, r.height))
	}
	if r.Sound() {
		return
	}
	if !v.NoCaptions {
		c.fail(MasterName, "51", v.URI+": CLOSED-CAPTIONS=NONE is not there, though there are none", "", "")
	}
	if rate := c.manifest.Timeline.Rate.Float(); math.Abs(v.FrameRate-rate) > 0.0005+1e-9 {
		c.fail(MasterName, "66", v.URI+": FRAME-RATE is not that of the pictures", fmt.Sprint(v.FrameRate), fmt.Sprint(rate))
	}
}

// rate checks rules 61 and 62: a declared rate is within 10 % of the measured
// one.
func (c *checker) rate(what, rule string, declared, got int) {
	if off := max(declared-got, got-declared); off*10 > got {
		c.fail(MasterName, rule, what+" is more than 10 % off", fmt.Sprint(declared), fmt.Sprint(got))
	}
}

// expected gives the units before segment number and in it.
func expected(segments []Segment, number int) (before, units int64) {
	for _, s := range segments[:number] {
		before += int64(s.Units)
	}
	return before, int64(segments[number].Units)
}
