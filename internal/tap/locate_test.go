package tap_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/tap"
)

func TestLocate(t *testing.T) {
	for _, film := range []mediatest.Barcode{
		{Frames: 20},
		{Frames: 20, Args: []string{"-movflags", "+faststart"}},
		{Frames: 20, Name: "s.mov"},
	} {
		file, err := os.ReadFile(film.Make(t))
		if err != nil {
			t.Fatal(err)
		}
		m, err := tap.Locate(t.Context(), tap.File(bytes.NewReader(file), int64(len(file))))
		if err != nil || len(m.Tracks) != 1 || len(m.Tracks[0].Samples) != 20 {
			t.Errorf("%+v: %v", film, err)
		}
		// As long as its moov box is not whole, there is none.
		end := bytes.Index(file, []byte("moov")) + 100
		for _, n := range []int{0, 4, 8, 40, end} {
			if _, err := tap.Locate(t.Context(), tap.File(bytes.NewReader(file[:n]), int64(n))); !errors.Is(err, tap.ErrUnsupported) {
				t.Errorf("%d bytes of %+v: %v", n, film, err)
			}
		}
	}
	for _, file := range []string{"not an MP4 file at all", "\x00\x00\x00\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff", "\x00\x00\x00\x00mdat", "\x7f\xff\xff\xffmoov"} {
		if _, err := tap.Locate(t.Context(), tap.File(bytes.NewReader([]byte(file)), int64(len(file)))); !errors.Is(err, tap.ErrUnsupported) {
			t.Errorf("%q: %v", file, err)
		}
	}
}

// A moov box at the end of a file that is arriving is asked for before the
// rest.
func TestLocateInASourceThatArrives(t *testing.T) {
	file, err := os.ReadFile(mediatest.Barcode{Frames: 20}.Make(t))
	if err != nil {
		t.Fatal(err)
	}
	var taps tap.Taps
	s := taps.Open("s.mp4", bytes.NewReader(file), int64(len(file)))
	s.Arrived(spool.Spans{{From: 0, To: 64}})
	moov := int64(bytes.Index(file, []byte("moov"))) - 4
	done := make(chan error, 1)
	go func() {
		_, err := tap.Locate(t.Context(), s)
		done <- err
	}()
	untilWanted(s, moov)
	s.Arrived(spool.Spans{{From: 0, To: 64}, {From: moov, To: int64(len(file))}})
	if err := <-done; err != nil {
		t.Error(err)
	}
	s.Arrived(nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := tap.Locate(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled: %v", err)
	}
}
