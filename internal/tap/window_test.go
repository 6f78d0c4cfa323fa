package tap_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/tap"
)

func TestWindow(t *testing.T) {
	// Three groups of four in decoding order I P B B, 10 bytes each; the second
	// group lies behind the third.
	var track tap.Track
	for group, at := range []int64{1000, 3000, 2000} {
		for i, shown := range []int64{0, 3, 1, 2} {
			n := int64(group*4 + i)
			track.Samples = append(track.Samples, tap.Sample{
				DTS: n - 2, PTS: int64(group*4) + shown, Pos: at + int64(10*i), Size: 10, Duration: 1, Key: i == 0,
			})
		}
	}
	short := track
	short.Samples = track.Samples[:12]
	for range 30 { // beyond what is shown
		last := track.Samples[len(track.Samples)-1]
		last.DTS, last.PTS, last.Pos, last.Key = last.DTS+1, last.DTS+3, last.Pos+10, false
		track.Samples = append(track.Samples, last)
	}
	for _, c := range []struct {
		track      tap.Track
		seek, last int64
		want       spool.Span
	}{
		{track, tap.Start, 3, span(1000, 3040)}, // samples 0 to 3 and 20 more, the highest of which is the eighth
		{track, 8, 8, span(2000, 2000+40+10*17)},
		{track, 9, 9, span(2000, 2000+40+10*19)}, // 9 is decoded as the third of its group
		{track, 5, 6, span(2000, 3040)},          // from 4 on, with what lies between
		{short, 8, 11, span(2000, 2040)},         // the end of the track
		{short, 8, 1000, span(2000, 2040)},
		{tap.Track{}, 0, 10, spool.Span{}},
	} {
		if got := c.track.Window(c.seek, c.last); got != c.want {
			t.Errorf("window of %d to %d: %v, want %v", c.seek, c.last, got, c.want)
		}
	}
	if got := short.Bytes(1, 3); got != span(1010, 1030) {
		t.Errorf("bytes of two packets: %v", got)
	}
	if got := short.Bytes(-5, 100); got != span(1000, 3040) {
		t.Errorf("bytes of all packets: %v", got)
	}
}

// TestWindowsSuffice: ffmpeg decodes a part of a source of which it has only
// what is kept, of all parts, and the part's window.
func TestWindowsSuffice(t *testing.T) {
	server := start(t)
	var taps tap.Taps
	film := mediatest.Barcode{Frames: 200, Width: 320, Height: 180, Audio: true, Filter: "noise=alls=60:allf=t", Codec: mediatest.X264("-g", "25", "-qp", "32")}
	for _, args := range [][]string{nil, {"-movflags", "+faststart"}} {
		film.Args = args
		file, err := os.ReadFile(film.Make(t))
		if err != nil {
			t.Fatal(err)
		}
		s := taps.Open("a", bytes.NewReader(file), int64(len(file)))
		box := moov(t, file)
		m, err := tap.ReadMovie(box, s.Size())
		if err != nil || m.Tracks[0].Err != nil {
			t.Fatal(err, m.Tracks[0].Err)
		}
		s.Arrived(spool.Spans{span(0, int64(len(file)))})
		keep, err := tap.Keep(t.Context(), s)
		at := int64(bytes.Index(file, box))
		if err != nil || !keep.Has(span(at, at+int64(len(box)))) || !keep.Has(span(0, 4096)) || keep.Len() > int64(len(file))/4 {
			t.Fatalf("kept is %v of %d bytes, the moov box lies at %d: %v", keep, len(file), at, err)
		}
		track := &m.Tracks[0]
		const frame = 512 // ticks
		for _, part := range []struct{ seek, first, last int64 }{{0, 0, 40}, {75, 100, 120}, {125, 149, 150}, {175, 180, 199}} {
			have := keep.Add(track.Window(part.seek*frame, part.last*frame))
			s.Arrived(have)
			url, closeURL := server.Open(s)
			graph := fmt.Sprintf("[0:0]trim=start_pts=%d:end_pts=%d[v]", part.first*frame, part.last*frame+1)
			out := mediatest.FFmpeg(t, "-protocol_whitelist", "http,tcp,pipe", "-copyts", "-noaccurate_seek", "-seek_timestamp", "1",
				"-ss", fmt.Sprintf("%.6f", float64(part.seek)/25), "-threads", "2", "-recv_buffer_size", "65536", "-i", url,
				"-filter_complex", graph, "-map", "[v]", "-fps_mode", "passthrough", "-f", "framemd5", "pipe:1")
			closeURL()
			if n := bytes.Count(out, []byte("\n0,")); n != int(part.last-part.first+1) {
				t.Errorf("%v of a film with %v, %d of %d bytes: %d frames", part, args, have.Len(), len(file), n)
			}
			if have.Len() > int64(len(file))*2/3 {
				t.Errorf("%v: the window is %d of %d bytes", part, have.Len(), len(file))
			}
		}
	}
}
