package main

import (
	"context"
	"errors"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/remote"
	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/m3u8"
	"github.com/spool-video/spool/internal/verify"
)

// stored checks what lies at a place in a store: a video, all those right below
// it, or whatever HLS is there.
func (c *checking) stored(ctx context.Context, arg string) (err error) {
	at, err := spool.ParseRemotePath(arg)
	if err != nil {
		return err
	}
	playlist := ""
	if dir, name := path.Split(at.Path); strings.HasSuffix(name, ".m3u8") && strings.Trim(dir, "/") != "" {
		at.Path, playlist = path.Clean(dir), name
	}
	s, err := remote.Open(ctx, at, remote.Options{Remotes: remotes(c.cfg), ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if playlist != "" {
		return c.foreignStored(ctx, s, playlist)
	}
	found, err := playlistsIn(ctx, s)
	switch {
	case err != nil:
		return err
	case found.ours[""]:
		return c.oneStored(ctx, at)
	case len(found.masters) == 0 || slices.Contains(found.masters, ""):
		name, err := leading(ctx, s, found.here)
		if err != nil {
			return err
		}
		return c.foreignStored(ctx, s, name)
	}
	for _, id := range found.masters {
		if !found.ours[id] {
			err = c.foreignStored(ctx, s, path.Join(id, verify.MasterName))
		} else {
			err = c.ownStored(ctx, s, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// publishedThere is what playlists there are in a folder of a store.
type publishedThere struct {
	here    []string        // those right in it
	masters []string        // the folders right below it that hold a master, and "" when it does
	ours    map[string]bool // those that Spool published
}

func playlistsIn(ctx context.Context, s store.Store) (publishedThere, error) {
	found := publishedThere{ours: map[string]bool{}}
	for object, err := range s.List(ctx, "") {
		if err != nil {
			return found, err
		}
		dir, name := path.Split(object.Name)
		dir = strings.TrimSuffix(dir, "/")
		if dir == "" && strings.HasSuffix(name, ".m3u8") {
			found.here = append(found.here, name)
		}
		switch {
		case name == verify.MasterName && !strings.Contains(dir, "/"):
			found.masters = append(found.masters, dir)
		case name == verify.CardName:
			found.ours[dir] = true
		case name == verify.ManifestName:
			found.ours[strings.TrimSuffix(path.Dir(dir), ".")] = true
		}
	}
	found.ours[""] = found.ours[""] && slices.Contains(found.masters, "")
	slices.Sort(found.masters)
	slices.Sort(found.here)
	return found, nil
}

// leading chooses the playlist that a folder stands for: the one that leads to
// others, else the only one.
func leading(ctx context.Context, s store.Store, names []string) (string, error) {
	dir := s.Properties().Address
	if len(names) == 0 {
		return "", usage("nothing-there", "no video is published in "+dir+", and it holds no playlist (.m3u8)", "name a video's folder, the folder that it was published to, or a playlist")
	}
	var leads []string
	for _, name := range names {
		text, err := small(ctx, s, name)
		if err != nil {
			return "", err
		}
		if m3u8.Read(text).Multivariant() {
			leads = append(leads, name)
		}
	}
	switch {
	case len(leads) == 1:
		return leads[0], nil
	case len(names) == 1:
		return names[0], nil
	}
	return "", usage("several-playlists", dir+" holds several playlists, and it cannot be told which one leads to the others", "name the playlist")
}

// small reads an object that is no larger than playlists are.
func small(ctx context.Context, s store.Store, name string) ([]byte, error) {
	const most = 16 << 20
	r, err := s.Open(ctx, name, 0, -1)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(r, most))
	return text, errors.Join(err, r.Close())
}

// oneStored checks the video whose folder a place is.
func (c *checking) oneStored(ctx context.Context, at spool.RemotePath) (err error) {
	above := spool.RemotePath{Remote: at.Remote, Path: strings.TrimPrefix(path.Dir(at.Path), ".")}
	s, err := remote.Open(ctx, above, remote.Options{Remotes: remotes(c.cfg), ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return c.ownStored(ctx, s, path.Base(at.Path))
}

// ownStored checks a video that Spool published to a store.
func (c *checking) ownStored(ctx context.Context, s store.Store, id string) error {
	r, err := c.check(ctx, s, id, c.keySource(ctx, s.Properties().Address))
	if err != nil {
		return err
	}
	c.take(r)
	return nil
}

// foreignStored checks a package in a store by its playlist.
func (c *checking) foreignStored(ctx context.Context, s store.Store, playlist string) error {
	o, err := c.foreignOptions(ctx)
	if err != nil {
		return err
	}
	r, err := c.survey(ctx, inStore{s, survey.NewWeb(nil)}, (&url.URL{Path: playlist}).String(), o)
	if err != nil {
		return err
	}
	c.take(checked{Place: plaintext.Redact(s.Properties().Address + "/" + playlist), Rules: r})
	return nil
}
