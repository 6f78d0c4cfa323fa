// Package finish turns the segments that were made for a revision into a
// published video: playlists, descriptions, a last look at all of it, and then
// the master playlist, in one step. Until that step players see what they saw
// before.
package finish

import (
	"context"
	"fmt"
	"hash/fnv"
	"path"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/verify"
)

// Stage does finish jobs.
type Stage struct {
	Store store.Store
	// Uploads are held while one document is put; nil: as many as there are.
	Uploads slots
	// Tools say which ffmpeg decodes; the one in PATH when empty.
	Tools ffmpeg.Tools
	// KeysDir is where content keys are exported to; "" leaves them in the
	// ledger.
	KeysDir string
	Version string // of Spool

	suspicious bool // it looks whether it was overtaken before each step
}

// Cache headers: nothing below a revision ever changes; what lies beside it
// does when another revision takes its place.
const (
	immutable = "public, max-age=31536000, immutable"
	brief     = "public, max-age=60"
)

// Run publishes what was made. It may be run again after a crash at any point
// and then ends the same.
//
// A bucket may take long to answer: what need not wait for one another goes
// there together, and is made while other things are put. In this order are the
// revision, with all that it names; verifying it, as it lies there; what is
// beside it; and the master, by itself.
func (s Stage) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	progress(spool.Progress{Phase: spool.Publishing})
	p, err := assemble(job)
	if err != nil {
		return spool.Result{}, err
	}
	p.manifest.Spool = s.Version
	if err := p.playlists(job); err != nil {
		return spool.Result{}, err
	}
	meter := &meter{progress: progress}
	notes, err := s.putRevision(ctx, job, p, meter)
	if err != nil {
		return spool.Result{}, err
	}
	progress(spool.Progress{Phase: spool.Verifying})
	report, err := s.check(ctx, job, p)
	if err != nil {
		return spool.Result{}, err
	}
	there, err := s.announce(ctx, job, p, meter)
	if err != nil {
		return spool.Result{}, err
	}
	if err := s.sweepStrays(ctx, job, p, there); err != nil {
		progress(spool.Progress{Phase: spool.Publishing, Note: "some left-over objects could not be removed"})
	}
	return spool.Result{Finished: &spool.Finished{
		Master:  s.Store.Properties().Address + "/" + job.Video + "/" + verify.MasterName,
		Objects: report.Objects, Bytes: report.Bytes, Length: report.Length, Notes: notes,
	}}, nil
}

// announce puts what lies beside the revision, the master last, unless somebody
// else was faster. Meanwhile it looks what the store has of the video; an error
// of that is in what it gives.
func (s Stage) announce(ctx context.Context, job spool.Job, p *parcel, m *meter) (there listing, err error) {
	err = flow.Run(ctx, func(g *flow.Group) {
		g.Go(func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, sweepTime)
			defer cancel()
			there = listed(ctx, s.Store, job.Video+"/")
			return nil
		})
		g.Go(func(ctx context.Context) error {
			return s.inTime(ctx, job, p, m)
		})
	})
	return there, err //nolint:wrapcheck // each says what it was about
}

// putRevision puts everything that lies below the revision besides its
// segments.
func (s Stage) putRevision(ctx context.Context, job spool.Job, p *parcel, m *meter) (notes []string, err error) {
	var poster []byte
	var glimpses *board
	err = flow.Run(ctx, func(g *flow.Group) {
		g.Go(func(ctx context.Context) error {
			var err error
			if p.before, err = s.ours(ctx, job); err != nil {
				return err
			}
			if err := s.exportKeys(job); err != nil {
				return err
			}
			return s.putAll(ctx, job.Video, p.lists, immutable, m)
		})
		g.Go(func(ctx context.Context) (err error) {
			poster, err = s.poster(ctx, job, p)
			return err
		})
		g.Go(func(ctx context.Context) (err error) {
			glimpses, notes, err = s.glance(ctx, job, p)
			return err
		})
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // each says what it was about
	}
	p.glance(glimpses)
	if err := p.describe(job, poster); err != nil {
		return nil, err
	}
	m.expect(size(p.revision()) + size(p.beside()))
	return notes, s.putAll(ctx, job.Video, append(p.pictures, p.sealed), immutable, m)
}

// exportKeys puts the keys where players get them, before any playlist names
// one.
func (s Stage) exportKeys(job spool.Job) error {
	if s.KeysDir == "" {
		return nil
	}
	for _, k := range job.Keys {
		if err := keys.Export(s.KeysDir, job.Video, k.ID, k.Bytes); err != nil {
			return fmt.Errorf("finish %s: %w", job.Video, err)
		}
	}
	return nil
}

// check verifies the package with the master that is about to be put.
func (s Stage) check(ctx context.Context, job spool.Job, p *parcel) (verify.Report, error) {
	o := verify.Options{Tools: s.Tools, Seed: seed(job.Revision), Pending: map[string][]byte{}}
	for _, d := range p.beside() {
		o.Pending[d.Name] = d.content
	}
	if len(job.Keys) > 0 {
		o.Keys = func(uri string) ([]byte, error) {
			key := job.Keys.At(uri)
			if key == nil {
				return nil, fmt.Errorf("key of another URI is asked for")
			}
			return key.Bytes, nil
		}
	}
	report, err := verify.Package(ctx, s.Store, job.Video, o)
	if err != nil {
		return report, fmt.Errorf("finish: %w", err)
	}
	for _, f := range report.Findings {
		if f.Level == verify.Error {
			if f.Rule == verify.RuleDecode && p.copied(f.Object) {
				return report, undecodable(f)
			}
			return report, &spool.Error{
				Class: spool.Transient, Code: "verify-failed",
				Reason: "what was published is not right: " + f.String(),
				Hint:   "look at the destination; when it happens again, publish the video anew with --remake",
			}
		}
	}
	return report, nil
}

// copied reports whether an object belongs to a rendition that was copied.
func (p *parcel) copied(object string) bool {
	for _, r := range p.manifest.Renditions {
		if r.Copied && strings.HasPrefix(object, path.Join(p.manifest.Video, p.manifest.Revision, r.Name)+"/") {
			return true
		}
	}
	return false
}

// undecodable is the error of pictures that were copied and are damaged in the
// source: encoders get over that, strict players do not.
func undecodable(f verify.Finding) error {
	return &spool.Error{
		Class: spool.Replan, Code: "copy-not-decodable",
		Reason: "the source's own pictures cannot be published as they are: " + f.String(),
		Hint:   "the video is planned again, and all of its sizes are encoded",
	}
}

// seed makes the samples of a revision always the same, and those of another
// one others.
func seed(revision string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(revision))
	return h.Sum64()
}

// sweepTime is how long a video is kept from being ready for the sake of what
// is left over.
const sweepTime = time.Minute

// sweepStrays removes what lies below the revision and no accepted report
// names: uploads of workers that were thought dead; and what earlier plans of
// the video left. The video is published
// already, so a store that refuses does not fail it; what stays is found by
// verify as a stray.
func (s Stage) sweepStrays(ctx context.Context, job spool.Job, p *parcel, there listing) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	known := map[string]bool{}
	for _, o := range p.manifest.Objects() {
		known[job.Video+"/"+o.Name] = true
	}
	for _, d := range p.revision() {
		known[job.Video+"/"+d.Name] = true
	}
	return flow.Run(ctx, func(g *flow.Group) { //nolint:wrapcheck // nobody is told what it was
		g.Go(func(ctx context.Context) error {
			// Players follow the early lists, which may name what was made again since.
			named, err := namedEarly(ctx, there, job.Video, job.Revision)
			if err != nil {
				return err
			}
			stray := func(name string) bool { return !known[name] && !named[name] }
			return remove(ctx, there, job.Video+"/"+job.Revision+"/", stray)
		})
		g.Go(func(ctx context.Context) error {
			return sweepAbandoned(ctx, there, job.Video, job.Revision, job.GivenUp)
		})
	})
}
