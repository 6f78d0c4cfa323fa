package encode_test

import (
	"os"
	"slices"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/tap"
)

// A chunk is copied and encoded of a source of which only its own bytes and
// the index are here.
func TestCopyOfASourceThatArrives(t *testing.T) {
	path := mediatest.Barcode{Frames: 250, Width: 320, Height: 180, Codec: x264("-g", "50", "-crf", "10"), Args: []string{"-movflags", "+faststart"}}.Make(t)
	s, h := planned(t, path), newHouse(t)
	if s.plan.Rungs[0].Action != spool.CopyRung || len(s.plan.Chunks) < 2 {
		t.Fatalf("%+v, %+v", s.plan.Rungs, s.plan.Grid)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() }) // it was only read
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	desk := &tap.Desk{}
	if err := desk.Server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(desk.Server.Stop)
	source := desk.Taps.Open(path, file, info.Size())
	h.stage.Sources = desk
	to, _ := place(t, path, min(s.plan.Chunks[0].Frames+20, 249))
	source.Arrived(spool.Spans{{From: 0, To: to}})
	r, err := h.stage.Run(t.Context(), s.job(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, rung := range s.plan.Rungs {
		if got := mediatest.ReadBarcodes(t, h.rendition(t, *r.Made, rung.Name)); !slices.Equal(got, s.want()[:s.plan.Chunks[0].Frames]) {
			t.Errorf("%s shows %v", rung.Name, got)
		}
	}
}
