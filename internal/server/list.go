package server

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

// maxListed is how many videos one answer holds; the page offers a search for
// the others.
const maxListed = 200

// listAnswer is the answer of /api/videos.
type listAnswer struct {
	Place   string    `json:"place"`   // the folder, as a person names it
	KeysAt  string    `json:"keysAt"`  // where keys are looked for, in words
	Command string    `json:"command"` // what to type when there is nothing yet
	Total   int       `json:"total"`   // how many the question fits
	Videos  []Listing `json:"videos"`  // the first maxListed of them, newest first
}

// videos answers ?q= (a part of title or ID) and ?id= (one video).
func (h *handler) videos(w http.ResponseWriter, r *http.Request) {
	all, err := h.listings(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	query := strings.ToLower(r.URL.Query().Get("q"))
	id := r.URL.Query().Get("id")
	found := make([]Listing, 0, min(len(all), maxListed))
	total := 0
	for _, v := range all {
		if !fits(v, query, id) {
			continue
		}
		total++
		if len(found) < maxListed {
			found = append(found, h.details.fill(r.Context(), v))
		}
	}
	reply(w, listAnswer{
		Place: h.preview.Dir, KeysAt: h.preview.KeysAt, Command: h.preview.Command,
		Total: total, Videos: found,
	})
}

func fits(v Listing, query, id string) bool {
	if !spool.ValidID(v.ID) || id != "" && v.ID != id {
		return false
	}
	return strings.Contains(strings.ToLower(v.Title), query) || strings.Contains(strings.ToLower(v.ID), query)
}

func (h *handler) listings(ctx context.Context) ([]Listing, error) {
	if h.preview.Videos != nil {
		return h.preview.Videos(ctx)
	}
	return inFolder(ctx, h.root)
}

// The names of master playlists: of what is ready, and of what can be watched
// while it is made.
const (
	masterName = "master.m3u8"
	earlyName  = "early.m3u8"
)

// masterOf finds a video's master playlist.
func masterOf(ctx context.Context, root place, id string) (name string, info fs.FileInfo, err error) {
	for _, name = range []string{masterName, earlyName} {
		if info, err = root.stat(ctx, path.Join(id, name)); err == nil {
			return name, info, nil
		}
	}
	return masterName, nil, fmt.Errorf("look for the playlist of %s: %w", id, err)
}

// inFolder lists the folders of root that hold a master playlist, newest
// first, with the titles that their video.json gives them.
func inFolder(ctx context.Context, root place) ([]Listing, error) {
	names, err := root.folders()
	if err != nil {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "destination-unreadable",
			Reason: "the folder cannot be read", Hint: "check its permissions and its mount", Err: err,
		}
	}
	var found []Listing
	for _, id := range names {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("list videos: %w", err)
		}
		_, info, err := masterOf(ctx, root, id)
		if err != nil || !spool.ValidID(id) {
			continue
		}
		found = append(found, Listing{ID: id, Title: readCard(ctx, root, id).Title, Published: info.ModTime()})
	}
	slices.SortFunc(found, func(a, b Listing) int {
		return cmp.Or(b.Published.Compare(a.Published), strings.Compare(a.ID, b.ID))
	})
	return found, nil
}

// card is what the page needs of a video.json.
type card struct {
	Title      string `json:"title"` // a video without one is shown by its ID
	Storyboard string `json:"storyboard"`
}

// readCard reads a video.json; one that cannot be read says nothing.
func readCard(ctx context.Context, root place, id string) (c card) {
	file, _, err := root.open(ctx, path.Join(id, "video.json"))
	if err != nil {
		return card{}
	}
	defer file.Close()
	if err := json.NewDecoder(io.LimitReader(file, 1<<20)).Decode(&c); err != nil {
		return card{}
	}
	return c
}

// details reads from playlists what a listing does not say, and remembers it
// while the master playlist is the same.
type details struct {
	root  place
	mu    sync.Mutex
	known map[string]detail // by video; mu guards it
}

type detail struct {
	master    string
	modified  time.Time
	seconds   float64
	sizes     []string
	encrypted bool
	board     string // the storyboard's index
}

func newDetails(root place) *details {
	return &details{root: root, known: map[string]detail{}}
}

// fill adds what the video's folder says to a listing.
func (d *details) fill(ctx context.Context, v Listing) Listing {
	v.Title = plaintext.Sanitize(v.Title)
	if v.Sizes == nil {
		v.Sizes = []string{}
	}
	_, err := d.root.stat(ctx, path.Join(v.ID, "poster.jpg"))
	v.Poster = err == nil
	found, err := d.read(ctx, v.ID)
	v.Master = found.master
	if err != nil {
		v.Missing = true
		return v
	}
	if v.Published.IsZero() {
		v.Published = found.modified
	}
	if v.Seconds == 0 {
		v.Seconds = found.seconds
	}
	if len(v.Sizes) == 0 {
		v.Sizes = found.sizes
	}
	v.Storyboard = found.board
	v.Encrypted = v.Encrypted || found.encrypted
	return v
}

func (d *details) read(ctx context.Context, id string) (detail, error) {
	name, info, err := masterOf(ctx, d.root, id)
	if err != nil {
		return detail{master: name}, err
	}
	d.mu.Lock()
	known, ok := d.known[id]
	d.mu.Unlock()
	if ok && known.master == name && known.modified.Equal(info.ModTime()) {
		return known, nil
	}
	found := detail{master: name, modified: info.ModTime(), board: readCard(ctx, d.root, id).Storyboard}
	if err := found.scan(ctx, d.root, id); err != nil {
		return detail{master: name}, err
	}
	d.mu.Lock()
	d.known[id] = found
	d.mu.Unlock()
	return found, nil
}

// scan reads the sizes in the master playlist, and length and encryption in
// the first media playlist that it names. A playlist that says less is shown
// with less.
func (d *detail) scan(ctx context.Context, root place, id string) error {
	first, sides := "", map[int]bool{}
	err := eachLine(ctx, root, path.Join(id, d.master), func(line string) {
		if line != "" && !strings.HasPrefix(line, "#") && first == "" {
			first = line
		}
		if side := shortSide(line); side > 0 {
			sides[side] = true
		}
	})
	if err != nil || first == "" {
		return err
	}
	all := make([]int, 0, len(sides))
	for side := range sides {
		all = append(all, side)
	}
	slices.Sort(all)
	for _, side := range all {
		d.sizes = append(d.sizes, strconv.Itoa(side)+"p")
	}
	err = eachLine(ctx, root, path.Join(id, first), func(line string) {
		if length, ok := strings.CutPrefix(line, "#EXTINF:"); ok {
			length, _, _ = strings.Cut(length, ",")
			seconds, _ := strconv.ParseFloat(length, 64) // 0 when it is no number
			d.seconds += seconds
		}
		if strings.HasPrefix(line, "#EXT-X-KEY:") && !strings.Contains(line, "METHOD=NONE") {
			d.encrypted = true
		}
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the player will say which file is missing
	}
	return err
}

// shortSide reads RESOLUTION=1280x720 of an EXT-X-STREAM-INF line as 720; 0
// when there is none.
func shortSide(line string) int {
	if !strings.HasPrefix(line, "#EXT-X-STREAM-INF:") {
		return 0
	}
	_, rest, _ := strings.Cut(line, "RESOLUTION=")
	rest, _, _ = strings.Cut(rest, ",")
	width, height, _ := strings.Cut(rest, "x")
	w, errW := strconv.Atoi(width)
	h, errH := strconv.Atoi(height)
	if errW != nil || errH != nil {
		return 0
	}
	return min(w, h)
}

func eachLine(ctx context.Context, root place, name string, use func(line string)) error {
	file, _, err := root.open(ctx, name)
	if err != nil {
		return fmt.Errorf("read playlist %s: %w", name, err)
	}
	defer file.Close()
	lines := bufio.NewScanner(io.LimitReader(file, maxPlaylist))
	for lines.Scan() {
		use(strings.TrimSpace(lines.Text()))
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read playlist %s: %w", name, err)
	}
	return nil
}
