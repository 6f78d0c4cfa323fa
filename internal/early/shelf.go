package early

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/store"
)

// Cache headers: what grows is asked for again and again; what has ended stays
// for a while.
const (
	growing = "public, max-age=1"
	brief   = "public, max-age=60"
)

// maxList is the size in bytes from which a playlist is not believed to be
// one: 24 hours in 6-second segments are 3 MB.
const maxList = 32 << 20

// shelf is a video's folder in the store.
type shelf struct {
	store store.Store
	video string
}

// errStranger: early.m3u8 is somebody else's.
var errStranger = errors.New("there is an " + Name + " that Spool did not write")

// leads gives the revision whose lists early.m3u8 names, "" when it is not
// there, and errStranger.
func (s shelf) leads(ctx context.Context) (string, error) {
	text, err := s.read(ctx, Name)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	revision, ok := Leads(text)
	if !ok {
		return "", errStranger
	}
	return revision, nil
}

// published reports whether the folder has a master playlist.
func (s shelf) published(ctx context.Context) (bool, error) {
	_, err := s.store.Stat(ctx, s.video+"/master.m3u8")
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// lists reads the growing lists of a revision, by rendition. One that cannot
// be read as a playlist is among them, without segments and ended.
func (s shelf) lists(ctx context.Context, revision string) (map[string]hls.Media, error) {
	var names []string
	prefix := path.Join(s.video, Folder(revision)) + "/"
	for info, err := range s.store.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		if rendition, ok := strings.CutSuffix(strings.TrimPrefix(info.Name, prefix), ".m3u8"); ok && !strings.Contains(rendition, "/") {
			names = append(names, rendition)
		}
	}
	found := map[string]hls.Media{}
	for _, name := range names {
		text, err := s.read(ctx, listName(revision, name))
		if err != nil {
			return nil, err
		}
		media, err := hls.ParseMedia(text)
		if err != nil {
			media = hls.Media{Ended: true}
		}
		found[name] = media
	}
	return found, nil
}

// complete gives the lists of a revision that is READY what its final
// playlists have more, and ends them.
func (s shelf) complete(ctx context.Context, revision string) error {
	lists, err := s.lists(ctx, revision)
	if err != nil {
		return err
	}
	for _, rendition := range renditions(lists) {
		media := lists[rendition]
		if media.Ended {
			continue
		}
		rest, err := s.rest(ctx, revision, rendition, len(media.Segments))
		if err != nil {
			return err
		}
		media.Segments, media.Ended = append(media.Segments, rest...), true
		if err := s.putList(ctx, revision, rendition, media); err != nil {
			return err
		}
	}
	return nil
}

// rest is what the final playlist of a rendition has from segment n on.
func (s shelf) rest(ctx context.Context, revision, rendition string, n int) ([]hls.Segment, error) {
	folder := path.Join(revision, rendition)
	text, err := s.read(ctx, folder+"/index.m3u8")
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	final, err := hls.ParseMedia(text)
	if err != nil {
		return nil, &unfitError{fmt.Errorf("read %s/index.m3u8: %w", folder, err)}
	}
	rest := final.Segments[min(n, len(final.Segments)):]
	for i := range rest {
		rest[i].URI = up(path.Join(folder, rest[i].URI))
	}
	return rest, nil
}

// withdraw takes early.m3u8 away when it leads to the revision, and ends the
// revision's lists as they are. It reports whether anything was there.
func (s shelf) withdraw(ctx context.Context, revision string) (there bool, err error) {
	leads, err := s.leads(ctx)
	if err != nil && !errors.Is(err, errStranger) {
		return false, err
	}
	if leads == revision {
		there = true
		if err := s.store.Delete(ctx, path.Join(s.video, Name)); err != nil {
			return there, err
		}
	}
	lists, err := s.lists(ctx, revision)
	if err != nil {
		return there, err
	}
	for _, rendition := range renditions(lists) {
		media := lists[rendition]
		if media.Ended {
			continue
		}
		there, media.Ended = true, true
		if err := s.putList(ctx, revision, rendition, media); err != nil {
			return there, err
		}
	}
	return there, nil
}

// renditions are those of lists in the order of writing: sound, then pictures,
// the smallest first.
func renditions(lists map[string]hls.Media) []string {
	var names []string
	for name := range lists {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s shelf) putList(ctx context.Context, revision, rendition string, media hls.Media) error {
	text, err := media.Encode()
	if err != nil {
		return &unfitError{err}
	}
	cache := growing
	if media.Ended {
		cache = brief
	}
	return s.put(ctx, listName(revision, rendition), text, cache)
}

// put writes a playlist and makes sure that the store has it.
func (s shelf) put(ctx context.Context, name string, text []byte, cache string) error {
	object := path.Join(s.video, name)
	o := store.PutOptions{ContentType: hls.ContentType, CacheControl: cache}
	if err := s.store.Put(ctx, object, bytes.NewReader(text), o); err != nil {
		return fmt.Errorf("put %s: %w", object, err)
	}
	if s.store.Properties().Checksum {
		return nil
	}
	back, err := s.read(ctx, name)
	if err != nil {
		return err
	}
	if !bytes.Equal(back, text) {
		return &spool.Error{
			Class: spool.Transient, Code: "store-changed-bytes",
			Reason: "the destination gave back other bytes than were put into " + object,
			Hint:   "look at the destination's disk or bucket",
		}
	}
	return nil
}

func (s shelf) read(ctx context.Context, name string) ([]byte, error) {
	object := path.Join(s.video, name)
	r, err := s.store.Open(ctx, object, 0, -1)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", object, err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxList))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", object, err)
	}
	return text, nil
}

func listName(revision, rendition string) string {
	return path.Join(Folder(revision), rendition+".m3u8")
}

// up is how a growing list names an object of the video's folder.
func up(object string) string { return "../" + object }

// unfitError: the lists of a video cannot go on, and trying again does not
// help.
type unfitError struct{ cause error }

func (e *unfitError) Error() string { return e.cause.Error() }

func (e *unfitError) Unwrap() error { return e.cause }
