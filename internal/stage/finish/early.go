package finish

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/early"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/verify"
)

// SweepEarly removes what was published early of a video that has been READY
// since before a time: the early master, the lists that grew, and what only
// they name. A video that is not READY, or not for so long, is left alone, for
// players may follow its lists. Where there is nothing it costs one List.
func SweepEarly(ctx context.Context, s store.Store, video string, before time.Time) error {
	if !spool.ValidID(video) {
		return fmt.Errorf("sweep %q: not a video's name", video)
	}
	lists, err := listsEarly(ctx, s, video, anything)
	if err != nil || len(lists) == 0 {
		return err
	}
	info, err := s.Stat(ctx, video+"/"+verify.MasterName)
	if errors.Is(err, store.ErrNotFound) || err == nil && info.Modified.After(before) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep early lists of %s: %w", video, err)
	}
	if err := sweepEarly(ctx, s, video); err != nil {
		return fmt.Errorf("sweep early lists of %s: %w", video, err)
	}
	return nil
}

func sweepEarly(ctx context.Context, s store.Store, video string) error {
	revision, err := publishedRevision(ctx, s, video)
	if err != nil {
		return err
	}
	named, err := namedEarly(ctx, s, video, revision)
	if err != nil {
		return err
	}
	if err := removeEarly(ctx, s, video, anything); err != nil || len(named) == 0 {
		return err
	}
	text, err := read(ctx, s, path.Join(video, revision, verify.ManifestName), maxManifest)
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	manifest, err := verify.ParseManifest(text)
	if err != nil {
		return err //nolint:wrapcheck // it says what it is
	}
	for _, o := range manifest.Objects() {
		delete(named, video+"/"+o.Name)
	}
	return remove(ctx, s, video+"/"+revision+"/", func(name string) bool { return named[name] })
}

// maxManifest is the size in bytes from which a manifest is not one.
const maxManifest = 64 << 20

// removeEarly removes the growing lists of the revisions that which chooses,
// and before them the early master that leads there.
func removeEarly(ctx context.Context, s store.Store, video string, which func(revision string) bool) error {
	master := path.Join(video, early.Name)
	text, err := read(ctx, s, master, maxCard)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read %s: %w", master, err)
	}
	if revision, ours := early.Leads(text); err == nil && ours && which(revision) {
		if err := s.Delete(ctx, master); err != nil {
			return fmt.Errorf("remove %s: %w", master, err)
		}
	}
	names, err := listsEarly(ctx, s, video, which)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := s.Delete(ctx, name); err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}

// listsEarly are the names of the growing lists of the revisions that which
// chooses.
func listsEarly(ctx context.Context, s store.Store, video string, which func(revision string) bool) ([]string, error) {
	var names []string
	prefix := path.Join(video, early.Folder(""))
	for info, err := range s.List(ctx, prefix) {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", prefix, err)
		}
		_, below, _ := strings.Cut(info.Name, "/")
		if revision, ok := early.ListOf(below); ok && which(revision) {
			names = append(names, info.Name)
		}
	}
	return names, nil
}

// namedEarly are the objects, by their names in the store, that the growing
// lists of a revision name. What cannot be read names nothing.
func namedEarly(ctx context.Context, s store.Store, video, revision string) (map[string]bool, error) {
	lists, err := listsEarly(ctx, s, video, func(of string) bool { return of == revision })
	if err != nil {
		return nil, err
	}
	texts := make([][]byte, len(lists))
	err = flow.Run(ctx, func(g *flow.Group) {
		for i, name := range lists {
			g.Go(func(ctx context.Context) (err error) {
				if texts[i], err = read(ctx, s, name, maxManifest); err != nil {
					return fmt.Errorf("read %s: %w", name, err)
				}
				return nil
			})
		}
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the list
	}
	named := map[string]bool{}
	for i, name := range lists {
		list, err := hls.ParseMedia(texts[i])
		if err != nil {
			continue
		}
		for _, segment := range slices.Concat(list.Segments, []hls.Segment{{URI: list.Map}}) {
			named[path.Join(path.Dir(name), segment.URI)] = true
		}
	}
	return named, nil
}
