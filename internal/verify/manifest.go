package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spool-video/spool"
)

// ManifestVersion is the version of the manifest's format.
const ManifestVersion = 1

// ErrManifest: a manifest is damaged, or of a version that this program does
// not know.
var ErrManifest = errors.New("manifest cannot be used")

// Manifest is <rev>/manifest.json: what a revision consists of, to the last
// byte. It is put before the master that leads to it.
type Manifest struct {
	Version  int            `json:"v"`
	Spool    string         `json:"spool"` // the version of Spool that wrote it
	Video    string         `json:"video"`
	Revision string         `json:"revision"`
	Settings spool.Settings `json:"settings"`
	Timeline spool.Timeline `json:"timeline"`
	Grid     spool.Grid     `json:"grid"`
	Seconds  float64        `json:"seconds"` // length of the video
	// Key names the one content key of an encrypted revision, or Keys, in order,
	// those of one whose key changes.
	Key        string      `json:"key,omitempty"`
	Keys       []Key       `json:"keys,omitempty"`
	LeftOut    []string    `json:"leftOut,omitempty"`
	Renditions []Rendition `json:"renditions"` // pictures, highest first; then sound
	Subtitles  []Rendition `json:"subtitles,omitempty"`
	Storyboard *Storyboard `json:"storyboard,omitempty"`
	// Beside are master.m3u8, video.json and poster.jpg, which lie outside the
	// revision's folder.
	Beside []spool.Object `json:"beside"`
	// Seal is the SHA-256 of this very text with 64 zeros in the seal's place.
	Seal string `json:"seal"`
}

// Storyboard is what the video looks like at a glance.
type Storyboard struct {
	Index spool.Object   `json:"index"` // WebVTT
	Tiles []spool.Object `json:"tiles"` // JPEGs, in the order of time
}

// Key is the name of a content key, and the number of the first segment of each
// rendition that is encrypted with it.
type Key struct {
	ID    string `json:"id"`
	First int    `json:"first"`
}

// Encrypted reports whether the segments are.
func (m Manifest) Encrypted() bool { return m.Key != "" || len(m.Keys) > 0 }

// keyOf names the key of a segment where keys change, else "".
func (m Manifest) keyOf(segment int) string {
	for _, k := range slices.Backward(m.Keys) {
		if k.First <= segment {
			return k.ID
		}
	}
	return ""
}

// Rendition is one rung, or the sound.
type Rendition struct {
	Name       string     `json:"name"`            // folder: "v0-360p"
	Label      string     `json:"label,omitempty"` // "360p"
	Copied     bool       `json:"copied,omitempty"`
	Language   string     `json:"language,omitempty"`
	Title      string     `json:"title,omitempty"`      // of its track in the source
	Role       spool.Role `json:"role,omitempty"`       // of its track in the source
	Track      int        `json:"track,omitempty"`      // stream index in the source: of one track there may be several sounds
	Channels   int        `json:"channels,omitempty"`   // of sound
	SampleRate int        `json:"sampleRate,omitempty"` // of sound, Hz; 0 for pictures
	// Packets and PrimingSamples are those of sound that was copied; else the
	// grid has them.
	Packets        []int             `json:"packets,omitempty"`
	PrimingSamples int               `json:"primingSamples,omitempty"`
	Text           bool              `json:"text,omitempty"`   // subtitles, in WebVTT: units of segments are cues, and there is no init section
	Forced         bool              `json:"forced,omitempty"` // of subtitles
	Playlist       spool.Object      `json:"playlist"`
	IFrames        *spool.Object     `json:"iframes,omitempty"` // the playlist of the I-frames, where there is one
	Init           spool.InitSection `json:"init"`              // without a name in a container that needs none
	Segments       []Segment         `json:"segments"`
}

// Segment is a published segment and how long it plays.
type Segment struct {
	spool.Segment
	Seconds float64 `json:"seconds"`
}

// Sound reports whether the rendition is one of sound.
func (r Rendition) Sound() bool { return r.SampleRate > 0 }

// Pictures reports whether the rendition is a rung.
func (r Rendition) Pictures() bool { return !r.Sound() && !r.Text }

// GridOf is the grid of a rendition.
func (m Manifest) GridOf(r Rendition) spool.Grid {
	g := m.Grid
	if r.Packets != nil {
		g.Packets, g.PrimingSamples = r.Packets, r.PrimingSamples
	}
	return g
}

// Ticks gives the lengths of the rendition's segments as they play, without
// priming, and the seconds a tick.
func (m Manifest) Ticks(r Rendition) (ticks []int64, base spool.Ratio) {
	if r.Text {
		return m.textTicks()
	}
	if !r.Sound() {
		for _, s := range r.Segments {
			ticks = append(ticks, int64(s.Units))
		}
		return ticks, m.Timeline.Rate.Invert()
	}
	for i, s := range r.Segments {
		n := int64(s.Units) * packetSamples
		if i == 0 {
			n -= int64(m.GridOf(r).PrimingSamples)
		}
		ticks = append(ticks, n)
	}
	return ticks, spool.Ratio{Num: 1, Den: int64(r.SampleRate)}
}

// textTicks are those of subtitles: of the pictures, or of the first sound where
// there are none.
func (m Manifest) textTicks() (ticks []int64, base spool.Ratio) {
	if len(m.Grid.Frames) == 0 && len(m.Renditions) > 0 {
		return m.Ticks(m.Renditions[0])
	}
	for _, n := range m.Grid.Frames {
		ticks = append(ticks, int64(n))
	}
	return ticks, m.Timeline.Rate.Invert()
}

// Objects lists everything that the manifest names, below the video's folder;
// the manifest itself is not among it.
func (m Manifest) Objects() []spool.Object {
	var all []spool.Object
	for _, r := range m.Renditions {
		if r.Init.Name != "" {
			all = append(all, r.Init.Object)
		}
		for _, s := range r.Segments {
			all = append(all, s.Object)
			for _, i := range s.IFrames {
				if i.Object != nil {
					all = append(all, *i.Object)
				}
			}
		}
		all = append(all, r.Playlist)
		if r.IFrames != nil {
			all = append(all, *r.IFrames)
		}
	}
	for _, r := range m.Subtitles {
		for _, s := range r.Segments {
			all = append(all, s.Object)
		}
		all = append(all, r.Playlist)
	}
	return append(append(all, m.glance()...), m.Beside...)
}

// glance lists what a storyboard consists of.
func (m Manifest) glance() []spool.Object {
	if m.Storyboard == nil {
		return nil
	}
	return append([]spool.Object{m.Storyboard.Index}, m.Storyboard.Tiles...)
}

var noSeal = strings.Repeat("0", 2*sha256.Size)

// EncodeManifest writes and seals a manifest.
func EncodeManifest(m Manifest) ([]byte, error) {
	m.Version, m.Seal = ManifestVersion, noSeal
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode manifest of %s: %w", m.Video, err)
	}
	text = append(text, '\n')
	return bytes.Replace(text, sealLine(noSeal), sealLine(seal(text)), 1), nil
}

// ParseManifest reads a manifest and checks its seal. Its errors wrap
// ErrManifest.
func ParseManifest(text []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, fmt.Errorf("parse manifest: %w: %w", ErrManifest, err)
	}
	if m.Version != ManifestVersion {
		return Manifest{}, fmt.Errorf("parse manifest: version %d, want %d: %w", m.Version, ManifestVersion, ErrManifest)
	}
	unsealed := bytes.Replace(text, sealLine(m.Seal), sealLine(noSeal), 1)
	if len(m.Seal) != len(noSeal) || seal(unsealed) != m.Seal {
		return Manifest{}, fmt.Errorf("parse manifest: it is not as it was written: %w", ErrManifest)
	}
	return m, nil
}

func sealLine(seal string) []byte { return []byte("\"seal\": \"" + seal + "\"") }

func seal(text []byte) string { return Sum(text) }

// Sum is the SHA-256 of b in hex.
func Sum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
