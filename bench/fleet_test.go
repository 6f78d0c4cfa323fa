package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Two slots are watched for 10 s from the first half chunk on: one is idle for
// 3 s of them.
func TestBusySlots(t *testing.T) {
	h := hiring{workers: 2, slots: 1, takes: 2 * time.Second}
	at := func(from, to float64) span { return span{int64(from * 1e9), int64(to * 1e9)} }
	d := done{Chunks: []span{at(0, 4), at(0, 8), at(7, 11), at(8, 11), at(11, 20)}}
	if busy := d.busy(h); busy < 0.849 || busy > 0.851 {
		t.Errorf("busy for %.3f of the time, want 0.850", busy)
	}
}

func TestSyncsOfTheLedgerAreCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "syncs")
	text := "12 fdatasync(7</x/ledger.db-wal>) = 0\n" +
		"12 fsync(9</x/api-token>) = 0\n" +
		"13 fsync(7</x/ledger.db> <unfinished ...>\n12 fsync(8</x/to>) = 0\n13 <... fsync resumed>) = 0\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := (&service{traced: path}).syncs(); n != 2 || err != nil {
		t.Errorf("%d syncs, %v; want 2", n, err)
	}
}
