// Package survey reads an HLS package of anybody's, from a folder or by HTTP:
// its playlists, and of every segment what can be measured. It tells what is
// there; package rules says what is wrong with it.
package survey

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/survey/m3u8"
	"github.com/spool-video/spool/internal/survey/stream"
)

// Package is all that was read.
type Package struct {
	Root       *List
	Lists      []*List     // every media playlist once, in order of mention; the root when it is one
	Variants   []Variant   // of the root
	Renditions []Rendition // EXT-X-MEDIA of the root
	Unchecked  []string    // what could not be looked at, in sentences
	Bytes      int64       // of segments and init sections
	ByHTTP     bool
}

// Variant is a variant of the root with its playlist.
type Variant struct {
	m3u8.Variant
	List *List // nil: it could not be had
}

// Rendition is an EXT-X-MEDIA of the root with its playlist.
type Rendition struct {
	m3u8.Tag
	List *List // nil: it names none, or it could not be had
}

// List is one playlist.
type List struct {
	m3u8.Playlist
	Name    string // relative to the root's folder
	File    File
	Parts   []Part // of media playlists, one a segment
	Missing string // why it could not be read, or ""

	AsIFrames, AsText bool // how the root refers to it

	// Later is the playlist as it was read once more, when all else had been
	// read, and Waited what had passed; nil when it was not, see Options.Patience.
	Later  *m3u8.Playlist
	Waited time.Duration

	url  *url.URL
	read time.Time
}

// Address is a URI of the playlist as an address, or "" when it is none.
func (l *List) Address(uri string) string {
	if l.url == nil {
		return ""
	}
	to, err := l.url.Parse(uri)
	if err != nil {
		return ""
	}
	return to.String()
}

// File is what is known of a resource besides its bytes.
type File struct {
	Size       int64
	Type       string // Content-Type
	Encoding   string // Content-Encoding
	Redirected bool
}

// Part is one segment of a media playlist, measured.
type Part struct {
	m3u8.Segment
	Number   int // from 0
	File     File
	Init     *stream.Init // nil: none, or it could not be read
	InitName string
	InitSize int64
	Media    stream.Media
	Problems []stream.Problem // why it could not be read, or not decoded
	Known    bool             // Media was read
	Decoded  map[stream.Kind]int
}

// Options say how to read.
type Options struct {
	// Keys gives the key of a URI, resolved against its playlist. Nil: keys are
	// read as any other resource.
	Keys func(ctx context.Context, uri string) ([]byte, error)
	// Decode, when not nil, decodes clear media, init section first, and counts
	// the pictures and the audio packets that come out of it. An error that
	// wraps ErrUndecodable is one of the media.
	Decode func(ctx context.Context, c stream.Container, media []byte) (map[stream.Kind]int, error)
	// Readers is how many segments are read at a time: 2 when 0.
	Readers int
	// Patience is how long may be waited for lists that grow, to see whether
	// they do. With 0 no playlist is read a second time.
	Patience time.Duration
}

// ErrUndecodable is wrapped by the errors of a decoder that the media caused.
var ErrUndecodable = errors.New("cannot be decoded")

const (
	maxPlaylist = 16 << 20
	maxSegment  = 512 << 20
	maxKey      = 1 << 10
	maxLists    = 200
	maxSegments = 100_000
)

// surveyor is one survey. Its package is written by one goroutine.
type surveyor struct {
	source  Source
	o       Options
	pkg     *Package
	root    *url.URL
	lists   map[string]*List // by URL
	secrets secrets
	inits   inits
}

// Read surveys the package whose multivariant or only media playlist is root.
// An error means that there is no such package, or that ctx has ended; what is
// wrong with single files is in the package.
func Read(ctx context.Context, source Source, root string, o Options) (*Package, error) {
	at, err := url.Parse(root)
	if err != nil {
		return nil, noHLS(plaintext.Redact(root), "it is not a valid address")
	}
	s := surveyor{
		source: source, o: o, root: at, lists: map[string]*List{},
		pkg: &Package{ByHTTP: at.Scheme != ""},
	}
	s.secrets.of = map[string]secret{}
	s.inits.of = map[string]*initSection{}
	b, file, err := source.Read(ctx, at, nil, maxPlaylist)
	if err != nil {
		return nil, rootFault(at, err)
	}
	if !m3u8.Looks(b) {
		return nil, noHLS(plaintext.Redact(at.String()), "it does not begin as a playlist does")
	}
	s.pkg.Root = &List{Playlist: s.scope(at).Read(b), Name: path.Base(at.Path), File: file, url: at, read: time.Now()}
	if s.pkg.Root.Multivariant() {
		s.references(ctx)
	} else {
		s.pkg.Lists = []*List{s.pkg.Root}
	}
	if err := s.segments(ctx); err != nil {
		return nil, err
	}
	if err := s.again(ctx); err != nil {
		return nil, err
	}
	return s.pkg, nil
}

// rootFault is an error of the first file that is read: there is nothing to
// check.
func rootFault(at *url.URL, err error) error {
	e, ok := errors.AsType[*spool.Error](err)
	if !ok {
		return fmt.Errorf("read %s: %w", plaintext.Redact(at.String()), err)
	}
	return &spool.Error{Class: e.Class, Code: e.Code, Reason: plaintext.Redact(at.String()) + " cannot be read: " + e.Reason, Hint: e.Hint, Err: e.Err}
}

// CodeNoHLS is the code of the error for what is no playlist.
const CodeNoHLS = "not-hls"

func noHLS(place, why string) error {
	return &spool.Error{
		Class: spool.Permanent, Code: CodeNoHLS,
		Reason: place + " is no HLS playlist: " + why,
		Hint:   "name a playlist (.m3u8), or a folder that holds one",
	}
}

// references reads the playlists that the root names.
func (s *surveyor) references(ctx context.Context) {
	for _, v := range s.pkg.Root.Variants {
		l := s.list(ctx, v.URI)
		if l != nil && v.IFrames {
			l.AsIFrames = true
		}
		s.pkg.Variants = append(s.pkg.Variants, Variant{v, l})
	}
	for _, t := range s.pkg.Root.Renditions {
		r := Rendition{Tag: t}
		if t.Get("URI") != "" {
			r.List = s.list(ctx, t.Get("URI"))
		}
		if r.List != nil && t.Get("TYPE") == "SUBTITLES" {
			r.List.AsText = true
		}
		s.pkg.Renditions = append(s.pkg.Renditions, r)
	}
}

// list reads a playlist once; nil when it has no address.
func (s *surveyor) list(ctx context.Context, uri string) *List {
	at, err := s.root.Parse(uri)
	if uri == "" || err != nil {
		return nil
	}
	if l := s.lists[at.String()]; l != nil {
		return l
	}
	if len(s.pkg.Lists) >= maxLists {
		s.unchecked(fmt.Sprintf("only the first %d playlists were read", maxLists))
		return nil
	}
	l := &List{Name: s.name(at), url: at}
	s.lists[at.String()] = l
	s.pkg.Lists = append(s.pkg.Lists, l)
	b, file, err := s.source.Read(ctx, at, nil, maxPlaylist)
	switch {
	case err != nil:
		l.Missing = spool.AsError(err).Reason
	case !m3u8.Looks(b):
		l.Missing = "it is no playlist"
	}
	if l.Missing == "" {
		l.Playlist, l.File, l.read = s.scope(at).Read(b), file, time.Now()
	}
	return l
}

// scope is where the variables of a media playlist come from.
func (s *surveyor) scope(at *url.URL) m3u8.Scope {
	if s.pkg.Root == nil {
		return m3u8.Scope{Query: at.Query()}
	}
	return m3u8.Scope{Imported: s.pkg.Root.Defined, Query: at.Query()}
}

// name shows an address as it lies to the root.
func (s *surveyor) name(at *url.URL) string {
	if at.Scheme != s.root.Scheme || at.Host != s.root.Host {
		bare := url.URL{Scheme: at.Scheme, Host: at.Host, Path: at.Path}
		return bare.String()
	}
	folder := strings.TrimPrefix(path.Dir("/"+strings.TrimPrefix(s.root.Path, "/")), "/")
	if folder == "" {
		return strings.TrimPrefix(at.Path, "/")
	}
	if below, ok := strings.CutPrefix(strings.TrimPrefix(at.Path, "/"), folder+"/"); ok {
		return below
	}
	return at.Path
}

func (s *surveyor) unchecked(sentence string) {
	for _, u := range s.pkg.Unchecked {
		if u == sentence {
			return
		}
	}
	s.pkg.Unchecked = append(s.pkg.Unchecked, sentence)
}
