package finish

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"path/filepath"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/verify"
)

// CardVersion is the version of video.json's format.
const CardVersion = 1

// Card is video.json: what anybody may know of a published video. It holds no
// secrets, and of a local source nothing but its name.
type Card struct {
	Version  int       `json:"v"`
	Spool    string    `json:"spool"`
	ID       string    `json:"id"`
	Revision string    `json:"revision"`
	Title    string    `json:"title,omitempty"`
	Uploader string    `json:"uploader,omitempty"`
	Page     string    `json:"page,omitempty"`
	Source   string    `json:"source,omitempty"`
	SourceID string    `json:"sourceID"` // SHA-256 of the canonical source
	Seconds  float64   `json:"seconds"`
	Sizes    []string  `json:"sizes"`
	Chapters []Chapter `json:"chapters,omitempty"`
	// Storyboard is the name of a WebVTT file whose cues are pictures.
	Storyboard string   `json:"storyboard,omitempty"`
	LeftOut    []string `json:"leftOut,omitempty"`
}

// Chapter is one named part of a video.
type Chapter struct {
	Title string  `json:"title"`
	Start float64 `json:"start"` // seconds
	End   float64 `json:"end"`   // seconds
}

// beside makes what lies beside the revision, and the manifest, which names
// all of it.
func (p *parcel) beside(job spool.Job, poster []byte) error {
	if poster != nil {
		p.outside = append(p.outside, newDocument(verify.PosterName, "image/jpeg", poster))
	}
	card, err := json.MarshalIndent(p.card(job), "", " ")
	if err != nil {
		return fmt.Errorf("finish %s: encode video.json: %w", job.Video, err)
	}
	p.outside = append(p.outside, newDocument(verify.CardName, "application/json", append(card, '\n')))
	master, err := p.master().Encode()
	if err != nil {
		return fmt.Errorf("finish %s: %w", job.Video, err)
	}
	p.outside = append(p.outside, newDocument(verify.MasterName, "application/vnd.apple.mpegurl", master))
	for _, d := range p.outside {
		p.manifest.Beside = append(p.manifest.Beside, d.Object)
	}
	manifest, err := verify.EncodeManifest(p.manifest)
	if err != nil {
		return fmt.Errorf("finish: %w", err)
	}
	name := path.Join(job.Revision, verify.ManifestName)
	p.sealed = newDocument(name, "application/json", manifest)
	return nil
}

func (p *parcel) card(job spool.Job) Card {
	c := Card{
		Version: CardVersion, Spool: p.manifest.Spool, ID: job.Video, Revision: job.Revision,
		Title: job.Title, Source: publicSource(job.Canonical), SourceID: verify.Sum([]byte(job.Canonical)),
		Seconds: p.manifest.Seconds, Sizes: []string{}, LeftOut: p.manifest.LeftOut,
	}
	if b := p.manifest.Storyboard; b != nil {
		c.Storyboard = b.Index.Name
	}
	for _, r := range p.manifest.Renditions {
		if r.Pictures() {
			c.Sizes = append(c.Sizes, r.Label)
		}
	}
	if job.Fetched == nil || job.Fetched.Page == nil {
		return c
	}
	page := job.Fetched.Page
	c.Uploader, c.Page = page.Uploader, publicSource(page.URL)
	if c.Title == "" {
		c.Title = page.Title
	}
	for _, ch := range page.Chapters {
		c.Chapters = append(c.Chapters, Chapter{Title: ch.Title, Start: ch.Start.Seconds(), End: ch.End.Seconds()})
	}
	return c
}

// publicSource is a source without what the public should not know: passwords
// and tokens of a URL, the folders of a local path.
func publicSource(source string) string {
	u, err := url.Parse(source)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return filepath.Base(source)
	}
	u.User, u.Fragment = nil, ""
	return plaintext.Redact(u.String())
}
