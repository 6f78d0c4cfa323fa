package webapi

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/spool-video/spool"
)

// key gives a content key to who may have it: who knows the token, who has a
// link that was signed with it and is still good, or everybody.
func (h handlers) key(w http.ResponseWriter, r *http.Request) {
	playersAnywhere(w)
	video, name := r.PathValue("video"), strings.TrimSuffix(r.PathValue("key"), ".key")
	if !h.OpenKeys && !h.Token.bearer(r) && !h.Token.signed(r.URL.Query(), video, name, h.Now()) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="spool"`)
		answer(w, &Problem{
			Title: http.StatusText(http.StatusUnauthorized), Status: http.StatusUnauthorized, Code: "no-token",
			Detail: "the key is not given to everybody", Hint: "ask with the token, or by a link that spool keys link made, before it ends",
		})
		return
	}
	d, err := h.Desk()
	var key []byte
	if err == nil {
		if !spool.ValidID(video) || !spool.ValidID(name) {
			err = &spool.Error{Class: spool.Permanent, Code: "no-such-key", Reason: "there is no such key", Err: ErrNotFound}
		} else {
			key, err = d.Key(r.Context(), video, name)
		}
	}
	if err != nil {
		answer(w, ProblemOf(err))
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "private, no-store")
	_, _ = w.Write(key) // an error means that nobody listens any more
}

// playersAnywhere lets pages of other origins read the answer: a page with a
// player seldom stands where the keys are. What they may read is decided by
// what they show, never by a cookie.
func playersAnywhere(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization")
	w.Header().Set("Access-Control-Max-Age", "86400")
}

// mayAsk answers a browser that asks before a request with a header of its own.
func (h handlers) mayAsk(w http.ResponseWriter, _ *http.Request) {
	playersAnywhere(w)
	w.WriteHeader(http.StatusNoContent)
}

// answer tells an error outside of the typed operations.
func answer(w http.ResponseWriter, p huma.StatusError) {
	if with, ok := p.(huma.HeadersError); ok {
		for name, values := range with.GetHeaders() {
			w.Header()[name] = values
		}
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.GetStatus())
	_ = json.NewEncoder(w).Encode(p) // an error means that nobody listens any more
}
