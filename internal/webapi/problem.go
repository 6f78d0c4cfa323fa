package webapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

// Problem is an error as RFC 9457 has it (application/problem+json), with the
// code and the hint of a spool.Error.
type Problem struct {
	Title  string `json:"title" doc:"the status in words"`
	Status int    `json:"status"`
	Detail string `json:"detail" doc:"what happened and why, in one sentence"`
	Code   string `json:"code" doc:"stable, the same for equal problems" example:"http-404"`
	Hint   string `json:"hint,omitempty" doc:"what to do"`

	class spool.Class
}

var _ huma.StatusError = (*Problem)(nil)

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders says after how many seconds to try again what is temporary.
func (p *Problem) GetHeaders() http.Header {
	if p.Status == http.StatusServiceUnavailable {
		return http.Header{"Retry-After": {strconv.Itoa(retryAfter)}}
	}
	return nil
}

// ContentType is that of RFC 9457.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

const retryAfter = 5 // seconds

// ProblemOf tells an error to who asked over HTTP.
func ProblemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	e := spool.AsError(err)
	p = &Problem{Status: status(err, e), Detail: plaintext.Sanitize(e.Reason), Code: e.Code, Hint: plaintext.Sanitize(e.Hint), class: e.Class}
	p.Title = http.StatusText(p.Status)
	return p
}

func status(err error, e *spool.Error) int {
	switch {
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrConflict):
		return http.StatusConflict
	case e.Code == "unexpected":
		return http.StatusInternalServerError
	case e.Class == spool.Environment, e.Class == spool.Transient:
		return http.StatusServiceUnavailable
	}
	return http.StatusUnprocessableEntity
}

// Failure is the problem as an error of this program.
func (p *Problem) Failure() *spool.Error {
	class := p.class
	switch {
	case class != "":
	case p.Status == http.StatusServiceUnavailable:
		class = spool.Environment
	default:
		class = spool.Permanent
	}
	return &spool.Error{Class: class, Code: p.Code, Reason: p.Detail, Hint: p.Hint, Err: p}
}

// refused is the problem of a request that the handler itself does not take.
func refused(status int, message string, errs ...error) huma.StatusError {
	p := &Problem{Title: http.StatusText(status), Status: status, Detail: message, Code: "bad-request"}
	var said []string
	for _, err := range errs {
		var detail huma.ErrorDetailer
		switch {
		case err == nil:
		case errors.As(err, &detail) && detail.ErrorDetail().Location != "":
			said = append(said, fmt.Sprintf("%s: %s", detail.ErrorDetail().Location, detail.ErrorDetail().Message))
		default:
			said = append(said, err.Error())
		}
	}
	if len(said) > 0 {
		p.Detail += ": " + plaintext.Cut(plaintext.Sanitize(strings.Join(said, "; ")), 1000)
	}
	if status >= http.StatusInternalServerError {
		p.Code = "unexpected"
	}
	return p
}

func init() {
	// The one place that huma has for it: every error it makes is a Problem.
	huma.NewError = refused
}
