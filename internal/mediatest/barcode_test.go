package mediatest_test

import (
	"testing"

	"github.com/spool-video/spool/internal/mediatest"
)

func TestBarcodesAreReadBack(t *testing.T) {
	path := mediatest.Barcode{Frames: 70, Rate: "30000/1001"}.Make(t)
	got := mediatest.ReadBarcodes(t, path)
	if len(got) != 70 {
		t.Fatalf("%d frames, want 70", len(got))
	}
	for i, n := range got {
		if n != i {
			t.Fatalf("frame %d shows %d", i, n)
		}
	}
}

func TestFlashMeetsBeep(t *testing.T) {
	path := mediatest.FlashBeep{Seconds: 3}.Make(t)
	flashes, beeps := mediatest.Flashes(t, path), mediatest.Beeps(t, path)
	if len(flashes) != 3 || len(beeps) != 3 {
		t.Fatalf("flashes %v, beeps %v", flashes, beeps)
	}
	for i := range beeps {
		if d := beeps[i] - float64(flashes[i])/25; d < -0.002 || d > 0.002 {
			t.Errorf("beep %d is %.4f s after its flash", i, d)
		}
	}
}
