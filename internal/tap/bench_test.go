package tap_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/tap"
)

// feature makes the moov box of a film of two hours, 24 pictures a second with
// B-frames and sound.
func feature(b *testing.B) (box []byte, size int64) {
	b.Helper()
	path := film{
		name: "feature.mp4", args: "-stream_loop 119 -i SRC -map 0 -c copy",
		from: "-f lavfi -i color=s=32x32:r=24:d=60 -f lavfi -i sine=r=48000:d=60 " + quick + "-c:a aac",
	}.make(b)
	file, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return moov(b, file), int64(len(file))
}

func BenchmarkReadMovie(b *testing.B) {
	box, size := feature(b)
	b.SetBytes(int64(len(box)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := tap.ReadMovie(box, size)
		if err != nil || m.Tracks[0].Err != nil || len(m.Tracks[0].Samples) < 120*60*24 {
			b.Fatal(err, m.Tracks[0].Err)
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	box, size := feature(b)
	m, err := tap.ReadMovie(box, size)
	if err != nil {
		b.Fatal(err)
	}
	facts := spool.Facts{
		Video: &spool.VideoStream{Codec: "h264", TimeBase: m.Tracks[0].TimeBase},
		Audio: []spool.AudioStream{{Index: 1, Codec: "aac", TimeBase: m.Tracks[1].TimeBase, SampleRate: 48000}},
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Index(facts); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWindow is one chunk of 18 seconds in the middle.
func BenchmarkWindow(b *testing.B) {
	box, size := feature(b)
	m, err := tap.ReadMovie(box, size)
	if err != nil {
		b.Fatal(err)
	}
	t := &m.Tracks[0]
	middle := t.Samples[len(t.Samples)/2].PTS
	for b.Loop() {
		if t.Window(middle, middle+18*t.TimeBase.Den).Len() == 0 {
			b.Fatal("empty")
		}
	}
}

// BenchmarkServer is one program that reads 64 MB which are here.
func BenchmarkServer(b *testing.B) {
	const size = 64 << 20
	var server tap.Server
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	defer server.Stop()
	var taps tap.Taps
	s := taps.Open("a", bytes.NewReader(make([]byte, size)), size)
	s.Arrived(spool.Spans{span(0, size)})
	url, closeURL := server.Open(s)
	defer closeURL()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	b.SetBytes(size)
	for b.Loop() {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
			b.Fatal(n, err)
		}
		_ = resp.Body.Close()
	}
}
