package finish

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/verify"
)

// Unpublish removes a video: the masters first, so that no player finds a video
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
	if err := removeEarly(ctx, s, video, anything); err != nil {
		return fmt.Errorf("unpublish %s: %w", video, err)
	}
	// The card goes last: as long as anything is left, it says whose it is.
	if err := remove(ctx, s, video+"/", anything); err != nil {
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

// SweepRevision removes a revision that another one has replaced, with what
// was published of it early. It refuses the one that the master names.
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
	if err := removeEarly(ctx, s, video, func(of string) bool { return of == revision }); err != nil {
		return fmt.Errorf("sweep %s/%s: %w", video, revision, err)
	}
	if err := remove(ctx, s, video+"/"+revision+"/", anything); err != nil {
		return fmt.Errorf("sweep %s/%s: %w", video, revision, err)
	}
	return nil
}

// othersTime is how long an unfinished revision that somebody else has begun is
// left alone after its last object was put: another machine may be at it.
const othersTime = 24 * time.Hour

// SweepAbandoned removes the revisions of a video that were never finished,
// all but keep: those that are mine, and those without a manifest, which nothing
// published can name, where nobody has put anything for a day.
// Revisions that are whole, replaced or not, stay, with the early lists that
// players may still follow, and so does a foreign folder.
func SweepAbandoned(ctx context.Context, s store.Store, video, keep string, mine []string) error {
	if !spool.ValidID(video) {
		return fmt.Errorf("sweep %q: not a video's name", video)
	}
	_, err := Look(ctx, s, video)
	switch {
	case errors.Is(err, ErrForeign):
		return nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("sweep %s: %w", video, err)
	}
	return sweepAbandoned(ctx, s, video, keep, mine)
}

// sweepAbandoned is SweepAbandoned of a video that is known to be ours.
func sweepAbandoned(ctx context.Context, s store.Store, video, keep string, mine []string) error {
	stays := map[string]bool{keep: true}
	young := time.Now().Add(-othersTime)
	for info, err := range s.List(ctx, video+"/") {
		if err != nil {
			return fmt.Errorf("sweep %s: %w", video, err)
		}
		parts := strings.Split(info.Name, "/")
		whole := len(parts) == 3 && parts[2] == verify.ManifestName
		if len(parts) > 2 && (whole || info.Modified.After(young)) && !slices.Contains(mine, parts[1]) {
			stays[parts[1]] = true
		}
	}
	if err := removeEarly(ctx, s, video, func(of string) bool { return !stays[of] }); err != nil {
		return fmt.Errorf("sweep %s: %w", video, err)
	}
	abandoned := func(name string) bool { return !stays[strings.Split(name, "/")[1]] }
	if err := remove(ctx, s, video+"/", abandoned); err != nil {
		return fmt.Errorf("sweep %s: %w", video, err)
	}
	return nil
}

// publishedRevision is the one that the master leads to, "" without a master.
func publishedRevision(ctx context.Context, s store.Store, video string) (string, error) {
	text, err := masterOf(ctx, s, video)
	if err != nil || text == nil {
		return "", err
	}
	master, err := hls.ParseMaster(text)
	if err != nil {
		return "", fmt.Errorf("read master playlist: %w", err)
	}
	revision, _, _ := strings.Cut(master.Variants[0].URI, "/")
	return revision, nil
}

// madeHere are the names, below a video's folder, of what Spool puts into
// revisions. Nothing of another form is ever removed, but for what package
// early made: whatever it is, it is somebody else's.
var madeHere = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}/` +
	`(manifest\.json|storyboard/(index\.vtt|[0-9]{5,}-[0-9a-f]{8}\.jpg)|[vas][0-9]+-[A-Za-z0-9_-]+/(index\.m3u8|iframes\.m3u8|init-[0-9a-f]{8}\.mp4|([0-9]{5,}|iframe-[0-9]{5,}-[0-9]+)-[0-9a-f]{8}\.(m4s|ts|aac|vtt)))$`)

func anything(string) bool { return true }

// remove deletes the objects below prefix, which begins with the video's
// folder, that Spool made and which chooses. Names are collected first: a
// store need not list well while it changes.
func remove(ctx context.Context, s store.Store, prefix string, which func(name string) bool) error {
	var names []string
	for info, err := range s.List(ctx, prefix) {
		if err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		_, below, _ := strings.Cut(info.Name, "/")
		if madeHere.MatchString(below) && which(info.Name) {
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
