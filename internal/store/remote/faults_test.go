package remote_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hosttest"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/remote"
)

// rclone rests between requests in a goroutine that ends by itself.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/rclone/rclone/lib/pacer.(*Pacer).beginCall.func1"))
}

const bucket = "bucket"

// faulty is an S3 server in memory, before which a fault may stand.
type faulty struct {
	url    string
	server http.Handler

	mu    sync.Mutex
	fault func(w http.ResponseWriter, r *http.Request) (done bool) // nil: none
	asked []string                                                 // method and path of each request
}

func serve(t *testing.T) *faulty {
	t.Helper()
	memory := s3mem.New()
	if err := memory.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	f := &faulty{server: gofakes3.New(memory).Server()}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.fails(w, r) {
		f.server.ServeHTTP(w, r)
	}
}

func (f *faulty) fails(w http.ResponseWriter, r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.Method+" "+r.URL.RequestURI())
	return f.fault != nil && f.fault(w, r)
}

// with puts a fault in place; nil takes it away.
func (f *faulty) with(fault func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

func (f *faulty) options(more ...string) map[string]string {
	o := map[string]string{
		"type": "s3", "provider": "Other", "endpoint": f.url, "access_key_id": "CANARY-id", "secret_access_key": "CANARY-secret",
	}
	for i := 0; i < len(more); i += 2 {
		o[more[i]] = more[i+1]
	}
	return o
}

// answers says no as S3 does.
func answers(w http.ResponseWriter, status int, code string) bool {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>as told</Message></Error>", code)
	return true
}

func put(t *testing.T, s *remote.Store, name, body string) error {
	t.Helper()
	return s.Put(t.Context(), name, strings.NewReader(body), store.PutOptions{ContentType: "video/iso.segment", CacheControl: "max-age=7"})
}

func wantError(t *testing.T, err error, class spool.Class, code string) *spool.Error {
	t.Helper()
	var e *spool.Error
	if !errors.As(err, &e) || e.Class != class || e.Code != code {
		t.Fatalf("%v; want %s, %s", err, class, code)
	}
	if e.Reason == "" || e.Hint == "" || strings.Contains(e.Error()+e.Hint, "CANARY") {
		t.Errorf("the error %q (%s) says too little or too much", e, e.Hint)
	}
	return e
}

func TestObjectsAreServedAsTold(t *testing.T) {
	t.Parallel()
	f := serve(t)
	s := open(t, f.options("acl", "public-read", "storage_class", "STANDARD_IA"), bucket+"/dest", remote.Options{})
	cache, acl, class := "", "", ""
	f.with(func(_ http.ResponseWriter, r *http.Request) bool { // the server in memory forgets them
		if r.Method == http.MethodPut {
			cache, acl, class = r.Header.Get("Cache-Control"), r.Header.Get("X-Amz-Acl"), r.Header.Get("X-Amz-Storage-Class")
		}
		return false
	})
	if err := put(t, s, "v/a.m4s", "media"); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRecorder()
	f.server.ServeHTTP(r, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+bucket+"/dest/v/a.m4s", nil))
	if h := r.Header(); h.Get("Content-Type") != "video/iso.segment" || cache != "max-age=7" || r.Body.String() != "media" {
		t.Errorf("served as %v, to be kept %q: %q", h, cache, r.Body)
	}
	if acl != "public-read" || class != "STANDARD_IA" { // as the remote says
		t.Errorf("put for %q, as %q", acl, class)
	}
}

func TestTroubleIsTriedAgain(t *testing.T) {
	t.Parallel()
	f := serve(t)
	s := open(t, f.options(), bucket, remote.Options{})
	dice := rand.New(rand.NewPCG(5, 1))
	f.with(func(w http.ResponseWriter, _ *http.Request) bool {
		if dice.IntN(10) > 0 {
			return false
		}
		switch dice.IntN(4) {
		case 0:
			return answers(w, http.StatusInternalServerError, "InternalError")
		case 1:
			return answers(w, http.StatusServiceUnavailable, "SlowDown")
		case 2:
			return answers(w, http.StatusBadRequest, "RequestTimeout")
		}
		panic(http.ErrAbortHandler) // the connection ends
	})
	for i := range 60 {
		name := fmt.Sprintf("v/%d", i)
		if err := put(t, s, name, name); err != nil {
			t.Fatal(err)
		}
		r, err := s.Open(t.Context(), name, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || string(got) != name {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestWhatTheStoreSaysIsNotBelieved(t *testing.T) {
	t.Parallel()
	for what, lie := range map[string]func(f *faulty, w http.ResponseWriter, r *http.Request) bool{
		"it keeps nothing": func(_ *faulty, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusOK)
			return true
		},
		"it keeps half": func(f *faulty, w http.ResponseWriter, r *http.Request) bool {
			return f.instead(w, r, func(b []byte) []byte { return b[:len(b)/2] })
		},
		"it keeps something else": func(f *faulty, w http.ResponseWriter, r *http.Request) bool {
			return f.instead(w, r, bytes.ToUpper)
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := serve(t)
			s := open(t, f.options(), bucket, remote.Options{})
			f.with(func(w http.ResponseWriter, r *http.Request) bool {
				return r.Method == http.MethodPut && lie(f, w, r)
			})
			wantError(t, put(t, s, "v/a", "what was sent"), spool.Transient, "store-changed-bytes")
		})
	}
}

// instead keeps something else than what was sent.
func (f *faulty) instead(w http.ResponseWriter, r *http.Request, change func([]byte) []byte) bool {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	body = change(body)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	r.Header.Del("Content-Md5")
	f.server.ServeHTTP(w, r)
	return true
}

func TestWhatAPersonHasToMend(t *testing.T) {
	t.Parallel()
	for code, c := range map[string]struct {
		status int
		want   string
	}{
		"AccessDenied":        {http.StatusForbidden, "dest-refused"},
		"ExpiredToken":        {http.StatusBadRequest, "dest-refused"},
		"QuotaExceeded":       {http.StatusForbidden, "no-space"},
		"InsufficientStorage": {http.StatusInsufficientStorage, "no-space"},
		"NoSuchBucket":        {http.StatusNotFound, "no-bucket"},
		"MethodNotAllowed":    {http.StatusMethodNotAllowed, "dest-read-only"},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			f := serve(t)
			s := open(t, f.options(), bucket, remote.Options{})
			f.with(func(w http.ResponseWriter, r *http.Request) bool {
				return r.Method == http.MethodPut && answers(w, c.status, code)
			})
			wantError(t, put(t, s, "v/a", "x"), spool.Environment, c.want)
			f.with(nil)
			if err := put(t, s, "v/a", "x"); err != nil {
				t.Errorf("when that is mended: %v", err)
			}
		})
	}
}

func TestCredentialsAreReadAgainWhenRefused(t *testing.T) {
	t.Parallel()
	options := hosttest.S3(t)
	wrong := map[string]string{}
	for k, v := range options {
		wrong[k] = v
	}
	wrong["secret_access_key"] = "CANARY"
	now := wrong
	o := remote.Options{Remotes: func() (remote.Remotes, error) { return remote.Remotes{"there": now}, nil }}
	_, err := try(t, nil, hosttest.Bucket, o)
	wantError(t, err, spool.Environment, "dest-refused")

	now = options
	s := open(t, nil, hosttest.Bucket, o)
	now = wrong
	if err := put(t, s, "v/a", "x"); err != nil { // the connection is as it was
		t.Fatal(err)
	}
}

func TestThereIsNoBucket(t *testing.T) {
	t.Parallel()
	_, err := try(t, hosttest.S3(t), "other/dest", remote.Options{})
	wantError(t, err, spool.Environment, "no-bucket")
}

func TestServerIsAway(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, place := range []string{bucket, bucket + "/dest"} {
		_, err := try(t, map[string]string{"type": "s3", "provider": "Other", "endpoint": gone.URL, "access_key_id": "a", "secret_access_key": "b"}, place, remote.Options{})
		e := wantError(t, err, spool.Environment, "dest-away")
		if !strings.Contains(e.Reason, "connection refused") {
			t.Errorf("%q does not say why", e.Reason)
		}
	}
}

// What fails at the first word is no less a passing fault than later.
func TestServerIsBusyAtFirst(t *testing.T) {
	t.Parallel()
	f := serve(t)
	asked := 0
	f.with(func(w http.ResponseWriter, _ *http.Request) bool {
		asked++
		return asked <= 2 && answers(w, http.StatusServiceUnavailable, "SlowDown")
	})
	open(t, f.options(), bucket+"/dest", remote.Options{})
	f.with(func(w http.ResponseWriter, _ *http.Request) bool {
		return answers(w, http.StatusServiceUnavailable, "SlowDown")
	})
	_, err := try(t, f.options(), bucket+"/dest", remote.Options{})
	wantError(t, err, spool.Environment, "dest-busy")
}

func TestTokenTellsStoresApart(t *testing.T) {
	t.Parallel()
	f := serve(t)
	one := open(t, f.options(), bucket+"/one", remote.Options{})
	if again := open(t, f.options(), bucket+"/one", remote.Options{Token: one.Token()}); again.Token() != one.Token() || one.Token() == "" {
		t.Errorf("tokens %q, %q", one.Token(), again.Token())
	}
	open(t, f.options(), bucket+"/two", remote.Options{})
	_, err := try(t, f.options(), bucket+"/two", remote.Options{Token: one.Token()})
	wantError(t, err, spool.Environment, "dest-another")
	for info := range one.List(t.Context(), "") {
		t.Errorf("the list shows %s", info.Name)
	}
}

// What is too large for one request goes in parts. Those of a put that breaks
// off do not stay.
func TestLargeObjects(t *testing.T) {
	t.Parallel()
	f := serve(t)
	s := open(t, f.options("upload_cutoff", "5Mi", "chunk_size", "5Mi"), bucket, remote.Options{})
	large := bytes.Repeat([]byte("spool"), 12<<20/5)
	if err := s.Put(t.Context(), "v/large", bytes.NewReader(large), store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	f.with(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("partNumber") != "2" {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body) // so that the answer is read
		return answers(w, http.StatusForbidden, "QuotaExceeded")
	})
	wantError(t, s.Put(t.Context(), "v/broken", bytes.NewReader(large), store.PutOptions{}), spool.Environment, "no-space")
	r := httptest.NewRecorder()
	f.server.ServeHTTP(r, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+bucket+"?uploads", nil))
	if strings.Contains(r.Body.String(), "<UploadId>") || !strings.Contains(r.Body.String(), "ListMultipartUploadsResult") {
		t.Errorf("uploads left: %s", r.Body)
	}
}

func TestVerifyReadReadsBack(t *testing.T) {
	t.Parallel()
	f := serve(t)
	for _, c := range []struct {
		name string
		o    remote.Options
		want bool
	}{{"sum", remote.Options{}, false}, {"read", remote.Options{VerifyRead: true}, true}} {
		s := open(t, f.options(), bucket, c.o)
		if err := put(t, s, c.name, "x"); err != nil {
			t.Fatal(err)
		}
		read := func(request string) bool { return strings.HasPrefix(request, "GET /"+bucket+"/"+c.name) }
		if got := slices.ContainsFunc(f.asked, read); got != c.want {
			t.Errorf("%s: read back: %v", c.name, got)
		}
	}
}

// The checksum that a server with a shell makes is used.
func TestSFTPChecksum(t *testing.T) {
	t.Parallel()
	options, folder := hosttest.SSH(t)
	s := open(t, options, folder, remote.Options{})
	if err := put(t, s, "v/a", "x"); err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{folder + "/file", "/proc/spool"} {
		if place != "/proc/spool" {
			if err := put(t, s, "file", "x"); err != nil {
				t.Fatal(err)
			}
		}
		_, err := try(t, options, place, remote.Options{})
		if e := spool.AsError(err); err == nil || e.Hint == "" {
			t.Errorf("%s as a destination: %v", place, err)
		}
	}
}

// A server with a shell is asked by several puts at once.
func TestSFTPChecksumOfSeveral(t *testing.T) {
	t.Parallel()
	options, folder := hosttest.SSH(t)
	s := open(t, options, folder+"/dest", remote.Options{})
	var putting sync.WaitGroup
	for i := range 4 {
		putting.Go(func() {
			if err := put(t, s, fmt.Sprintf("v/%d", i), "x"); err != nil {
				t.Error(err)
			}
		})
	}
	putting.Wait()
}
