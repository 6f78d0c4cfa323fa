package tap_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/process"
	"github.com/spool-video/spool/internal/tap"
)

// deliver lets a file arrive as a download would: its tail first, then from
// the front, but always first what is wanted; until all is there or ctx ends.
func deliver(ctx context.Context, s *tap.Source, size, piece int64) {
	have := spool.Spans{}.Add(span(size-size/8, size))
	s.Arrived(have)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for have.Len() < size {
		select {
		case <-ctx.Done():
			s.End(ctx.Err())
			return
		case <-tick.C:
		}
		next := have.Missing(span(0, size))
		if all := s.Wants(); len(all) > 0 {
			next = all[0]
		}
		next.To = min(next.To, next.From+piece)
		have = have.Add(next)
		s.Arrived(have)
	}
	s.End(nil)
}

// arriving makes a film and a source that it arrives by.
func arriving(t *testing.T, taps *tap.Taps, film mediatest.Barcode) (*tap.Source, int64) {
	t.Helper()
	path := film.Make(t)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return taps.Open(path, file, info.Size()), info.Size()
}

func decode(ctx context.Context, url string, more ...string) (frames int, err error) {
	args := append([]string{"-nostdin", "-v", "error", "-protocol_whitelist", "http,tcp"}, more...)
	args = append(args, "-i", url, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "pipe:1")
	out, err := process.Run(ctx, process.Command{Path: "ffmpeg", Args: args})
	return strings.Count(string(out), "\n0,"), err
}

func TestFFmpegReadsWhatArrives(t *testing.T) {
	server := start(t)
	var taps tap.Taps
	for _, c := range []struct {
		film mediatest.Barcode
		from float64
		want int
	}{
		{film: mediatest.Barcode{Frames: 75, Audio: true, Args: []string{"-movflags", "+faststart"}}, want: 75},
		{film: mediatest.Barcode{Frames: 75, Audio: true}, want: 75},
		{film: mediatest.Barcode{Frames: 75, Audio: true, Codec: mediatest.X264("-g", "10")}, from: 1.6, want: 35},
	} {
		s, size := arriving(t, &taps, c.film)
		url, closeURL := server.Open(s)
		done := make(chan struct{})
		go func() {
			defer close(done)
			deliver(t.Context(), s, size, max(size/200, 16))
		}()
		var more []string
		if c.from > 0 {
			more = []string{"-ss", fmt.Sprint(c.from)}
		}
		if n, err := decode(t.Context(), url, more...); n != c.want || err != nil {
			t.Errorf("%s: %d frames, want %d; %v", filepath.Base(s.Path()), n, c.want, err)
		}
		closeURL()
		<-done
	}
}

// TestFFmpegSeesTheCut: a download that broke is an error of whoever reads it.
func TestFFmpegSeesTheCut(t *testing.T) {
	server := start(t)
	var taps tap.Taps
	for _, name := range []string{"a.mp4", "a.mkv", "a.ts"} {
		for _, known := range []bool{true, false} {
			s, size := arriving(t, &taps, mediatest.Barcode{Name: name, Frames: 75, Args: []string{"-movflags", "+faststart"}})
			if !known {
				s.Sized(-1)
			}
			s.Arrived(spool.Spans{span(0, size*2/3)})
			url, closeURL := server.Open(s)
			go func() {
				untilWanted(s, size*2/3)
				s.End(errors.New("boom"))
			}()
			n, err := decode(t.Context(), url, "-xerror", "-seekable", "0")
			if err == nil {
				t.Errorf("%s, size known: %v: %d frames and no error", name, known, n)
			}
			closeURL()
		}
	}
}

func TestFFmpegIsCancelled(t *testing.T) {
	server := start(t)
	var taps tap.Taps
	s, size := arriving(t, &taps, mediatest.Barcode{Frames: 75, Args: []string{"-movflags", "+faststart"}})
	s.Arrived(spool.Spans{span(0, size*2/3)})
	url, closeURL := server.Open(s)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := decode(ctx, url)
		done <- err
	}()
	if w := wanted(t, s); w.From > size*2/3 {
		t.Errorf("wanted %v", w)
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("no error")
	}
	closeURL()
	if len(s.Wants()) > 0 {
		t.Error("something is wanted after the address was closed")
	}
}
