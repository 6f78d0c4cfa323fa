// Package staging keeps sources where several machines can read them while
// they arrive: a source is a folder of numbered parts of 8 MiB in a store, and
// an index that says what it is. An object in a bucket cannot be read before
// all of it is there; a part can be, while the next one comes.
package staging

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
)

// PartSize is how many bytes a part has; the last one has what is left.
const PartSize = 8 << 20

const indexName = "index.json"

// Place is where the sources of one destination are staged.
type Place struct {
	Store store.Store
	At    string // of the store, as spool.Remote names it: NAME:PATH, or an absolute path
}

// index says what the parts of a folder are parts of.
type index struct {
	Size int64  `json:"size"` // bytes
	Tag  string `json:"tag"`  // of the source at its server
	Part int64  `json:"part"` // bytes
}

// Source is a source that is being staged. It is safe for concurrent use.
type Source struct {
	place  *Place
	folder string
	about  index

	mu   sync.Mutex
	have spool.Spans // guarded by mu
}

// Begin stages a source of so many bytes, which has a tag that another version
// of it has not. What an earlier Begin of the same has put counts; what was put
// of another version, or for another revision of the video, goes.
func (p *Place) Begin(ctx context.Context, key spool.JobKey, size int64, tag string) (*Source, error) {
	s := &Source{place: p, folder: path.Join(key.Video, key.Revision, "source"), about: index{size, tag, PartSize}}
	before, err := readIndex(ctx, p.Store, s.folder)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	same := err == nil && before == s.about
	for object, err := range p.Store.List(ctx, key.Video+"/") {
		if err != nil {
			return nil, err
		}
		if name, ours := strings.CutPrefix(object.Name, s.folder+"/"); ours && same {
			s.found(name, object.Size)
			continue
		}
		if err := p.Store.Delete(ctx, object.Name); err != nil {
			return nil, err
		}
	}
	if same {
		return s, nil
	}
	text, err := json.Marshal(s.about)
	if err != nil {
		return nil, fmt.Errorf("stage %s: %w", key.Video, err)
	}
	return s, p.Store.Put(ctx, path.Join(s.folder, indexName), bytes.NewReader(text), options)
}

var options = store.PutOptions{ContentType: "application/octet-stream", CacheControl: "no-store"}

// found counts a part that is there already, if it is whole.
func (s *Source) found(name string, size int64) {
	var number int
	if _, err := fmt.Sscanf(name, "%05d", &number); err != nil || name != partName(number) || number >= s.Parts() {
		return
	}
	if span := s.Part(number); span.Len() == size {
		s.have = s.have.Add(span)
	}
}

// Remote says where the source can be read.
func (s *Source) Remote() *spool.Remote {
	return &spool.Remote{Staged: strings.TrimSuffix(s.place.At, "/") + "/" + s.folder}
}

// Parts is how many there are.
func (s *Source) Parts() int { return int((s.about.Size + PartSize - 1) / PartSize) }

// Part says which bytes of the source a part holds.
func (s *Source) Part(number int) spool.Span {
	from := int64(number) * PartSize
	return spool.Span{From: from, To: min(from+PartSize, s.about.Size)}
}

// Have are the bytes that can be read.
func (s *Source) Have() spool.Spans {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.have
}

// Put stages a part; body holds all of its bytes.
func (s *Source) Put(ctx context.Context, number int, body io.ReadSeeker) error {
	if err := s.place.Store.Put(ctx, path.Join(s.folder, partName(number)), body, options); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have = s.have.Add(s.Part(number))
	return nil
}

// Remove takes back all that is staged of a video.
func (p *Place) Remove(ctx context.Context, video string) error {
	for object, err := range p.Store.List(ctx, video+"/") {
		if err != nil {
			return err
		}
		if err := p.Store.Delete(ctx, object.Name); err != nil {
			return err
		}
	}
	return nil
}

// Videos are those of which something is staged.
func (p *Place) Videos(ctx context.Context) (map[string]bool, error) {
	all := map[string]bool{}
	for object, err := range p.Store.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		if video, _, below := strings.Cut(object.Name, "/"); below {
			all[video] = true
		}
	}
	return all, nil
}

func partName(number int) string { return fmt.Sprintf("%05d", number) }

func readIndex(ctx context.Context, s store.Store, folder string) (index, error) {
	r, err := s.Open(ctx, path.Join(folder, indexName), 0, -1)
	if err != nil {
		return index{}, err
	}
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(r, most))
	if err = errors.Join(err, r.Close()); err != nil {
		return index{}, err
	}
	var about index
	if err := json.Unmarshal(text, &about); err != nil || about.Size <= 0 || about.Part <= 0 {
		return index{}, fmt.Errorf("the index of %s: %w", folder, store.ErrNotFound)
	}
	return about, nil
}

// Split takes the place of a staged source apart: the store that it lies in,
// and its folder there.
func Split(staged string) (at, folder string) {
	at = staged
	for range 3 { // video, revision, file
		at, folder = path.Dir(at), path.Join(path.Base(at), folder)
	}
	return at, folder
}

// Origin reads a staged source by ranges. A part that is not there yet is
// waited for: whoever stages it goes on, or begins anew.
type Origin struct {
	Store  store.Store
	Folder string
	Size   int64         // bytes
	Look   time.Duration // how often a part that is missing is looked for; half a second when 0
}

// Open gives the bytes of a span, or the first of them: those of one part.
func (o Origin) Open(ctx context.Context, span spool.Span) (io.ReadCloser, error) {
	number := span.From / PartSize
	from := span.From - number*PartSize
	length := min(span.Len(), PartSize-from, o.Size-span.From)
	name := path.Join(o.Folder, partName(int(number)))
	for {
		r, err := o.Store.Open(ctx, name, from, length)
		if !errors.Is(err, store.ErrNotFound) {
			return r, err
		}
		if _, err := o.index(ctx); err != nil {
			return nil, err
		}
		timer := time.NewTimer(cmp.Or(o.Look, 500*time.Millisecond))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		}
	}
}

// Stamp asks what is staged there now.
func (o Origin) Stamp(ctx context.Context) (size int64, tag string, err error) {
	about, err := o.index(ctx)
	return about.Size, about.Tag, err
}

func (o Origin) index(ctx context.Context) (index, error) {
	about, err := readIndex(ctx, o.Store, o.Folder)
	if errors.Is(err, store.ErrNotFound) {
		return about, &spool.Error{
			Class: spool.Replan, Code: spool.SourceGone, Err: err,
			Reason: "the source is not staged any more", Hint: "it is fetched again",
		}
	}
	return about, err
}
