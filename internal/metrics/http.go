package metrics

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// HTTP counts the requests that a handler answers. Routes are its mux's
// patterns; what is asked for without there being one is "other".
func (m *Metrics) HTTP(next http.Handler) http.Handler {
	if m == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, answer := time.Now(), &answered{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(answer, r)
		m.httpTook.WithLabelValues(route(r), method(r), strconv.Itoa(answer.code)).Observe(time.Since(began).Seconds())
	})
}

// route is the pattern that the mux has found for a request, without a method.
func route(r *http.Request) string {
	_, path, both := strings.Cut(r.Pattern, " ")
	if !both {
		path = r.Pattern
	}
	if path == "" || path == "/" {
		return "other"
	}
	return path
}

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

func method(r *http.Request) string {
	if slices.Contains(methods, r.Method) {
		return r.Method
	}
	return "other"
}

// answered remembers the status of an answer.
type answered struct {
	http.ResponseWriter
	code int
}

// WriteHeader notes the status.
func (a *answered) WriteHeader(code int) {
	if code >= http.StatusOK { // not an informational one, after which another comes
		a.code = code
	}
	a.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }
