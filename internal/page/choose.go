package page

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/spool-video/spool"
)

// Choice is what the tool would download of a web page.
type Choice struct {
	Page spool.Page
	// Name is what to ask for to get the same formats again, with new links to
	// them; "" = the best.
	Name string
	// Files are the chosen formats, pictures first where pictures and sound are
	// apart. Empty when one of them is not a plain file: then only the tool
	// knows how to get them.
	Files []File
	// Texts are the subtitles that somebody wrote for the video, one a
	// language; captions that a program made are not among them.
	Texts []Text
}

// Text is one file of subtitles.
type Text struct {
	Language string // as the site calls it: "en", "pt-BR", or any text
	Name     string // "" = none
	URL      string // http or https; "" = Data is the text
	Header   http.Header
	Ext      string // "vtt"; "" = not known
	Data     string
}

// File is one format of a page's video: a plain file.
type File struct {
	Name   string // for good, within the page
	URL    string // http or https
	Header http.Header
	Chunk  int64  // most bytes that one request may ask for; 0 = no limit
	Ext    string // "mp4"
}

// Choose asks what would be downloaded of the video of a web page: the best
// formats for what is done with them later or, if want is a Choice's Name, those
// again. Nothing is downloaded. Errors are *spool.Error, or that of ctx; the
// code is "page-no-format" when a page does not offer what is wanted.
func (t *Tool) Choose(ctx context.Context, url, want string) (Choice, error) {
	run, err := t.open(ctx, url)
	if err != nil {
		return Choice{}, err
	}
	run.want = want
	out, err := run.tell(ctx, choosing())
	if err != nil {
		return Choice{}, err
	}
	out, _, _ = bytes.Cut(bytes.TrimSpace(out), []byte{'\n'}) // of a video in several parts the first, as ever
	v, ok := parseInfo(out)
	var what offer
	switch {
	case !ok || json.Unmarshal(out, &what) != nil:
		return Choice{}, run.nonsense()
	case v.live():
		return Choice{}, run.live()
	}
	c := what.choice(v.page(url))
	c.Texts = what.texts()
	return c, nil
}

// offer is what of a description says how to get the video.
type offer struct {
	format
	Apart     list[format] `json:"requested_formats"`
	Subtitles tracks       `json:"subtitles"`
}

// format is one way to get a video, or its pictures or its sound.
type format struct {
	ID       text    `json:"format_id"`
	URL      text    `json:"url"`
	Ext      text    `json:"ext"`
	Protocol text    `json:"protocol"`
	VCodec   text    `json:"vcodec"` // "none": there are no pictures; "" = unknown
	ACodec   text    `json:"acodec"`
	Headers  texts   `json:"http_headers"`
	Cookies  text    `json:"cookies"` // since 2023.07.06
	Options  options `json:"downloader_options"`
	DRM      truth   `json:"has_drm"`

	// With one of these the file is more than what its URL gives.
	Fragments   given `json:"fragments"`
	RequestData given `json:"request_data"`
	Impersonate given `json:"impersonate"`
	Start       given `json:"section_start"`
	End         given `json:"section_end"`
}

type options struct{ chunk int64 }

// UnmarshalJSON never fails.
func (o *options) UnmarshalJSON(b []byte) error {
	var v struct {
		Chunk seconds `json:"http_chunk_size"`
	}
	if json.Unmarshal(b, &v) == nil {
		o.chunk = toBytes(v.Chunk)
	}
	return nil
}

// texts is an object of texts.
type texts map[string]text

// UnmarshalJSON never fails.
func (s *texts) UnmarshalJSON(b []byte) error {
	var v map[string]text
	if json.Unmarshal(b, &v) == nil {
		*s = v
	}
	return nil
}

// given is true for everything but null, false and what is empty.
type given bool

// UnmarshalJSON never fails.
func (g *given) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "null", "false", `""`, "[]", "{}":
		*g = false
	default:
		*g = true
	}
	return nil
}

func (o *offer) choice(about spool.Page) Choice {
	c := Choice{Page: about}
	chosen := []format(o.Apart)
	if len(chosen) == 0 {
		chosen = []format{o.format}
	}
	names, named := []string(nil), true
	for _, f := range chosen {
		names = append(names, string(f.ID))
		named = named && nameable(string(f.ID))
		file, ok := f.file(about)
		if !ok {
			return Choice{Page: about}
		}
		c.Files = append(c.Files, file)
	}
	if named {
		c.Name = strings.Join(names, "+")
	}
	if len(chosen) == 2 && chosen[0].VCodec == "none" {
		c.Files[0], c.Files[1] = c.Files[1], c.Files[0]
	}
	if len(chosen) > 2 || len(chosen) == 2 && !apart(chosen[0], chosen[1]) {
		c.Files = nil
	}
	return c
}

// apart: of two formats one has the pictures, and the other the sound.
func apart(a, b format) bool {
	if a.VCodec == "none" {
		a, b = b, a
	}
	return a.VCodec != "none" && a.ACodec == "none" && b.VCodec == "none" && b.ACodec != "none"
}

var (
	plainID = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	// selector are words that choose by other things than the ID.
	selector = regexp.MustCompile(`^((best|worst|b|w)(video|audio|v|a)?(\.[1-9][0-9]*)?|all|mergeall|mp4|flv|webm|3gp|m4a|mp3|ogg|aac|wav|mov|mkv)$`)
)

// nameable: a format can be asked for by its ID, which is no selection of
// several.
func nameable(id string) bool { return plainID.MatchString(id) && !selector.MatchString(id) }

// file gives a format as a file; false when it is something else.
func (f *format) file(about spool.Page) (File, bool) {
	protocol := f.Protocol == "http" || f.Protocol == "https"
	more := f.Fragments || f.RequestData || f.Impersonate || f.Start || f.End
	if !protocol || !web(string(f.URL)) || bool(f.DRM) || bool(more) {
		return File{}, false
	}
	u, err := url.Parse(string(f.URL))
	if err != nil {
		return File{}, false
	}
	header, ok := f.header(u)
	return File{
		Name: strings.Join([]string{about.Extractor, about.ID, string(f.ID), string(f.Ext)}, "\n"),
		URL:  string(f.URL), Header: header, Chunk: f.Options.chunk, Ext: strings.ToLower(string(f.Ext)),
	}, ok
}
