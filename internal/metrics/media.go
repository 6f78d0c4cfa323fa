package metrics

import (
	"slices"
	"strings"

	"github.com/spool-video/spool"
)

// rungs are the sizes that have a name of their own. The top of a ladder has
// its source's size, which may be any.
var rungs = []string{"144p", "240p", "360p", "480p", "540p", "720p", "1080p", "1440p", "2160p"}

// rung is the label of a rendition: "360p", "other", or "audio".
func rung(rendition string) string {
	if strings.HasPrefix(rendition, "a") {
		return "audio"
	}
	_, size, _ := strings.Cut(rendition, "-")
	if slices.Contains(rungs, size) {
		return size
	}
	return "other"
}

// Made notes what a job that is done has made or fetched.
func (m *Metrics) Made(job spool.Job, r spool.Result) {
	if m == nil {
		return
	}
	if f := r.Fetched; f != nil {
		m.sourceBytes.WithLabelValues(kind(f)).Add(float64(f.Bytes()))
	}
	if r.Made == nil || job.Plan == nil || job.Kind != spool.Encode && job.Kind != spool.Audio {
		return
	}
	plan, units := job.Plan, map[string]int{}
	for _, s := range r.Made.Segments {
		units[s.Rendition] += s.Units
	}
	for rendition, n := range units {
		label := rung(rendition)
		if job.Kind == spool.Audio {
			if rate := plan.SampleRate(); rate > 0 {
				const packet = 1024 // samples of AAC
				m.mediaSeconds.WithLabelValues(label, "aac").Add(float64(n) * packet / float64(rate))
			}
			continue
		}
		m.frames.WithLabelValues(label).Add(float64(n))
		m.mediaSeconds.WithLabelValues(label, encoder(plan, rendition)).Add(plan.Timeline.Rate.Invert().Duration(int64(n)).Seconds())
	}
}

// encoder is what made a rendition's pictures.
func encoder(p *spool.Plan, rendition string) string {
	for _, r := range p.Rungs {
		if r.Name == rendition && r.Action == spool.CopyRung {
			return "copy"
		}
	}
	return "libx264"
}

// kind says where a source came from.
func kind(f *spool.Fetched) string {
	switch {
	case f.Page != nil:
		return "page"
	case f.Remote != nil && f.Remote.Store != "":
		return "store"
	case f.Remote != nil && f.Remote.URL != "", f.SHA256 != "":
		return "link"
	}
	return "file"
}
