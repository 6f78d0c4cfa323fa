package finish

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/verify"
)

// parcel is everything that is published of a revision besides its segments.
type parcel struct {
	manifest verify.Manifest
	media    map[string]hls.Media // by rendition
	looks    []hls.IFrames        // highest first
	// What lies below the revision: playlists, the storyboard, and the manifest,
	// which names them.
	lists, pictures []document
	sealed          document
	// What lies beside it: a poster and a description, and the master.
	about  []document
	master document

	before []byte // the master that was there when the job began; nil: none
}

// beside is all that lies beside the revision, the master last.
func (p *parcel) beside() []document { return append(slices.Clone(p.about), p.master) }

// revision is all that lies below the revision, but the segments.
func (p *parcel) revision() []document {
	return append(slices.Concat(p.lists, p.pictures), p.sealed)
}

// document is an object whose content is at hand.
type document struct {
	spool.Object
	content []byte
}

func newDocument(name, kind string, content []byte) document {
	return document{
		Object:  spool.Object{Name: name, Size: int64(len(content)), SHA256: verify.Sum(content), Type: kind},
		content: content,
	}
}

// assemble checks that every segment of every rendition was made exactly once
// and that all parts agree, and lists them.
func assemble(job spool.Job) (*parcel, error) {
	if job.Plan == nil || job.Made == nil {
		return nil, broken("the finish job came without a plan or without what was made")
	}
	plan := job.Plan
	p := &parcel{media: map[string]hls.Media{}, manifest: verify.Manifest{
		Video: job.Video, Revision: job.Revision, Settings: job.Settings, Timeline: plan.Timeline,
		Grid: plan.Grid, LeftOut: plan.LeftOut,
	}}
	p.manifest.Key, p.manifest.Keys = named(job)
	for _, rung := range plan.Rungs {
		if rung.Action == spool.SkipRung {
			continue
		}
		r := verify.Rendition{Name: rung.Name, Label: rung.Label(), Copied: rung.Action == spool.CopyRung}
		p.manifest.Renditions = append(p.manifest.Renditions, r)
	}
	for _, s := range plan.Sounds {
		p.manifest.Renditions = append(p.manifest.Renditions, verify.Rendition{
			Name: s.Name, Language: s.Language, Title: s.Title, Role: s.Role, Track: s.Stream,
			Channels: s.Channels, SampleRate: s.SampleRate, Packets: s.Packets, PrimingSamples: s.PrimingSamples,
		})
	}
	if len(p.manifest.Renditions) == 0 {
		return nil, broken("the plan has neither pictures nor sound")
	}
	for i := range p.manifest.Renditions {
		if err := collect(&p.manifest.Renditions[i], p.manifest, *job.Made); err != nil {
			return nil, err
		}
	}
	if err := p.subtitles(job); err != nil {
		return nil, err
	}
	if total := count(p.manifest.Renditions) + count(p.manifest.Subtitles); total != len(job.Made.Segments) {
		return nil, broken(fmt.Sprintf("%d segments were made that no rendition has", len(job.Made.Segments)-total))
	}
	p.manifest.Seconds = plan.Timeline.Duration(plan.SampleRate()).Seconds()
	return p, nil
}

// named names the key of a revision, or the keys when they change.
func named(job spool.Job) (one string, all []verify.Key) {
	if job.Settings.KeyRotation == 0 {
		return job.Keys.IDs(), nil
	}
	for _, k := range job.Keys {
		all = append(all, verify.Key{ID: k.ID, First: k.First})
	}
	return "", all
}

// collect gives a rendition its init section and its segments, in order.
func collect(r *verify.Rendition, m verify.Manifest, made spool.Made) error {
	units := m.Grid.Frames
	if r.Sound() {
		units = m.GridOf(*r).Packets
	}
	found := false
	for _, section := range made.Inits {
		if section.Rendition != r.Name {
			continue
		}
		if found && (section.Name != r.Init.Name || section.SHA256 != r.Init.SHA256 || section.Codec != r.Init.Codec ||
			!bytes.Equal(section.Config, r.Init.Config)) {
			return &spool.Error{
				Class: spool.Replan, Code: "parts-differ",
				Reason: "parts of " + r.Name + " were encoded with different parameters, so they cannot be joined",
			}
		}
		r.Init, found = section, true
	}
	if !found {
		return broken("no init section was made for " + r.Name)
	}
	segments := make([]verify.Segment, len(units))
	for _, s := range made.Segments {
		if s.Rendition != r.Name {
			continue
		}
		switch {
		case s.Number < 0 || s.Number >= len(units):
			return broken(fmt.Sprintf("segment %d of %s is not in the plan", s.Number, r.Name))
		case segments[s.Number].Name != "":
			return broken(fmt.Sprintf("segment %d of %s was made twice", s.Number, r.Name))
		case s.Units != units[s.Number]:
			return broken(fmt.Sprintf("segment %d of %s has %d frames or packets, planned are %d", s.Number, r.Name, s.Units, units[s.Number]))
		}
		segments[s.Number].Segment = s
	}
	missing := slices.IndexFunc(segments, func(s verify.Segment) bool { return s.Name == "" })
	if missing >= 0 || len(segments) == 0 {
		return broken(fmt.Sprintf("segment %d of %s was not made", max(missing, 0), r.Name))
	}
	r.Segments = segments
	return nil
}

func count(renditions []verify.Rendition) int {
	n := 0
	for _, r := range renditions {
		n += len(r.Segments)
	}
	return n
}

// broken is an error that only a fault of Spool explains.
func broken(what string) error {
	return &spool.Error{
		Class: spool.Permanent, Code: "parts-incomplete", Reason: what,
		Hint: "this is a fault of Spool: please report it, and publish the video anew with --remake",
	}
}
