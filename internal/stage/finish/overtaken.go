package finish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/verify"
)

// The master is the one name that every revision of a video puts, and no store
// can be asked to put it only if nobody else has. A worker that was taken for
// lost, and does not know, could so lead players to what has been swept. It
// therefore looks, right before it puts the master, whether it was overtaken.

// fresh is how long it is believed that nobody has overtaken a finish job: many
// times what a store needs for the two small objects that are put meanwhile.
const fresh = time.Second

// ours refuses a folder in which a stranger's master playlist or video.json
// lies. It gives the master playlist that is there now, nil when there is none.
func (s Stage) ours(ctx context.Context, job spool.Job) (master []byte, err error) {
	_, err = Look(ctx, s.Store, job.Video)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return masterOf(ctx, s.Store, job.Video)
}

// masterOf reads a video's master playlist; nil: there is none.
func masterOf(ctx context.Context, s store.Store, video string) ([]byte, error) {
	text, err := read(ctx, s, video+"/"+verify.MasterName, maxCard)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read master playlist: %w", err)
	}
	return text, nil
}

// inTime puts what names the revision unless somebody else was faster: p.about,
// and then the master. When the first took long, or the machine slept, it looks
// again.
func (s Stage) inTime(ctx context.Context, job spool.Job, p *parcel, m *meter) error {
	var looked time.Time // by the clock on the wall, which goes on while a machine sleeps
	for _, step := range [][]document{p.about, {p.master}} {
		if age := time.Since(looked); age < 0 || age > fresh || s.suspicious {
			if err := s.overtaken(ctx, job, p.before); err != nil {
				return err
			}
			looked = time.Now().Round(0)
		}
		if err := s.putAll(ctx, job.Video, step, brief, m); err != nil {
			return err
		}
	}
	return nil
}

// overtaken is an error when the revision is not to be published any more: its
// manifest is gone, which was there when it was verified, so somebody has swept
// it; or the master is neither what it was before nor leads to this revision or
// to the one that it replaces.
func (s Stage) overtaken(ctx context.Context, job spool.Job, before []byte) error {
	return flow.Run(ctx, func(g *flow.Group) { //nolint:wrapcheck // each says what it was about
		g.Go(func(ctx context.Context) error {
			name := path.Join(job.Video, job.Revision, verify.ManifestName)
			_, err := s.Store.Stat(ctx, name)
			if errors.Is(err, store.ErrNotFound) {
				return superseded(job, "what was made has been removed")
			}
			if err != nil {
				return fmt.Errorf("look for %s: %w", name, err)
			}
			return nil
		})
		g.Go(func(ctx context.Context) error {
			now, err := masterOf(ctx, s.Store, job.Video)
			if err != nil || now == nil || bytes.Equal(now, before) {
				return err
			}
			if leads := leadsTo(now); leads == "" || leads != job.Revision && leads != job.Published {
				return superseded(job, "another revision is published")
			}
			return nil
		})
	})
}

// leadsTo names the revision that a master playlist leads to; "" of what is
// none.
func leadsTo(text []byte) string {
	master, err := hls.ParseMaster(text)
	if err != nil {
		return ""
	}
	revision, _, _ := strings.Cut(master.Variants[0].URI, "/")
	return revision
}

// superseded is mostly said by a worker that was taken for lost: its job was
// given to another one, or is not wanted any more, and nobody counts what it
// says. Of others the job is tried again, and finds out what there is now.
func superseded(job spool.Job, why string) error {
	return &spool.Error{
		Class: spool.Transient, Code: "superseded",
		Reason: "the video " + job.Video + " was published or removed by someone else while it was verified: " + why,
		Hint:   "when it happens again, look who else publishes under this name",
	}
}
