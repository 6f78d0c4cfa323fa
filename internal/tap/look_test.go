package tap_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/tap"
)

func TestLook(t *testing.T) {
	for _, c := range []struct {
		film mediatest.Barcode
		want tap.Container
	}{
		{mediatest.Barcode{Frames: 10}, tap.MP4},
		{mediatest.Barcode{Frames: 10, Name: "a.mov", Args: []string{"-movflags", "+faststart"}}, tap.MP4},
		{mediatest.Barcode{Frames: 10, Args: []string{"-movflags", "+frag_keyframe+empty_moov"}}, tap.Fragmented},
		{mediatest.Barcode{Frames: 10, Args: []string{"-movflags", "+frag_keyframe"}}, tap.Fragmented},
		{mediatest.Barcode{Frames: 10, Args: []string{"-movflags", "+dash"}}, tap.Fragmented},
		{mediatest.Barcode{Frames: 10, Name: "a.mkv"}, tap.Matroska},
		{mediatest.Barcode{Frames: 10, Name: "a.ts"}, tap.MPEGTS},
		{mediatest.Barcode{Frames: 10, Name: "a.avi"}, tap.Other},
	} {
		file, err := os.ReadFile(c.film.Make(t))
		if err != nil {
			t.Fatal(err)
		}
		whole := tap.File(bytes.NewReader(file), int64(len(file)))
		got, err := tap.Look(t.Context(), whole)
		if err != nil || got.Container != c.want {
			t.Errorf("%+v: %+v, %v", c.film, got, err)
		}
		if c.want == tap.MP4 {
			if box := moov(t, file); got.Moov.Len() != int64(len(box)) || !bytes.Equal(file[got.Moov.From:got.Moov.To], box) {
				t.Errorf("%+v: moov at %v", c.film, got.Moov)
			}
		}
		if m, err := tap.Plannable(t.Context(), whole); (err == nil) != (c.want == tap.MP4) || err != nil && !errors.Is(err, tap.ErrUnsupported) {
			t.Errorf("%+v: %v, %v", c.film, m, err)
		}
	}
}

func TestLookRefuses(t *testing.T) {
	long := make([]byte, 8192)
	copy(long, "\x00\x00\x00\x10ftypisom\x00\x00\x00\x00\x00\x00\x00\x00mdat")
	for _, c := range []struct {
		file    string
		refused bool
		want    tap.Container
	}{
		{"<html>no video", true, ""},
		{"", true, ""},
		{"\x00\x00\x00\x10ftypisom", false, tap.Other},
		{string(long), false, tap.Other}, // the media goes to the end of the file
		{"\x00\x00\x00\x08free\x00\x00\x00\x07moov", false, tap.Other},
		{"\x00\x00\x00\x10moov\x00\x00\x00\x00mvex", false, tap.MP4},
	} {
		got, err := tap.Look(t.Context(), tap.File(bytes.NewReader([]byte(c.file)), int64(len(c.file))))
		var refusal *spool.Error
		if errors.As(err, &refusal) != c.refused || !c.refused && err != nil || got.Container != c.want {
			t.Errorf("%.20q: %+v, %v", c.file, got, err)
		}
	}
}

// TestLookWantsTheTail: of an arriving file whose moov box comes last, the head
// and then that box are wanted, and nothing of the media between.
func TestLookWantsTheTail(t *testing.T) {
	file, err := os.ReadFile(mediatest.Barcode{Frames: 200, Width: 320, Height: 180, Codec: mediatest.X264("-qp", "1")}.Make(t))
	if err != nil {
		t.Fatal(err)
	}
	at := int64(bytes.Index(file, moov(t, file)))
	if at < 2*4096 {
		t.Fatalf("only %d bytes of media", at)
	}
	var taps tap.Taps
	s := taps.Open("a", bytes.NewReader(file), int64(len(file)))
	type answer struct {
		movie *tap.Movie
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		m, err := tap.Plannable(t.Context(), s)
		done <- answer{m, err}
	}()
	untilWanted(s, 0)
	have := spool.Spans{span(0, 4096)}
	s.Arrived(have)
	untilWanted(s, at)
	have = have.Add(span(at, at+100))
	s.Arrived(have)
	untilWanted(s, at+100+binaryNext(file[at:], 100))
	s.Arrived(have.Add(span(at, int64(len(file)))))
	got := <-done
	if got.err != nil || len(got.movie.Tracks[0].Samples) != 200 {
		t.Errorf("%+v", got)
	}
}

// binaryNext is how far behind an offset the next box of a moov box begins
// whose header is not before it.
func binaryNext(moov []byte, offset int) int64 {
	at := 8
	for at < offset {
		at += int(binary.BigEndian.Uint32(moov[at:]))
	}
	return int64(at - offset)
}

func TestPlannableEnds(t *testing.T) {
	var taps tap.Taps
	boom := errors.New("boom")
	s := taps.Open("a", bytes.NewReader([]byte("\x00\x00\x00\x10ftypisom")), 1<<20)
	s.Arrived(spool.Spans{span(0, 12)})
	done := make(chan error, 1)
	ask := func(ctx context.Context) {
		_, err := tap.Plannable(ctx, s)
		done <- err
	}
	ctx, cancel := context.WithCancel(t.Context())
	go ask(ctx)
	untilWanted(s, 12)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	go ask(t.Context())
	untilWanted(s, 12)
	s.End(boom)
	if err := <-done; !errors.Is(err, boom) {
		t.Errorf("broken: %v", err)
	}
}
