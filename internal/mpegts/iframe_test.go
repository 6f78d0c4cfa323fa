package mpegts

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/mediatest"
)

// TestIFrames: each key frame is a stream by itself, of one picture.
func TestIFrames(t *testing.T) {
	c := film(t, pictures)
	segment, err := Pictures(c.track.Config, c.track.Timescale, c.gops)
	if err != nil {
		t.Fatal(err)
	}
	found, err := IFrames(segment)
	if err != nil || len(found) != 3 || found[0].Frame != 0 || found[1].Frame != 12 || found[2].Frame != 24 {
		t.Fatalf("%+v, %v", found, err)
	}
	for _, i := range found {
		still, err := Still(segment, i)
		if err != nil {
			t.Fatal(err)
		}
		out := mediatest.FFmpeg(t, "-xerror", "-f", "mpegts", "-i", file(t, still), "-f", "framecrc", "pipe:1")
		if n := strings.Count(string(out), "\n0,"); n != 1 {
			t.Errorf("the I-frame at picture %d has %d pictures", i.Frame, n)
		}
	}
	first, err := First(c.track.Config, segment[:found[1].Offset+4*packetSize])
	whole, readErr := ReadPictures(c.track.Config, segment)
	if err = errors.Join(err, readErr); err != nil || !bytes.Equal(first, whole[0].Data) {
		t.Errorf("the first picture of a start is another: %v", err)
	}
	if _, err := First(c.track.Config, segment[:3*packetSize]); !errors.Is(err, ErrUnfit) {
		t.Errorf("of a start that is too short: %v", err)
	}
}
