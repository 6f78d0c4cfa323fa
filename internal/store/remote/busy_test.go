package remote_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/remote"
)

// A destination whose server says that it cannot now is waited for, when it
// has said so for a while; what it never will do is not.
func TestDestinationIsBusy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		class  spool.Class
		want   string
	}{
		{http.StatusInternalServerError, "InternalError", spool.Environment, "dest-busy"},
		{http.StatusBadGateway, "BadGateway", spool.Environment, "dest-busy"},
		{http.StatusServiceUnavailable, "SlowDown", spool.Environment, "dest-busy"},
		{http.StatusGatewayTimeout, "GatewayTimeout", spool.Environment, "dest-busy"},
		{http.StatusTooManyRequests, "TooManyRequests", spool.Environment, "dest-busy"},
		{http.StatusBadRequest, "SlowDown", spool.Environment, "dest-busy"},
		{http.StatusNotImplemented, "NotImplemented", spool.Transient, "store-trouble"},
		{http.StatusHTTPVersionNotSupported, "No", spool.Transient, "store-trouble"},
		{http.StatusBadRequest, "RequestTimeout", spool.Transient, "store-trouble"},
	} {
		t.Run(fmt.Sprint(c.status, c.code), func(t *testing.T) {
			t.Parallel()
			f := serve(t)
			s := open(t, f.options(), bucket, remote.Options{})
			puts := 0
			f.with(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut {
					return false
				}
				puts++
				return answers(w, c.status, c.code)
			})
			e := wantError(t, put(t, s, "v/a", "x"), c.class, c.want)
			if c.class == spool.Environment && !strings.Contains(e.Reason, fmt.Sprint(c.status)) {
				t.Errorf("%q does not say what the server answers", e.Reason)
			}
			first := puts
			wantError(t, put(t, s, "v/a", "x"), c.class, c.want)
			if again := puts - first; first < 4 || c.class == spool.Environment && again != 1 {
				t.Errorf("asked %d times, then %d times", first, again)
			}
			f.with(nil)
			if err := put(t, s, "v/a", "x"); err != nil {
				t.Errorf("when that is over: %v", err)
			}
		})
	}
}

// The same of a store that is only read says nothing of the destination.
func TestSourceIsBusy(t *testing.T) {
	t.Parallel()
	f := serve(t)
	s := open(t, f.options(), bucket, remote.Options{ReadOnly: true})
	f.with(func(w http.ResponseWriter, _ *http.Request) bool {
		return answers(w, http.StatusServiceUnavailable, "SlowDown")
	})
	for name, ask := range map[string]func() error{
		"stat": func() error { _, err := s.Stat(t.Context(), "v/a"); return err },
		"open": func() error { _, err := s.Open(t.Context(), "v/a", 0, -1); return err },
		"list": func() error {
			for _, err := range store.Store(s).List(t.Context(), "v/") {
				return err
			}
			return nil
		},
	} {
		err := ask()
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		if e := spool.AsError(err); e.Class != spool.Transient || e.Code == "dest-busy" {
			t.Errorf("%s: %+v", name, e)
		}
	}
}
