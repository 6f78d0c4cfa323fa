package finish

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/verify"
)

// Unpublish removes a video: the master first, so that no player finds a video
// with holes, then everything else, then its exported keys. keysDir is "" to
// leave those. A foreign folder is refused, and files in the video's folder
// that are not Spool's stay. It may be run again until it succeeds.
func Unpublish(ctx context.Context, s store.Store, video, keysDir string) error {
	if !spool.ValidID(video) {
		return fmt.Errorf("unpublish %q: not a video's name", video)
	}
	if _, err := Look(ctx, s, video); err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("unpublish: %w", err)
	}
	if err := s.Delete(ctx, video+"/"+verify.MasterName); err != nil {
		return fmt.Errorf("unpublish %s: %w", video, err)
	}
	// The card goes last: as long as anything is left, it says whose it is.
	below := func(name string) bool { return strings.Count(name, "/") > 1 }
	if err := remove(ctx, s, video+"/", below); err != nil {
		return fmt.Errorf("unpublish %s: %w", video, err)
	}
	for _, name := range []string{verify.PosterName, verify.CardName} {
		if err := s.Delete(ctx, video+"/"+name); err != nil {
			return fmt.Errorf("unpublish %s: %w", video, err)
		}
	}
	if keysDir == "" {
		return nil
	}
	if err := keys.Remove(keysDir, video); err != nil {
		return fmt.Errorf("unpublish: %w", err)
	}
	return nil
}

// SweepRevision removes a revision that another one has replaced. It refuses
// the one that the master names.
func SweepRevision(ctx context.Context, s store.Store, video, revision string) error {
	if !spool.ValidID(video) || !spool.ValidID(revision) {
		return fmt.Errorf("sweep %q/%q: not names of a video and a revision", video, revision)
	}
	published, err := publishedRevision(ctx, s, video)
	if err != nil {
		return fmt.Errorf("sweep %s/%s: %w", video, revision, err)
	}
	if published == revision {
		return fmt.Errorf("sweep %s/%s: it is the published revision", video, revision)
	}
	all := func(string) bool { return true }
	if err := remove(ctx, s, video+"/"+revision+"/", all); err != nil {
		return fmt.Errorf("sweep %s/%s: %w", video, revision, err)
	}
	return nil
}

// publishedRevision is the one that the master leads to, "" without a master.
func publishedRevision(ctx context.Context, s store.Store, video string) (string, error) {
	text, err := read(ctx, s, video+"/"+verify.MasterName, maxCard)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read master playlist: %w", err)
	}
	master, err := hls.ParseMaster(text)
	if err != nil {
		return "", fmt.Errorf("read master playlist: %w", err)
	}
	revision, _, _ := strings.Cut(master.Variants[0].URI, "/")
	return revision, nil
}

// remove deletes the objects below prefix that which chooses. Names are
// collected first: a store need not list well while it changes.
func remove(ctx context.Context, s store.Store, prefix string, which func(name string) bool) error {
	var names []string
	for info, err := range s.List(ctx, prefix) {
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		if which(info.Name) {
			names = append(names, info.Name)
		}
	}
	for _, name := range names {
		if err := s.Delete(ctx, name); err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}
