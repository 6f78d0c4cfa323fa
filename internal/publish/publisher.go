package publish

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/store"
)

// slots are rights to upload.
type slots interface {
	Acquire(ctx context.Context) error
	Release()
}

// Immutable is the Cache-Control of objects whose names carry their hash.
const Immutable = "public, max-age=31536000, immutable"

// Content types of what parts publish.
const (
	TypeInit    = "video/mp4"
	TypeSegment = "video/iso.segment"
	TypeText    = "text/vtt"
)

// endings are those of segments' names, by content type.
var endings = map[string]string{TypeSegment: "m4s", TypeText: "vtt", "video/mp2t": "ts", "audio/aac": "aac"}

const (
	attempts   = 6
	firstDelay = 250 * time.Millisecond
	mostDelay  = 15 * time.Second
)

// Publisher puts objects into a store. It is safe for concurrent use.
type Publisher struct {
	Store   store.Store
	Uploads slots // held while one object is put
}

// Target is where the objects of one revision go.
type Target struct {
	Publisher
	Video, Revision string
	Keys            spool.ContentKeys // none: segments are not encrypted
	// Careful asks the store for each object first, and puts only what it
	// does not have: for parts of which some may be published already.
	Careful bool
	// Still makes the I-frames of the rendition named Stilled, when segments
	// are encrypted, into objects of their own: nobody can decrypt a part of a
	// segment. Nil: there are none.
	Still   func(segment []byte, i spool.IFrame) ([]byte, error)
	Stilled string
}

// Target makes the target of a job. One that was handed out before may have
// been published by whoever had it then. Where puts are not atomic this holds
// for the one who had it first, too: that is the one who is told to stop when
// another has been faster, and a put that breaks off may take away what counts.
func (p Publisher) Target(job spool.Job) Target {
	careful := job.Epoch > 1 || !p.Store.Properties().AtomicPut
	return Target{Publisher: p, Video: job.Video, Revision: job.Revision, Keys: job.Keys, Careful: careful}
}

// Segment publishes one segment; s.SHA256 is that of plain.
func (t Target) Segment(ctx context.Context, s Plain, plain []byte) (spool.Segment, error) {
	body, err := t.encrypt(s, plain)
	if err != nil {
		return spool.Segment{}, err
	}
	kind := cmp.Or(s.Type, TypeSegment)
	hash := s.SHA256 // in clear, what is published is what is here
	if len(t.Keys) > 0 {
		hash = sum(body)
	}
	object, err := t.object(ctx, content{body, kind, hash}, t.Careful, func(h8 string) string {
		return fmt.Sprintf("%s/%s/%05d-%s.%s", t.Revision, s.Rendition, s.Number, h8, endings[kind])
	})
	if err != nil {
		return spool.Segment{}, fmt.Errorf("publish segment %d of %s: %w", s.Number, s.Rendition, err)
	}
	iframes, err := t.iframes(ctx, s, plain)
	if err != nil {
		return spool.Segment{}, err
	}
	return spool.Segment{
		Object: object, Rendition: s.Rendition, Number: s.Number, Units: s.Units,
		Plain: s.SHA256, KeyFrames: s.KeyFrames, IFrames: iframes,
	}, nil
}

// iframes are the I-frames of a segment as players get them: ranges of it, or
// objects, which are published.
func (t Target) iframes(ctx context.Context, s Plain, plain []byte) ([]spool.IFrame, error) {
	if len(t.Keys) == 0 {
		return s.IFrames, nil
	}
	if t.Still == nil || s.Rendition != t.Stilled {
		return nil, nil
	}
	all := slices.Clone(s.IFrames)
	for n := range all {
		o, err := t.still(ctx, s, plain, n)
		if err != nil {
			return nil, fmt.Errorf("publish I-frame %d of segment %d of %s: %w", n, s.Number, s.Rendition, err)
		}
		all[n].Object = &o
	}
	return all, nil
}

// still publishes the n-th I-frame of a segment as an object.
func (t Target) still(ctx context.Context, s Plain, plain []byte, n int) (spool.Object, error) {
	body, err := t.Still(plain, s.IFrames[n])
	if err != nil {
		return spool.Object{}, err
	}
	if body, err = t.encrypt(Plain{Rendition: keys.Still(s.Rendition, n), Number: s.Number}, body); err != nil {
		return spool.Object{}, err
	}
	kind := cmp.Or(s.Type, TypeSegment)
	return t.object(ctx, content{body, kind, sum(body)}, t.Careful, func(h8 string) string {
		return fmt.Sprintf("%s/%s/iframe-%05d-%d-%s.%s", t.Revision, s.Rendition, s.Number, n, h8, endings[kind])
	})
}

// encrypt gives the bytes of a segment as they are published.
func (t Target) encrypt(s Plain, plain []byte) ([]byte, error) {
	if len(t.Keys) == 0 {
		return plain, nil
	}
	key := t.Keys.Of(s.Number)
	if key == nil {
		return nil, fmt.Errorf("publish segment %d of %s: the job has no key for it", s.Number, s.Rendition)
	}
	return keys.Encrypt(key.Bytes, s.Rendition, s.Number, plain)
}

// Init publishes an init section, which is never encrypted, unless it is
// there: every part of a rendition makes the same one. One without bytes has no
// object.
func (t Target) Init(ctx context.Context, i Init) (spool.InitSection, error) {
	if len(i.Bytes) == 0 {
		return i.InitSection, nil
	}
	object, err := t.object(ctx, content{i.Bytes, TypeInit, sum(i.Bytes)}, true, func(h8 string) string {
		return fmt.Sprintf("%s/%s/init-%s.mp4", t.Revision, i.Rendition, h8)
	})
	if err != nil {
		return spool.InitSection{}, fmt.Errorf("publish init section of %s: %w", i.Rendition, err)
	}
	section := i.InitSection
	section.Object = object
	return section, nil
}

// Has reports whether the store has all objects of a part, with their sizes.
func (t Target) Has(ctx context.Context, m spool.Made) (bool, error) {
	var objects []spool.Object
	for _, i := range m.Inits {
		if i.Name != "" {
			objects = append(objects, i.Object)
		}
	}
	for _, s := range m.Segments {
		objects = append(objects, s.Object)
		for _, i := range s.IFrames {
			if i.Object != nil {
				objects = append(objects, *i.Object)
			}
		}
	}
	for _, o := range objects {
		there, err := t.there(ctx, o)
		if err != nil || !there {
			return false, err
		}
	}
	return true, nil
}

func (t Target) there(ctx context.Context, o spool.Object) (bool, error) {
	info, err := t.Store.Stat(ctx, path.Join(t.Video, o.Name))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", o.Name, err)
	}
	return info.Size == o.Size, nil
}

// has reports whether the store has an object, with its size and its hash. What
// is put in one step, and was confirmed by the store, has the hash that is in
// its name; everything else is read.
func (t Target) has(ctx context.Context, o spool.Object) (bool, error) {
	there, err := t.there(ctx, o)
	if p := t.Store.Properties(); err != nil || !there || p.AtomicPut && p.Checksum {
		return there, err
	}
	got, err := t.hash(ctx, o)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && got == o.SHA256, err
}

// hash reads an object of the store.
func (t Target) hash(ctx context.Context, o spool.Object) (string, error) {
	r, err := t.Store.Open(ctx, path.Join(t.Video, o.Name), 0, -1)
	if err != nil {
		return "", fmt.Errorf("read back: %w", err)
	}
	defer r.Close() //nolint:errcheck // read only
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", fmt.Errorf("read back: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// content is what an object will be.
type content struct {
	body         []byte
	kind, sha256 string
}

func sum(body []byte) string {
	s := sha256.Sum256(body)
	return hex.EncodeToString(s[:])
}

func (t Target) object(ctx context.Context, c content, ask bool, name func(h8 string) string) (spool.Object, error) {
	o := spool.Object{Name: name(c.sha256[:8]), Size: int64(len(c.body)), SHA256: c.sha256, Type: c.kind}
	return o, t.again(ctx, func() error {
		if ask {
			if there, err := t.has(ctx, o); err != nil || there {
				return err
			}
		}
		return t.put(ctx, o, c.body)
	})
}

// put writes an object and makes sure that the store has it.
func (t Target) put(ctx context.Context, o spool.Object, body []byte) error {
	name := path.Join(t.Video, o.Name)
	err := t.Store.Put(ctx, name, bytes.NewReader(body), store.PutOptions{ContentType: o.Type, CacheControl: Immutable})
	if err != nil {
		return err //nolint:wrapcheck // the caller names the object
	}
	if t.Store.Properties().Checksum {
		return nil
	}
	got, err := t.hash(ctx, o)
	if err != nil {
		return err
	}
	if got != o.SHA256 {
		return &spool.Error{
			Class: spool.Transient, Code: "store-changed-bytes",
			Reason: "the destination gave back other bytes than were put into it",
			Hint:   "look at the destination's disk or bucket; the upload is tried again",
		}
	}
	return nil
}

// again holds an upload slot for each try of a transient failure, not while
// it waits for the next.
func (t Target) again(ctx context.Context, try func() error) error {
	delay := firstDelay
	for n := 1; ; n++ {
		err := t.hold(ctx, try)
		if err == nil || ctx.Err() != nil {
			return err
		}
		known := spool.AsError(err)
		if known.Class != spool.Transient || n == attempts {
			return err
		}
		wait := max(delay/2+rand.N(delay), known.After) //nolint:gosec // jitter needs no secrecy
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		delay = min(2*delay, mostDelay)
	}
}

func (t Target) hold(ctx context.Context, try func() error) error {
	if err := t.Uploads.Acquire(ctx); err != nil {
		return fmt.Errorf("wait for an upload slot: %w", err)
	}
	defer t.Uploads.Release()
	return try()
}
