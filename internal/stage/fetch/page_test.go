package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/tap"
)

// watch is a site that shows the clip on a page, by links that it signs anew
// each time.
type watch struct {
	url  string
	clip []byte
	// expire: the first link brings half of the clip, and is refused from then
	// on.
	expire bool
	// hold, when it is not nil, is closed to let the second half of the first
	// answer go.
	hold chan struct{}
	// offer answers what the stub is asked for; nil: there is an HTML page.
	offer func(want, link string) (answer string, status int)

	mu     sync.Mutex // guards the rest
	signed int        // links that were given
	asked  []*http.Request
	served int64
}

func newWatch(t *testing.T) *watch {
	t.Helper()
	b, err := clip()
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{clip: b}
	srv := httptest.NewServer(w)
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

func (s *watch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/watch":
		s.page(w, r)
	case "/film.mp4":
		s.film(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s *watch) page(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.signed++
	link := fmt.Sprintf("%s/film.mp4?signature=%d", s.url, s.signed)
	s.mu.Unlock()
	query := r.URL.Query()
	switch {
	case query.Has("download"):
		_, _ = w.Write(s.clip)
	case query.Has("choose"):
		answer, status := s.offer(query.Get("choose"), link)
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	default:
		fmt.Fprintf(w, `<html><head><title>A film</title></head><body><video src="%s"></video></body></html>`, link)
	}
}

func (s *watch) film(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Clone(context.Background()))
	n := len(s.asked)
	first := s.asked[0].URL.Query().Get("signature")
	s.mu.Unlock()
	w.Header().Set("Content-Type", "video/mp4")
	w.Header().Set("ETag", `"film"`)
	half := len(s.clip) / 2
	switch {
	case s.expire && n > 1 && r.URL.Query().Get("signature") == first:
		w.WriteHeader(http.StatusForbidden)
	case n == 1 && (s.expire || s.hold != nil):
		w.Header().Set("Content-Length", fmt.Sprint(len(s.clip)))
		w.Header().Set("Accept-Ranges", "bytes")
		s.send(w, s.clip[:half])
		w.(http.Flusher).Flush()
		if s.expire {
			panic(http.ErrAbortHandler)
		}
		select {
		case <-s.hold:
			s.send(w, s.clip[half:])
		case <-r.Context().Done():
		}
	default:
		http.ServeContent(&sending{w, s}, r, "", time.Time{}, strings.NewReader(string(s.clip)))
	}
}

func (s *watch) send(w http.ResponseWriter, b []byte) {
	n, _ := w.Write(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served += int64(n)
}

type sending struct {
	http.ResponseWriter
	site *watch
}

func (s *sending) Write(b []byte) (int, error) {
	s.site.send(s.ResponseWriter, b)
	return len(b), nil
}

// tally is what was asked for and given so far.
func (s *watch) tally() (asked []*http.Request, served int64, signed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked), s.served, s.signed
}

func (s *watch) wantClip(t *testing.T, f spool.Fetched) {
	t.Helper()
	wantClip(t, &site{clip: s.clip}, f)
}

func arrivingStage(t *testing.T) *Stage {
	t.Helper()
	s := newStage(t)
	s.Sources = &tap.Desk{}
	t.Cleanup(func() { s.Release("vid-1") })
	return s
}

// A page's video that is one plain file can be read while it arrives.
func TestPageArrives(t *testing.T) {
	site, s := newWatch(t), arrivingStage(t)
	site.hold = make(chan struct{})
	var once sync.Once
	var told spool.Fetched
	res, err := s.Run(t.Context(), jobFor(site.url+"/watch"), func(p spool.Progress) {
		if p.Result == nil {
			return
		}
		told = *p.Result.Fetched
		once.Do(func() { close(site.hold) })
	})
	if err != nil {
		t.Fatal(err)
	}
	f := *res.Fetched
	site.wantClip(t, f)
	if !told.Arriving || told.Path != f.Path || told.Page == nil || !strings.HasPrefix(told.Page.Title, "A film") || told.Size != f.Size || !told.Scratch {
		t.Errorf("told %+v, then %+v", told, f)
	}
	if f.Arriving || f.SHA256 == "" || f.Page == nil || f.Page.Extractor != "html5" || f.Tag != `"film"` {
		t.Errorf("%+v", f)
	}
	asked, _, _ := site.tally()
	for _, r := range asked {
		if !strings.Contains(r.Header.Get("User-Agent"), "Mozilla") || r.Header.Get("Referer") != site.url+"/watch" {
			t.Errorf("the file was asked for with %v, not with the page's headers", r.Header)
		}
	}
}

// A link that expires in mid-file is renewed by the page, and the download
// goes on where it was.
func TestPageLinkExpires(t *testing.T) {
	site, s := newWatch(t), arrivingStage(t)
	site.expire = true
	announced := 0
	res, err := s.Run(t.Context(), jobFor(site.url+"/watch"), func(p spool.Progress) {
		if p.Result != nil {
			announced++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	site.wantClip(t, *res.Fetched)
	const seams = 3 * 64
	_, served, signed := site.tally()
	if served > int64(len(site.clip)+seams) || announced != 1 || signed != 3 {
		t.Errorf("%d bytes of %d were served, by %d links; announced %d times", served, len(site.clip), signed, announced)
	}
}

// What an interrupted run left is of use although the link is another one.
func TestPageGoesOn(t *testing.T) {
	site, s := newWatch(t), arrivingStage(t)
	site.hold = make(chan struct{})
	ctx, cancel := context.WithCancelCause(t.Context())
	drained := errors.New("drained")
	_, err := s.Run(ctx, jobFor(site.url+"/watch"), func(p spool.Progress) {
		if p.Result != nil {
			cancel(drained)
		}
	})
	if !errors.Is(err, drained) {
		t.Fatalf("Run = %v, want the cause of the cancel", err)
	}
	_, before, _ := site.tally()
	f, err := run(t, s, site.url+"/watch")
	if err != nil {
		t.Fatal(err)
	}
	site.wantClip(t, f)
	// What had come and was not written yet when it ended comes again.
	if _, served, _ := site.tally(); before == 0 || served >= before+int64(len(site.clip)) {
		t.Errorf("%d bytes were served, %d before the break; the film has %d", served, before, len(site.clip))
	}
}

// one describes a page with one format.
func one(id, link, more string) string {
	return fmt.Sprintf(`{"id":"7","extractor":"site","format_id":%q,"url":%q,"ext":"mp4","protocol":"http"%s}`, id, link, more)
}

// Headers and cookies go to the host that they are for, and no further;
// requests are no longer than the site wants them.
func TestPageHeadersAndChunks(t *testing.T) {
	site, s := newWatch(t), arrivingStage(t)
	s.Pages = stubTool(t)
	const chunk = 1000
	var mu sync.Mutex
	var near, far []http.Header
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		far = append(far, r.Header.Clone())
		mu.Unlock()
		site.ServeHTTP(w, r)
	}))
	defer mirror.Close()
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		near = append(near, r.Header.Clone())
		mu.Unlock()
		http.Redirect(w, r, mirror.URL+r.URL.String(), http.StatusFound)
	}))
	defer door.Close()
	site.offer = func(_, link string) (string, int) {
		return one("18", strings.Replace(link, site.url, door.URL, 1), fmt.Sprintf(
			`,"downloader_options":{"http_chunk_size":%d},"http_headers":{"User-Agent":"Mozilla","X-Secret":"s","Authorization":"t"},`+
				`"cookies":"a=1; Domain=127.0.0.1; Path=/; b=2; Domain=other.example; Path=/"`, chunk)), http.StatusOK
	}
	f, err := run(t, s, site.url+"/watch")
	if err != nil {
		t.Fatal(err)
	}
	site.wantClip(t, f)
	for _, h := range near {
		if h.Get("Cookie") != "a=1" || h.Get("X-Secret") != "s" || h.Get("Authorization") != "t" {
			t.Fatalf("the format's host was told %v", h)
		}
	}
	for _, h := range far {
		if h.Get("Cookie")+h.Get("X-Secret")+h.Get("Authorization") != "" || h.Get("User-Agent") != "Mozilla" {
			t.Fatalf("another host was told %v", h)
		}
		var from, to int64
		if _, err := fmt.Sscanf(h.Get("Range"), "bytes=%d-%d", &from, &to); err != nil || to-from+1 > chunk {
			t.Fatalf("asked for %s (%v), want at most %d bytes", h.Get("Range"), err, chunk)
		}
	}
	if len(far) < len(site.clip)/chunk {
		t.Errorf("%d requests", len(far))
	}
}

// What we cannot download the tool can, perhaps.
func TestPageLeftToTheTool(t *testing.T) {
	for name, offer := range map[string]func(link string) string{
		"a playlist":   func(link string) string { return one("18", link, `,"protocol":"m3u8_native"`) },
		"refused":      func(link string) string { return one("18", strings.Replace(link, "/film.mp4", "/gone", 1), "") },
		"another page": func(link string) string { return one("18", strings.Replace(link, "/film.mp4", "/watch", 1), "") },
		"three files": func(link string) string {
			f := one("18", link, "")
			return `{"id":"7","requested_formats":[` + f + "," + f + "," + f + "]}"
		},
	} {
		t.Run(name, func(t *testing.T) {
			site, s := newWatch(t), arrivingStage(t)
			s.Pages = stubTool(t)
			site.offer = func(_, link string) (string, int) { return offer(link), http.StatusOK }
			f, err := run(t, s, site.url+"/watch")
			if err != nil {
				t.Fatal(err)
			}
			site.wantClip(t, f)
			if asked, _, _ := site.tally(); f.Page == nil || f.Page.ID != "by-tool" || len(asked) != 0 {
				t.Errorf("%+v, %d requests", f.Page, len(asked))
			}
		})
	}
}

// A format that is not offered any more: what was made of it ends, and the
// next run takes another one.
func TestPageFormatGone(t *testing.T) {
	site, s := newWatch(t), arrivingStage(t)
	s.Pages = stubTool(t)
	site.expire = true
	now := "18"
	site.offer = func(want, link string) (string, int) {
		if !strings.Contains(want, "best") && want != now {
			return "Requested format is not available", http.StatusNotFound
		}
		defer func() { now = "22" }()
		return one(now, link, ""), http.StatusOK
	}
	_, err := run(t, s, site.url+"/watch")
	wantFault(t, err, "link-expired")
	if e := spool.AsError(err); e.Class != spool.Transient {
		t.Errorf("class %v", e.Class)
	}
	_, err = run(t, s, site.url+"/watch")
	wantFault(t, err, "source-changed")
	if e := spool.AsError(err); e.Class != spool.Replan {
		t.Errorf("class %v", e.Class)
	}
	// That holds until there is another revision, whatever happens meanwhile.
	_, err = run(t, s, site.url+"/watch")
	wantFault(t, err, "source-changed")
	job := jobFor(site.url + "/watch")
	job.Revision, job.Careful = "r2", 1
	res, err := s.Run(t.Context(), job, nil)
	if err != nil {
		t.Fatal(err)
	}
	site.wantClip(t, *res.Fetched)
	if s.Sources.Taps.Find(res.Fetched.Path) != nil {
		t.Error("what was read of the other format still counts")
	}
}
