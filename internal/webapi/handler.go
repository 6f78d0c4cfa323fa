package webapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/spool-video/spool"
)

// Options are what a handler is made of.
type Options struct {
	// Desk gives who does what is asked for, or a *spool.Error that says what
	// is waited for.
	Desk     func() (Desk, error)
	Token    Token
	Version  string
	OpenKeys bool             // keys are given to everybody
	Now      func() time.Time // nil: time.Now
}

// The limits of what is asked for.
const (
	mostVideos = 1000    // in one answer, and in one request
	mostBytes  = 8 << 20 // of a request
)

// New makes the handler.
func New(o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	mux := http.NewServeMux()
	config := huma.DefaultConfig("Spool", o.Version)
	config.DocsPath = "" // it would be read from somebody else's network
	config.SchemasPath, config.CreateHooks = "", nil
	config.Info.Description = "Hands videos in, looks at them, and takes them back. Errors are problem+json with a stable code and a hint."
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	config.Security = []map[string][]string{{"token": {}}}
	a := humago.New(mux, config)
	h := handlers{o}
	h.register(a)
	mux.HandleFunc("GET /keys/{video}/{key}", h.key)
	mux.HandleFunc("OPTIONS /keys/{video}/{key}", h.mayAsk)
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", h.ready)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answer(w, refused(http.StatusNotFound, "there is nothing at "+r.Method+" "+r.URL.Path))
	})
	return h.guarded(mux)
}

// handlers is the handler's parts.
type handlers struct{ Options }

// guarded lets only those to the API who know the token.
func (h handlers) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, mostBytes)
		if strings.HasPrefix(r.URL.Path, "/api/") && !h.Token.bearer(r) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="spool"`)
			answer(w, &Problem{
				Title: http.StatusText(http.StatusUnauthorized), Status: http.StatusUnauthorized, Code: "no-token",
				Detail: "the request does not show the API's token", Hint: "send Authorization: Bearer TOKEN; spool serve says where the token lies",
			})
			return
		}
		if r.ContentLength != 0 {
			r.Header.Set("Content-Type", "application/json") // whatever curl calls it
		}
		next.ServeHTTP(w, r)
	})
}

// body is an answer that has one.
type body[T any] struct{ Body T }

// added is the answer to submissions: 201 when any is new.
type added struct {
	Status int
	Body   struct {
		Videos []Taken `json:"videos"`
	}
}

type named struct {
	ID string `path:"id" maxLength:"64" doc:"a video's ID, or a worker's name"`
}

// op is an operation's description.
func op(method, path, id, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: "/api/v1" + path, Summary: summary, MaxBodyBytes: mostBytes}
}

func (h handlers) register(a huma.API) {
	huma.Register(a, op(http.MethodPost, "/videos", "add-video", "Hand one source in"), func(ctx context.Context, in *struct{ Body Submission }) (*added, error) {
		return h.add(ctx, []Submission{in.Body}, true)
	})
	huma.Register(a, op(http.MethodPost, "/batch", "add-videos", "Hand many sources in, each judged alone"), func(ctx context.Context, in *struct {
		Body struct {
			Videos []Submission `json:"videos" minItems:"1" maxItems:"1000"`
		}
	},
	) (*added, error) {
		return h.add(ctx, in.Body.Videos, false)
	})
	huma.Register(a, op(http.MethodGet, "/videos", "list-videos", "Some videos, in the order in which they were accepted"), h.list)
	huma.Register(a, op(http.MethodGet, "/videos/{id}", "get-video", "All that is known of a video"), ask(h, func(ctx context.Context, d Desk, in *named) (Detail, error) { return d.Get(ctx, in.ID) }))
	huma.Register(a, op(http.MethodPost, "/videos/{id}/retry", "retry-video", "Let a failed or cancelled video go on"), ask(h, func(ctx context.Context, d Desk, in *named) (Video, error) { return d.Retry(ctx, in.ID) }))
	huma.Register(a, op(http.MethodPost, "/videos/{id}/cancel", "cancel-video", "Stop working on a video"), ask(h, func(ctx context.Context, d Desk, in *named) (Video, error) { return d.Cancel(ctx, in.ID) }))
	huma.Register(a, op(http.MethodGet, "/workers", "list-workers", "The workers, and what they do"), ask(h, func(ctx context.Context, d Desk, _ *struct{}) (Workers, error) { return d.Workers(ctx) }))
	huma.Register(a, op(http.MethodPost, "/workers/{id}/drain", "drain-worker", "Give a worker nothing more, and let it end"), h.drain)
	huma.Register(a, op(http.MethodDelete, "/videos/{id}", "remove-video", "Unpublish a video and forget it"), h.remove)
}

// ask makes a handler of a question to the desk.
func ask[I, T any](h handlers, question func(context.Context, Desk, *I) (T, error)) func(context.Context, *I) (*body[T], error) {
	return func(ctx context.Context, in *I) (*body[T], error) {
		d, err := h.Desk()
		if err != nil {
			return nil, ProblemOf(err)
		}
		answer, err := question(ctx, d, in)
		if err != nil {
			return nil, ProblemOf(err)
		}
		return &body[T]{answer}, nil
	}
}

// add hands sources in. One alone that is refused is an error.
func (h handlers) add(ctx context.Context, all []Submission, one bool) (*added, error) {
	d, err := h.Desk()
	if err != nil {
		return nil, ProblemOf(err)
	}
	taken, err := d.Add(ctx, all)
	if err != nil {
		return nil, ProblemOf(err)
	}
	if one && len(taken) == 1 && taken[0].Problem != nil {
		return nil, taken[0].Problem
	}
	out := &added{Status: http.StatusOK}
	out.Body.Videos = taken
	for _, t := range taken {
		if t.Verdict == Accepted {
			out.Status = http.StatusCreated
		}
	}
	return out, nil
}

type listing struct {
	Status []string `query:"status,explode" enum:"waiting,working,paused,ready,failed,cancelled" doc:"only videos of these statuses"`
	Cause  []string `query:"cause,explode" doc:"only videos whose failure has one of these codes, as poison"`
	After  string   `query:"after" maxLength:"64" doc:"only videos that were accepted after this one"`
	Limit  int      `query:"limit" default:"100" minimum:"1" maximum:"1000"`
}

func (h handlers) list(ctx context.Context, in *listing) (*body[Page], error) {
	return ask(h, func(ctx context.Context, d Desk, in *listing) (Page, error) {
		q := Query{Causes: in.Cause, After: in.After, Limit: min(in.Limit, mostVideos)}
		for _, s := range in.Status {
			q.Statuses = append(q.Statuses, spool.Status(s))
		}
		return d.List(ctx, q)
	})(ctx, in)
}

func (h handlers) remove(ctx context.Context, in *struct {
	ID            string `path:"id" maxLength:"64" doc:"a video's ID"`
	KeepPublished bool   `query:"keepPublished" doc:"forget the video, leave what is published"`
	KeepKeys      bool   `query:"keepKeys" doc:"leave its keys"`
},
) (*struct{}, error) {
	d, err := h.Desk()
	if err == nil {
		err = d.Remove(ctx, in.ID, Removal{KeepPublished: in.KeepPublished, KeepKeys: in.KeepKeys})
	}
	if err != nil {
		return nil, ProblemOf(err)
	}
	return nil, nil
}

func (h handlers) drain(ctx context.Context, in *named) (*struct{}, error) {
	d, err := h.Desk()
	if err == nil {
		err = d.Drain(ctx, in.ID)
	}
	if err != nil {
		return nil, ProblemOf(err)
	}
	return nil, nil
}

// ready answers 200 when videos are taken in and worked on.
func (h handlers) ready(w http.ResponseWriter, _ *http.Request) {
	if _, err := h.Desk(); err != nil {
		answer(w, ProblemOf(err))
		return
	}
	fmt.Fprintln(w, "ok")
}
