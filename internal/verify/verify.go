// Package verify checks a published video as a player would find it: every
// object is there, whole and as it was made, the playlists say what is true of
// the segments, and the segments decrypt and decode.
//
// It trusts nothing but the store: whoever calls it before the switch of a
// revision hands it the master playlist that is about to be put.
package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/store"
)

const packetSamples = cmaf.PacketSamples

// Names of the objects beside a revision, and of the manifest in it.
const (
	MasterName   = "master.m3u8"
	CardName     = "video.json"
	PosterName   = "poster.jpg"
	ManifestName = "manifest.json"
)

// maxText is the size in bytes from which a playlist or manifest is not
// believed to be one.
const maxText = 64 << 20

// Level is how bad a finding is.
type Level string

// The levels: with an Error, players stumble; with a Warning they do not.
const (
	Error   Level = "error"
	Warning Level = "warning"
)

// RuleDecode is what a segment breaks whose pictures or sound do not decode.
const RuleDecode = "decode"

// Finding is one thing that is not as it should be.
type Finding struct {
	Object string `json:"object"` // name in the store
	// Rule is what was broken: "missing", "size", "sha256", "key", "padding",
	// "manifest", …, or the number of an HLS rule: "60".
	Rule     string `json:"rule"`
	Level    Level  `json:"level"`
	Text     string `json:"text"`
	Declared string `json:"declared,omitempty"`
	Measured string `json:"measured,omitempty"`
}

func (f Finding) String() string {
	s := fmt.Sprintf("%s: %s: %s", f.Object, f.Rule, f.Text)
	switch {
	case f.Declared != "" && f.Measured != "":
		s += fmt.Sprintf(" (declared %s, measured %s)", f.Declared, f.Measured)
	case f.Declared != "":
		s += fmt.Sprintf(" (declared %s)", f.Declared)
	case f.Measured != "":
		s += fmt.Sprintf(" (measured %s)", f.Measured)
	}
	return s
}

// Report is the outcome of a check.
type Report struct {
	Video    string        `json:"video"`
	Revision string        `json:"revision,omitempty"`
	Findings []Finding     `json:"findings"`
	Objects  int           `json:"objects"` // listed by the manifest, itself included
	Bytes    int64         `json:"bytes"`   // of them
	Decoded  int           `json:"decoded"` // segments that were decoded
	Length   time.Duration `json:"length"`
}

// OK reports whether nothing of level Error was found.
func (r Report) OK() bool {
	for _, f := range r.Findings {
		if f.Level == Error {
			return false
		}
	}
	return true
}

// Options say how to check. The zero value checks clear packages fast.
type Options struct {
	// Keys gives the content key for a key URI as it stands in a playlist. It
	// may be called several times at once.
	// When nil, encrypted segments are compared by hash alone, with a warning.
	Keys func(uri string) ([]byte, error)
	// Deep reads, decrypts and decodes every segment, instead of one of each
	// rendition.
	Deep bool
	// Seed chooses the segments that are sampled when not Deep.
	Seed uint64
	// Pending are objects beside the revision that are about to be put: they
	// are checked in place of what the store has under these names.
	Pending map[string][]byte
	// Tools say which ffmpeg decodes; the one in PATH when empty.
	Tools ffmpeg.Tools
}

// checker is one check; its methods add to report.
type checker struct {
	store    store.Store
	video    string
	o        Options
	report   Report
	manifest Manifest
	texts    map[string][]byte    // small objects by name below the video, as read
	sizes    map[string]int64     // what the store lists, by name below the video
	lists    map[string]hlsList   // parsed media playlists by rendition
	looks    map[string]hls.Media // parsed I-frame playlists by rendition
	ahead    map[string]found     // what was read before it is looked at, by name below the video
	decoding *flow.Slots          // held while an ffmpeg runs
}

type hlsList struct {
	media hls.Media
	ok    bool // it has as many segments as the manifest
}

// Package checks the video that lies in the folder of that name. What is wrong
// with the package is in the report; an error means that the store could not
// be asked.
func Package(ctx context.Context, s store.Store, video string, o Options) (Report, error) {
	c := &checker{
		store: s, video: video, o: o, report: Report{Video: video, Findings: []Finding{}},
		texts: map[string][]byte{}, sizes: map[string]int64{}, lists: map[string]hlsList{}, looks: map[string]hls.Media{},
		ahead:    map[string]found{},
		decoding: flow.NewSlots(runtime.NumCPU()),
	}
	if c.o.Tools.FFmpeg == "" {
		c.o.Tools.FFmpeg = "ffmpeg"
	}
	if err := c.run(ctx); err != nil {
		return c.report, fmt.Errorf("verify %s: %w", video, err)
	}
	return c.report, nil
}

// Present checks only that a package's objects are there with their sizes,
// and gives its manifest. Nothing but the master playlist and the manifest is
// read.
func Present(ctx context.Context, s store.Store, video string) (Manifest, Report, error) {
	c := &checker{
		store: s, video: video, report: Report{Video: video, Findings: []Finding{}},
		texts: map[string][]byte{}, sizes: map[string]int64{},
	}
	if _, err := c.listed(ctx); err != nil {
		return Manifest{}, c.report, fmt.Errorf("look for %s: %w", video, err)
	}
	return c.manifest, c.report, nil
}

// listed reads what leads to the objects and looks whether they are there.
// Nil without an error: nothing leads there, which was reported.
func (c *checker) listed(ctx context.Context) (*hls.Master, error) {
	master, err := c.readMaster(ctx)
	if err != nil || master == nil {
		return nil, err
	}
	ok := false
	err = flow.Run(ctx, func(g *flow.Group) { // a bucket may take long to answer
		g.Go(func(ctx context.Context) (err error) {
			ok, err = c.readManifest(ctx)
			return err
		})
		g.Go(c.list)
	})
	if err != nil || !ok {
		return nil, err //nolint:wrapcheck // each says what it was about
	}
	return master, c.presence(ctx)
}

func (c *checker) run(ctx context.Context) error {
	master, err := c.listed(ctx)
	if err != nil || master == nil {
		return err
	}
	if err := c.smallObjects(ctx); err != nil {
		return err
	}
	for _, r := range slices.Concat(c.manifest.Renditions, c.manifest.Subtitles) {
		c.rendition(r)
		c.iframes(r)
	}
	c.storyboard()
	c.master(*master)
	return c.segments(ctx)
}

// readMaster reads the master playlist and the name of the revision in it.
// Nil without an error: there is none that can be read, which was reported.
func (c *checker) readMaster(ctx context.Context) (*hls.Master, error) {
	text, err := c.text(ctx, MasterName)
	if err != nil || text == nil {
		return nil, err
	}
	c.texts[MasterName] = text
	master, err := hls.ParseMaster(text)
	if err != nil {
		c.syntax(MasterName, err)
		return nil, nil
	}
	for _, v := range master.Variants {
		c.oneRevision(v.URI)
	}
	for _, a := range slices.Concat(master.Audio, master.Subtitles) {
		c.oneRevision(a.URI)
	}
	for _, i := range master.IFrames {
		c.oneRevision(i.URI)
	}
	if c.report.Revision == "" {
		return nil, nil
	}
	return &master, nil
}

func (c *checker) oneRevision(uri string) {
	revision, _, ok := strings.Cut(uri, "/")
	switch {
	case !ok || store.CheckName(uri) != nil || revision == "":
		c.fail(MasterName, "18", "a URI does not lead into a revision", uri, "")
	case c.report.Revision == "":
		c.report.Revision = revision
	case c.report.Revision != revision:
		c.fail(MasterName, "18", "URIs lead into two revisions", uri, c.report.Revision)
	}
}

func (c *checker) readManifest(ctx context.Context) (bool, error) {
	name := c.report.Revision + "/" + ManifestName
	text, err := c.text(ctx, name)
	if err != nil || text == nil {
		return false, err
	}
	c.manifest, err = ParseManifest(text)
	switch {
	case err != nil:
		c.fail(name, "manifest", "the manifest is damaged or of another version", "", "")
	case c.manifest.Video != c.video || c.manifest.Revision != c.report.Revision:
		c.fail(name, "manifest", "the manifest is that of another video or revision",
			c.manifest.Video+"/"+c.manifest.Revision, c.video+"/"+c.report.Revision)
	default:
		c.report.Objects, c.report.Bytes = 1, int64(len(text))
		return true, nil
	}
	return false, nil
}

// text reads a small object whole; nil when it is not there or too large,
// which is reported.
func (c *checker) text(ctx context.Context, name string) ([]byte, error) {
	b, err := c.read(ctx, name, maxText)
	return c.judge(name, b, err)
}

// judge gives what was read of a small object, as text does.
func (c *checker) judge(name string, b []byte, err error) ([]byte, error) {
	if errors.Is(err, store.ErrNotFound) {
		c.fail(name, "missing", "the object is not there", "", "")
		return nil, nil
	}
	if err == nil && int64(len(b)) > maxText {
		c.fail(name, "size", "the object is far too large", "", fmt.Sprint(len(b)))
		return nil, nil
	}
	return b, err
}

// read reads an object, and one byte more than most when it is longer.
func (c *checker) read(ctx context.Context, name string, most int64) ([]byte, error) {
	if pending, ok := c.o.Pending[name]; ok {
		return pending, nil
	}
	if before, ok := c.ahead[name]; ok {
		return before.content, before.err
	}
	r, err := c.store.Open(ctx, c.video+"/"+name, 0, -1)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return b, nil
}

func (c *checker) fail(name, rule, text, declared, measured string) {
	c.add(Finding{Object: name, Rule: rule, Level: Error, Text: text, Declared: declared, Measured: measured})
}

func (c *checker) add(f Finding) {
	f.Object = c.video + "/" + f.Object
	c.report.Findings = append(c.report.Findings, f)
}

func (c *checker) syntax(name string, err error) {
	var s *hls.SyntaxError
	if errors.As(err, &s) {
		c.fail(name, fmt.Sprint(s.Rule), fmt.Sprintf("line %d: %s", s.Line, s.Text), "", "")
		return
	}
	c.fail(name, "1", "the playlist cannot be read", "", "")
}
