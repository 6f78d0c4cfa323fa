package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/mediatest"
)

// apartSite is a site whose pictures and sound lie on hosts of their own.
type apartSite struct {
	page  string // the URL
	files [2][]byte
	// gate, when it is not nil, says how a file's n-th request is answered
	// instead of well.
	gate func(number, n int, w http.ResponseWriter, r *http.Request) (answered bool)

	mu     sync.Mutex // guards the rest
	hosts  [2]string
	asked  [2][]*http.Request
	served [2]int64
	signed int
}

func newApartSite(t *testing.T) *apartSite {
	t.Helper()
	s := &apartSite{}
	for i, args := range []string{"testsrc2=s=160x90:d=2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p", "anoisesrc=r=48000:d=2 -c:a aac"} {
		file := filepath.Join(t.TempDir(), []string{"v.mp4", "a.m4a"}[i])
		mediatest.FFmpeg(t, append(strings.Fields("-f lavfi -i "+args+" -movflags +faststart"), file)...)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s.files[i] = b
		host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.file(i, w, r) }))
		t.Cleanup(host.Close)
		s.hosts[i] = host.URL
	}
	srv := httptest.NewServer(http.HandlerFunc(s.watch))
	t.Cleanup(srv.Close)
	s.page = srv.URL + "/watch"
	return s
}

func (s *apartSite) watch(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case query.Has("download"):
		_, _ = w.Write(s.files[0])
	case query.Has("choose"):
		s.signed++
		const form = `{"format_id":%q,"url":"%s/file?signature=%d","ext":%q,"protocol":"http","vcodec":%q,"acodec":%q,` +
			`"http_headers":{"X-Format":%q},"cookies":"id=%d; Domain=127.0.0.1; Path=/"}`
		fmt.Fprintf(w, `{"id":"7","title":"Apart","extractor":"site","requested_formats":[%s,%s]}`,
			fmt.Sprintf(form, "137", s.hosts[0], s.signed, "mp4", "avc1", "none", "pictures", 1),
			fmt.Sprintf(form, "140", s.hosts[1], s.signed, "m4a", "none", "mp4a", "sound", 2))
	case strings.HasSuffix(r.URL.Path, ".mpd"):
		w.Header().Set("Content-Type", "application/dash+xml")
		const set = `<AdaptationSet mimeType=%q><Representation id=%q codecs=%q bandwidth="%d"><BaseURL>%s/file</BaseURL>` +
			`<SegmentBase indexRange="0-9"/></Representation></AdaptationSet>`
		fmt.Fprintf(w, `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S"><Period>%s%s</Period></MPD>`,
			fmt.Sprintf(set, "video/mp4", "v", "avc1.42c00b", 90000, s.hosts[0]),
			fmt.Sprintf(set, "audio/mp4", "a", "mp4a.40.2", 128000, s.hosts[1]))
	default:
		fmt.Fprint(w, "<html><body>a player</body></html>")
	}
}

func (s *apartSite) file(i int, w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked[i] = append(s.asked[i], r)
	n := len(s.asked[i])
	s.mu.Unlock()
	w.Header().Set("ETag", fmt.Sprintf(`"%d"`, i))
	if s.gate != nil && s.gate(i, n, w, r) {
		return
	}
	http.ServeContent(&apartAnswer{w, s, i}, r, "", time.Time{}, strings.NewReader(string(s.files[i])))
}

type apartAnswer struct {
	http.ResponseWriter
	site *apartSite
	file int
}

func (a *apartAnswer) Write(b []byte) (int, error) {
	a.site.mu.Lock()
	a.site.served[a.file] += int64(len(b))
	a.site.mu.Unlock()
	return a.ResponseWriter.Write(b)
}

// half sends the first half of a file and then what is given: an end, or a
// wait.
func (s *apartSite) half(i int, w http.ResponseWriter) {
	w.Header().Set("Content-Length", fmt.Sprint(len(s.files[i])))
	w.Header().Set("Accept-Ranges", "bytes")
	_, _ = (&apartAnswer{w, s, i}).Write(s.files[i][:len(s.files[i])/2])
	w.(http.Flusher).Flush()
}

func (s *apartSite) want(t *testing.T, f spool.Fetched) {
	t.Helper()
	if f.Sound == nil {
		t.Fatalf("no file of sound: %+v", f)
	}
	for i, one := range []spool.Fetched{f, *f.Sound} {
		b, err := os.ReadFile(one.Path)
		if err != nil || string(b) != string(s.files[i]) || one.Size != int64(len(b)) || one.SHA256 == "" || !one.Scratch || one.Arriving {
			t.Errorf("file %d: %d bytes (%v) of %d: %+v", i, len(b), err, len(s.files[i]), one)
		}
	}
	if f.Page == nil || f.Page.Title != "Apart" || f.Bytes() != int64(len(s.files[0])+len(s.files[1])) {
		t.Errorf("%+v", f)
	}
}

// Pictures and sound that are apart arrive side by side, are announced as one
// source once both can be read, and stay two files.
func TestApartArrives(t *testing.T) {
	site, s := newApartSite(t), arrivingStage(t)
	s.Pages = stubTool(t)
	hold := make(chan struct{})
	site.gate = func(i, n int, w http.ResponseWriter, r *http.Request) bool {
		if n > 1 {
			return false
		}
		site.half(i, w)
		select {
		case <-hold:
			_, _ = (&apartAnswer{w, site, i}).Write(site.files[i][len(site.files[i])/2:])
		case <-r.Context().Done():
		}
		return true
	}
	var told []spool.Fetched
	var last spool.Progress
	res, err := s.Run(t.Context(), jobFor(site.page), func(p spool.Progress) {
		if p.Result != nil {
			told = append(told, *p.Result.Fetched)
			close(hold)
			return
		}
		last = p
	})
	if err != nil {
		t.Fatal(err)
	}
	f := *res.Fetched
	site.want(t, f)
	if len(told) != 1 || !told[0].Arriving || told[0].Path != f.Path || told[0].Page == nil ||
		told[0].Sound == nil || !told[0].Sound.Arriving || told[0].Sound.Path != f.Sound.Path {
		t.Errorf("told %+v, then %+v", told, f)
	}
	if last.Done != f.Bytes() || last.Total != f.Bytes() || last.Have.Len() != f.Size || last.HaveSound.Len() != f.Sound.Size {
		t.Errorf("the last progress: %+v", last)
	}
	for i, header := range []string{"pictures id=1", "sound id=2"} {
		for _, r := range site.asked[i] {
			if got := r.Header.Get("X-Format") + " " + r.Header.Get("Cookie"); got != header {
				t.Errorf("host %d was told %q, want %q", i, got, header)
			}
		}
	}
	// Another run finds both.
	again, err := s.Run(t.Context(), jobFor(site.page), nil)
	if err != nil || again.Fetched.Sound == nil || site.signed != 1 {
		t.Errorf("again: %+v, %v", again.Fetched, err)
	}
	if err := os.Truncate(f.Sound.Path, 9); err != nil {
		t.Fatal(err)
	}
	again, err = s.Run(t.Context(), jobFor(site.page), nil)
	if err != nil {
		t.Fatal(err)
	}
	site.want(t, *again.Fetched)
}

// The real tool, of a DASH manifest whose representations are whole files.
func TestApartFromAManifest(t *testing.T) {
	site, s := newApartSite(t), arrivingStage(t)
	announced := 0
	res, err := s.Run(t.Context(), jobFor(site.page+".mpd"), func(p spool.Progress) {
		if p.Result != nil {
			announced++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	f := *res.Fetched
	f.Page.Title = "Apart"
	site.want(t, f)
	if announced != 1 {
		t.Errorf("announced %d times", announced)
	}
	for i := range 2 {
		for _, r := range site.asked[i] {
			if !strings.Contains(r.Header.Get("User-Agent"), "Mozilla") {
				t.Errorf("host %d was told %v", i, r.Header)
			}
		}
	}
}

// The link to the sound expires in mid-file.
func TestApartLinkExpires(t *testing.T) {
	site, s := newApartSite(t), arrivingStage(t)
	s.Pages = stubTool(t)
	site.gate = func(i, n int, w http.ResponseWriter, r *http.Request) bool {
		switch {
		case i == 0:
			return false
		case n == 1:
			site.half(i, w)
			panic(http.ErrAbortHandler)
		case r.URL.Query().Get("signature") == "1":
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	f, err := run(t, s, site.page)
	if err != nil {
		t.Fatal(err)
	}
	site.want(t, f)
	if site.signed != 2 || site.served[1] > int64(len(site.files[1])+2*64) {
		t.Errorf("%d links, %d bytes of sound served, it has %d", site.signed, site.served[1], len(site.files[1]))
	}
}

// What an interrupted run left of either file is used; one that is here already
// is told of as such.
func TestApartGoesOn(t *testing.T) {
	site, s := newApartSite(t), arrivingStage(t)
	s.Pages = stubTool(t)
	site.gate = func(i, n int, w http.ResponseWriter, r *http.Request) bool {
		if i == 0 || n > 1 {
			return false
		}
		site.half(i, w)
		<-r.Context().Done()
		return true
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	drained := errors.New("drained")
	enough := int64(len(site.files[0]) + len(site.files[1])/2)
	_, err := s.Run(ctx, jobFor(site.page), func(p spool.Progress) {
		if p.Done >= enough {
			cancel(drained)
		}
	})
	if !errors.Is(err, drained) {
		t.Fatalf("Run = %v, want the cause of the cancel", err)
	}
	var last spool.Progress
	announced := 0
	res, err := s.Run(t.Context(), jobFor(site.page), func(p spool.Progress) {
		if p.Result != nil {
			announced++
			return
		}
		last = p
	})
	if err != nil {
		t.Fatal(err)
	}
	site.want(t, *res.Fetched)
	if all := int64(len(site.files[0]) + len(site.files[1])); site.served[0]+site.served[1] > all+2*64 {
		t.Errorf("%v bytes were served of %d", site.served, all)
	}
	if announced != 1 || last.Have.Len() != res.Fetched.Size || last.HaveSound.Len() != res.Fetched.Sound.Size {
		t.Errorf("announced %d times, last %+v", announced, last)
	}
}

// One of two files that we are not given: the tool gets both, and nothing of
// what came is left.
func TestApartLeftToTheTool(t *testing.T) {
	for i := range 2 {
		site, s := newApartSite(t), arrivingStage(t)
		s.Pages = stubTool(t)
		site.gate = func(number, _ int, w http.ResponseWriter, _ *http.Request) bool {
			if number == i {
				w.WriteHeader(http.StatusForbidden)
			}
			return number == i
		}
		f, err := run(t, s, site.page)
		if err != nil || f.Sound != nil || f.Page == nil || f.Page.ID != "by-tool" {
			t.Fatalf("file %d refused: %+v, %v", i, f, err)
		}
		left, err := filepath.Glob(filepath.Join(filepath.Dir(f.Path), "*"))
		if err != nil || len(left) != 3 {
			t.Errorf("file %d refused: the work folder holds %v (%v), want the source and two notes", i, left, err)
		}
	}
	// A source that is to be kept is one file.
	site, s := newApartSite(t), arrivingStage(t)
	s.Pages, s.DownloadDir = stubTool(t), t.TempDir()
	f, err := run(t, s, site.page)
	if err != nil || f.Sound != nil || filepath.Dir(f.Path) != s.DownloadDir {
		t.Errorf("kept: %+v, %v", f, err)
	}
}
