package webapi

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

// clerk is a desk that knows one video.
type clerk struct{ added []Submission }

func (c *clerk) Add(_ context.Context, all []Submission) ([]Taken, error) {
	c.added = append(c.added, all...)
	taken := make([]Taken, len(all))
	for i, s := range all {
		taken[i] = Taken{Verdict: Accepted, Video: &Video{Source: s.Source}}
		if strings.Contains(s.Source, "bad") {
			taken[i] = Taken{Verdict: Refused, Problem: ProblemOf(&spool.Error{Class: spool.Permanent, Code: "no-good", Reason: "it is no good", Hint: "do not"})}
		}
	}
	return taken, nil
}

func (c *clerk) List(_ context.Context, q Query) (Page, error) {
	if q.After == "gone" {
		return Page{}, unknown()
	}
	b, err := json.Marshal(q)
	return Page{Videos: []Video{}, Next: string(b)}, err
}

func (c *clerk) Get(_ context.Context, id string) (Detail, error) {
	if id != "film" {
		return Detail{}, unknown()
	}
	v := spool.Video{ID: "film", Source: "https://user:hunter2@example.com/film.mp4"}
	return Detail{Video: Video{Video: v, Source: "https://example.com/film.mp4"}, Jobs: []spool.JobRecord{}}, nil
}

func (c *clerk) Retry(context.Context, string) (Video, error) {
	return Video{}, &spool.Error{Class: spool.Permanent, Code: "not-failed", Reason: "it is ready", Err: ErrConflict}
}

func (c *clerk) Cancel(context.Context, string) (Video, error) {
	return Video{}, &spool.Error{Class: spool.Environment, Code: "dest-away", Reason: "the bucket is away"}
}

func (c *clerk) Remove(_ context.Context, _ string, r Removal) error {
	if r.KeepKeys {
		return errors.New("what nobody expected")
	}
	return nil
}

func (c *clerk) Workers(context.Context) (Workers, error) {
	return Workers{Workers: []Worker{{Name: "host-1", State: "idle"}}}, nil
}

func (c *clerk) Drain(_ context.Context, worker string) error {
	if worker != "host-1" {
		return &spool.Error{Class: spool.Permanent, Code: "no-such-worker", Reason: "there is none", Err: ErrNotFound}
	}
	return nil
}

func (c *clerk) Key(_ context.Context, video, key string) ([]byte, error) {
	if video+"/"+key != "film/r1" {
		return nil, unknown()
	}
	return []byte("0123456789abcdef"), nil
}

func unknown() error {
	return &spool.Error{Class: spool.Permanent, Code: "no-such-video", Reason: "there is none", Err: ErrNotFound}
}

const secret = Token("0123456789abcdef0123456789abcdef")

// call is one request and what its answer has to be.
type call struct {
	method, path, body, token string
	status                    int
	says                      string // a part of the answer
}

func (c call) do(t *testing.T, h http.Handler) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body))
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl -d does
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
		t.Errorf("%s %s %s: %d, want %d with %q:\n%s", c.method, c.path, c.body, w.Code, c.status, c.says, w.Body)
	}
	if kind := w.Header().Get("Content-Type"); w.Code >= 400 && kind != "application/problem+json" {
		t.Errorf("%s %s: an error of type %q", c.method, c.path, kind)
	}
	return w
}

func TestHandler(t *testing.T) {
	d := &clerk{}
	h := New(Options{Desk: func() (Desk, error) { return d, nil }, Token: secret, Version: "v1"})
	for _, c := range []call{
		{"GET", "/api/v1/videos", "", "", 401, `"code":"no-token"`},
		{"GET", "/api/v1/videos", "", string(secret) + "x", 401, ``},
		{"GET", "/api/v1/nothing", "", "", 401, ``},
		{"GET", "/api/v1/nothing", "", string(secret), 404, `nothing at GET`},
		{"GET", "/openapi.json", "", "", 200, `"/api/v1/videos/{id}/retry"`},
		{"GET", "/livez", "", "", 200, "ok"},
		{"GET", "/readyz", "", "", 200, "ok"},
		{"POST", "/api/v1/videos", `{"source":"https://example.com/a.mp4","priority":3}`, string(secret), 201, `"verdict":"accepted"`},
		{"POST", "/api/v1/videos", `{"source":"bad"}`, string(secret), 422, `"code":"no-good","hint":"do not"`},
		{"POST", "/api/v1/batch", `{"videos":[{"source":"bad"},{"source":"good"}]}`, string(secret), 201, `"verdict":"refused"`},
		{"POST", "/api/v1/batch", `{"videos":[]}`, string(secret), 422, `bad-request`},
		{"POST", "/api/v1/videos", `{"source":""}`, string(secret), 422, `body.source`},
		{"POST", "/api/v1/videos", `{"sauce":"x"}`, string(secret), 422, `body.sauce`},
		{"POST", "/api/v1/videos", `{"source":"x","priority":"high"}`, string(secret), 422, `body.priority`},
		{"POST", "/api/v1/videos", "\x00\xff{", string(secret), 400, `bad-request`},
		{"POST", "/api/v1/videos", `{"source":"` + strings.Repeat("x", 10<<20) + `"}`, string(secret), 413, `bad-request`},
		{"GET", "/api/v1/videos?status=failed&status=ready&cause=poison&limit=7", "", string(secret), 200, `{\"Statuses\":[\"failed\",\"ready\"],\"Causes\":[\"poison\"],\"After\":\"\",\"Limit\":7}`},
		{"GET", "/api/v1/videos?status=lost", "", string(secret), 422, `query.status`},
		{"GET", "/api/v1/videos?limit=100000", "", string(secret), 422, `query.limit`},
		{"GET", "/api/v1/videos?after=gone", "", string(secret), 404, `no-such-video`},
		{"GET", "/api/v1/videos/film", "", string(secret), 200, `"source":"https://example.com/film.mp4"`},
		{"GET", "/api/v1/videos/other", "", string(secret), 404, ``},
		{"POST", "/api/v1/videos/film/retry", "", string(secret), 409, `not-failed`},
		{"POST", "/api/v1/videos/film/cancel", "", string(secret), 503, `dest-away`},
		{"DELETE", "/api/v1/videos/film?keepPublished=true", "", string(secret), 204, ``},
		{"DELETE", "/api/v1/videos/film?keepKeys=true", "", string(secret), 500, `unexpected`},
		{"GET", "/api/v1/workers", "", string(secret), 200, `"name":"host-1"`},
		{"POST", "/api/v1/workers/host-1/drain", "", string(secret), 204, ``},
		{"POST", "/api/v1/workers/host-9/drain", "", string(secret), 404, `no-such-worker`},
		{"PATCH", "/api/v1/videos/film", "", string(secret), 404, `nothing at PATCH`},
		{"GET", "/keys/film/r1", "", "", 401, `no-token`},
		{"GET", "/keys/film/r1.key", "", string(secret), 200, "0123456789abcdef"},
		{"GET", "/keys/film/r2", "", string(secret), 404, ``},
		{"GET", "/keys/film/..%2fr1", "", string(secret), 404, `no-such-key`},
		{"OPTIONS", "/keys/film/r1", "", "", 204, ``},
	} {
		answer := c.do(t, h)
		if strings.Contains(answer.Body.String(), "hunter2") {
			t.Errorf("%s %s tells a secret: %s", c.method, c.path, answer.Body)
		}
	}
	if len(d.added) != 4 || d.added[0].Priority != 3 {
		t.Errorf("handed in: %+v", d.added)
	}
}

// While there is nobody at the desk, callers are told why and when to ask again.
func TestNobodyAtTheDesk(t *testing.T) {
	h := New(Options{Token: secret, Desk: func() (Desk, error) {
		return nil, &spool.Error{Class: spool.Environment, Code: "dest-away", Reason: "the destination is away"}
	}})
	for _, path := range []string{"/api/v1/videos", "/readyz", "/keys/film/r1"} {
		w := call{"GET", path, "", string(secret), 503, "the destination is away"}.do(t, h)
		if w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	call{"GET", "/livez", "", "", 200, "ok"}.do(t, h)
}

// A signed link opens one key, until it ends.
func TestSignedKeys(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	h := New(Options{Token: secret, Desk: func() (Desk, error) { return &clerk{}, nil }, Now: func() time.Time { return now }})
	link := "/keys/film/r1.key?" + secret.SignKey("film", "r1", now.Add(time.Minute))
	call{"GET", link, "", "", 200, "0123456789abcdef"}.do(t, h)
	for _, other := range []string{
		strings.Replace(link, "/film/", "/other/", 1),
		strings.Replace(link, "expires=1000060", "expires=2000060", 1),
		"/keys/film/r1.key?" + Token("another that is also long enough.").SignKey("film", "r1", now.Add(time.Minute)),
	} {
		call{"GET", other, "", "", 401, "no-token"}.do(t, h)
	}
	now = now.Add(time.Minute)
	call{"GET", link, "", "", 401, "no-token"}.do(t, h)
	open := New(Options{Token: secret, OpenKeys: true, Desk: func() (Desk, error) { return &clerk{}, nil }})
	if w := (call{"GET", "/keys/film/r1", "", "", 200, "0123456789abcdef"}).do(t, open); w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Error("a page of another origin may not read it")
	}
	call{"GET", "/api/v1/videos", "", "", 401, "no-token"}.do(t, open)
}

func TestToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "api-token")
	if _, err := ReadToken(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	first, err := OpenToken(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenToken(path)
	if err != nil || again != first {
		t.Errorf("%s, then %s (%v)", first, again, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenToken(path); spool.AsError(err).Code != "bad-token" {
		t.Errorf("%v", err)
	}
}

// The client says what the serve says: errors come out as they went in.
func TestClient(t *testing.T) {
	s := httptest.NewServer(New(Options{Token: secret, Desk: func() (Desk, error) { return &clerk{}, nil }}))
	defer s.Close()
	c := &Client{URL: s.URL, Token: secret}
	many := make([]Submission, 1001)
	for i := range many {
		many[i].Source = "https://example.com/a.mp4"
	}
	if taken, err := c.Add(t.Context(), many); err != nil || len(taken) != len(many) {
		t.Errorf("%d taken, %v", len(taken), err)
	}
	if d, err := c.Get(t.Context(), "film"); err != nil || d.ID != "film" {
		t.Errorf("%+v %v", d, err)
	}
	for code, err := range map[string]error{
		"no-such-video": second(c.Get(t.Context(), "a/b")),
		"not-failed":    second(c.Retry(t.Context(), "film")),
		"dest-away":     second(c.Cancel(t.Context(), "film")),
		"unexpected":    c.Remove(t.Context(), "film", Removal{KeepKeys: true}),
		"no-token":      second((&Client{URL: s.URL}).Get(t.Context(), "film")),
		"no-answer":     second((&Client{URL: "http://127.0.0.1:1"}).Get(t.Context(), "film")),
	} {
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
	if second(c.Cancel(t.Context(), "film")); spool.AsError(second(c.Cancel(t.Context(), "film"))).Class != spool.Environment {
		t.Error("what passes is told as what does not")
	}
}

func second[T any](_ T, err error) error { return err }
