package tap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/tap"
)

func start(t *testing.T) *tap.Server {
	t.Helper()
	var s tap.Server
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return &s
}

// ask makes one request; its body is read to its end.
func ask(t *testing.T, method, url, ranges string) (*http.Response, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ranges != "" {
		r.Header.Set("Range", ranges)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return resp, string(body), err
}

func TestServerAnswers(t *testing.T) {
	server := start(t)
	var taps tap.Taps
	s := taps.Open("a", bytes.NewReader([]byte("0123456789")), 10)
	s.Arrived(spool.Spans{span(0, 10)})
	url, closeURL := server.Open(s)
	if !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Fatalf("url %s", url)
	}
	for _, c := range []struct {
		method, ranges, body, contentRange string
		status                             int
	}{
		{"GET", "", "0123456789", "", 200},
		{"HEAD", "", "", "", 200},
		{"GET", "bytes=0-", "0123456789", "bytes 0-9/10", 206},
		{"GET", "bytes=4-", "456789", "bytes 4-9/10", 206},
		{"GET", "bytes=4-6", "456", "bytes 4-6/10", 206},
		{"GET", "bytes=4-600", "456789", "bytes 4-9/10", 206},
		{"GET", "bytes=-3", "789", "bytes 7-9/10", 206},
		{"HEAD", "bytes=4-6", "", "bytes 4-6/10", 206},
		{"GET", "bytes=10-", "beyond the end\n", "bytes */10", 416},
		{"GET", "bytes=-0", "beyond the end\n", "bytes */10", 416},
		{"GET", "bytes=1-2,4-5", "0123456789", "", 200},
		{"GET", "bytes=6-4", "0123456789", "", 200},
		{"GET", "bytes=+1-2", "0123456789", "", 200},
		{"GET", "lines=1-2", "0123456789", "", 200},
		{"POST", "", "only GET and HEAD\n", "", 405},
	} {
		resp, body, err := ask(t, c.method, url, c.ranges)
		if err != nil || resp.StatusCode != c.status || body != c.body || resp.Header.Get("Content-Range") != c.contentRange {
			t.Errorf("%s %q: %d %q %q, %v", c.method, c.ranges, resp.StatusCode, body, resp.Header.Get("Content-Range"), err)
		}
		if c.status < 400 && (resp.Header.Get("Accept-Ranges") != "bytes" || resp.ContentLength <= 0) {
			t.Errorf("%s %q: header %v, length %d", c.method, c.ranges, resp.Header, resp.ContentLength)
		}
	}
	root := url[:strings.LastIndex(url, "/")+1]
	for _, other := range []string{root, root + "x", url + "/", url + "x", root + "../etc/passwd"} {
		if resp, _, _ := ask(t, "GET", other, ""); resp.StatusCode != 404 {
			t.Errorf("%s: %d", other, resp.StatusCode)
		}
	}
	closeURL()
	closeURL()
	if resp, _, _ := ask(t, "GET", url, ""); resp.StatusCode != 404 {
		t.Errorf("after close: %d", resp.StatusCode)
	}
}

func TestServerWithoutASize(t *testing.T) {
	server := start(t)
	var taps tap.Taps
	s := taps.Open("a", bytes.NewReader([]byte("0123456789")), -1)
	url, closeURL := server.Open(s)
	defer closeURL()
	go func() {
		for to := int64(1); to <= 10; to++ {
			untilWanted(s, to-1)
			s.Arrived(spool.Spans{span(0, to)})
		}
		s.End(nil)
	}()
	resp, body, err := ask(t, "GET", url, "bytes=4-")
	if err != nil || resp.StatusCode != 200 || body != "0123456789" || resp.Header.Get("Accept-Ranges") != "none" || resp.ContentLength != -1 {
		t.Errorf("%d %q %v %v", resp.StatusCode, body, resp.Header, err)
	}
}

// untilWanted waits until a reader waits for the byte at from.
func untilWanted(s *tap.Source, from int64) {
	for {
		changed := s.WantChanged()
		if all := s.Wants(); len(all) > 0 && all[0].From == from {
			return
		}
		<-changed
	}
}

// TestServerCuts: what does not arrive is never the end of a body.
func TestServerCuts(t *testing.T) {
	server := start(t)
	var taps tap.Taps
	for _, size := range []int64{10, -1} {
		s := taps.Open("a", bytes.NewReader([]byte("0123456789")), size)
		s.Arrived(spool.Spans{span(0, 5)})
		url, closeURL := server.Open(s)
		go func() {
			untilWanted(s, 5)
			s.End(errors.New("boom"))
		}()
		if _, body, err := ask(t, "GET", url, ""); err == nil {
			t.Errorf("size %d: body %q ends well", size, body)
		}
		if resp, _, _ := ask(t, "GET", url, ""); resp.StatusCode != 502 {
			t.Errorf("size %d: %d for a source that broke", size, resp.StatusCode)
		}
		closeURL()
	}
}

// TestServerEnds: neither a reader that waits nor one that does not read holds
// up the end, and a reader that goes away wants nothing any more.
func TestServerEnds(t *testing.T) {
	var server tap.Server
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	var taps tap.Taps
	big := bytes.NewReader(make([]byte, 32<<20))
	s := taps.Open("a", big, big.Size())
	s.Arrived(spool.Spans{span(0, 32<<20-1)})
	url, closeURL := server.Open(s)

	ctx, cancel := context.WithCancel(t.Context())
	gone := hold(t, ctx, url, fmt.Sprintf("bytes=%d-", 32<<20-1))
	if w := wanted(t, s); w != span(32<<20-1, 32<<20) {
		t.Errorf("wanted %v", w)
	}
	cancel()
	<-gone
	for {
		changed := s.WantChanged()
		if len(s.Wants()) == 0 {
			break
		}
		<-changed
	}

	idle, err := net.Dial("tcp", strings.TrimPrefix(url[:strings.LastIndex(url, "/")], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = idle.Close() }()
	if _, err := fmt.Fprintf(idle, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", url[strings.LastIndex(url, "/"):]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(idle, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	waits := hold(t, t.Context(), url, fmt.Sprintf("bytes=%d-", 32<<20-1))
	wanted(t, s)
	closeURL()
	<-waits
	server.Stop()
	server.Stop()
}

// hold reads from an address until that ends.
func hold(t *testing.T, ctx context.Context, url, ranges string) <-chan struct{} {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
		if err != nil {
			return
		}
		r.Header.Set("Range", ranges)
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		if resp, err := client.Do(r); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	}()
	return done
}

// watched is a file that tells how far it was read.
type watched struct{ to chan int64 }

func (w watched) ReadAt(p []byte, off int64) (int, error) {
	w.to <- off + int64(len(p))
	return len(p), nil
}

// TestServerIsNotFarAhead: where the server has come to says what a program
// wants, since little is read ahead of one that does not read.
func TestServerIsNotFarAhead(t *testing.T) {
	server := start(t)
	var taps tap.Taps
	file := watched{make(chan int64)}
	s := taps.Open("a", file, 1<<30)
	s.Arrived(spool.Spans{span(0, 1<<30)})
	url, closeURL := server.Open(s)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url[:strings.LastIndex(url, "/")], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", url[strings.LastIndex(url, "/"):]); err != nil {
		t.Fatal(err)
	}
	read := int64(0)
	for quiet := false; !quiet; {
		select {
		case read = <-file.to:
		case <-time.After(200 * time.Millisecond):
			quiet = true
		}
		if read > 64<<20 {
			t.Fatal("the server reads on and on")
		}
	}
	t.Logf("%d kB ahead", read>>10)
	if read > 1<<20 {
		t.Errorf("%d bytes were read for a program that takes none", read)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		closeURL()
	}()
	for {
		select {
		case <-file.to:
			continue
		case <-done:
		}
		break
	}
}
