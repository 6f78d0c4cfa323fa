package download

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

func newPart(t *testing.T) (p *part, again func() *part) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "source")
	u, err := quick().parse("http://host/v")
	if err != nil {
		t.Fatal(err)
	}
	open := func() *part {
		p, err := openNamed(path, identity(u), u)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	return open(), open
}

// Bytes in any order, with checkpoints and crashes in between, make the file
// and its hash; what was durable is there after a crash, and no more.
func TestPartInAnyOrder(t *testing.T) {
	const pieces = 64
	r := rand.New(rand.NewPCG(3, 4))
	body := source(200_000)
	for range 20 {
		p, again := newPart(t)
		p.Length = int64(len(body))
		cuts := []int{0, len(body)}
		for range pieces {
			cuts = append(cuts, r.IntN(len(body)))
		}
		var saved spool.Spans
		for i := 0; !p.complete(); i = (i + 1) % 1000 {
			from, to := cuts[r.IntN(len(cuts))], cuts[r.IntN(len(cuts))]
			if _, err := p.put(body[min(from, to):max(from, to)], int64(min(from, to))); err != nil {
				t.Fatal(err)
			}
			switch r.IntN(6) {
			case 0:
				if err := p.checkpoint(); err != nil {
					t.Fatal(err)
				}
				saved = p.spans()
			case 1: // a crash
				_ = p.file.Close()
				if p = again(); !p.spans().Has(spool.Span{To: saved.After(0)}) || p.held() != saved.Len() {
					t.Fatalf("after a crash there is %v, durable was %v", p.spans(), saved)
				}
				p.Length = int64(len(body))
			}
		}
		res, err := p.publish()
		if err != nil || res.SHA256 != sum(body) || res.Size != int64(len(body)) {
			t.Fatalf("publish = %+v, %v", res, err)
		}
		got, err := os.ReadFile(p.path)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("the file is another one, %v", err)
		}
		if err := p.close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Bytes that are here are compared with those that come in their place.
func TestPartComparesWhatMeets(t *testing.T) {
	p, _ := newPart(t)
	body := source(1000)
	if _, err := p.put(body[100:200], 100); err != nil {
		t.Fatal(err)
	}
	if known, err := p.put(body[50:150], 50); err != nil || known != 50 {
		t.Errorf("put = %d known, %v; want 50", known, err)
	}
	if known, err := p.put(body[150:250], 150); err != nil || known != 0 {
		t.Errorf("put = %d known, %v; the last bytes are new", known, err)
	}
	other := bytes.Clone(body[40:120])
	other[len(other)-1]++
	_, err := p.put(other, 40)
	if no, ok := errors.AsType[*misfit](err); !ok || no.code != "bad-range" {
		t.Errorf("put of other bytes = %v", err)
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
}

// After a failed fsync only what was durable before is believed.
func TestPartAfterAFailedSync(t *testing.T) {
	p, _ := newPart(t)
	body := source(1000)
	p.Length = int64(len(body))
	if _, err := p.put(body[:300], 0); err != nil {
		t.Fatal(err)
	}
	if err := p.checkpoint(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.put(bytes.Repeat([]byte{1}, 700), 300); err != nil {
		t.Fatal(err)
	}
	if e := spool.AsError(p.lost(syscall.EIO)); e.Class != spool.Environment || p.held() != 300 {
		t.Errorf("%+v, and %d bytes are held", e, p.held())
	}
	if _, err := p.put(body[300:], 300); err != nil {
		t.Fatal(err)
	}
	if res, err := p.publish(); err != nil || res.SHA256 != sum(body) {
		t.Errorf("publish = %+v, %v", res, err)
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
}

// Checkpoints follow each other more closely where they are quick.
func TestCheckpointsAreDue(t *testing.T) {
	p, _ := newPart(t)
	for _, c := range []struct {
		age, took time.Duration
		due       bool
	}{
		{checkpointOften / 2, 0, false},
		{checkpointEvery / 2, 0, true},
		{checkpointEvery / 2, checkpointEvery, false},
		{2 * checkpointEvery, checkpointEvery, true},
	} {
		p.saved, p.took = time.Now().Add(-c.age), c.took
		if due := p.due(1<<20, checkpointEvery); due != c.due {
			t.Errorf("%s after one that took %s: %v", c.age, c.took, due)
		}
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
}

// Who reads the part while it is begun anew sees the old bytes.
func TestResetLeavesTheOldFile(t *testing.T) {
	p, _ := newPart(t)
	body := source(1000)
	if _, err := p.put(body, 0); err != nil {
		t.Fatal(err)
	}
	old, err := os.Open(PartPath(p.path))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := p.checkpoint(); err != nil {
		t.Fatal(err)
	}
	if err := p.reset(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.put(bytes.Repeat([]byte{1}, 1000), 0); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 1000)
	if _, err := old.ReadAt(got, 0); err != nil || !bytes.Equal(got, body) {
		t.Errorf("the old bytes are gone, %v", err)
	}
	if _, err := os.Stat(p.recordName()); !os.IsNotExist(err) {
		t.Errorf("the old record is there: %v", err)
	}
	if p.due(1<<20, time.Hour) || !p.due(1000, time.Hour) {
		t.Error("1000 bytes are due when 1000 are")
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
}

// announce is a file's checksum as a server tells it.
func announce(of []byte) string {
	s := sha256.Sum256(of)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(s[:]) + ":"
}

// The checksum that a server announces is one that the file must have.
func TestAnnouncedChecksum(t *testing.T) {
	body := source(size)
	for name, tc := range map[string]struct{ header, value, code string }{
		"right":      {"Repr-Digest", "md5=:AAAA:, " + announce(body), ""},
		"right, old": {"Digest", strings.ReplaceAll(announce(body), ":", ""), ""},
		"wrong":      {"Repr-Digest", announce(nil), "checksum"},
		"wrong, old": {"Digest", strings.ReplaceAll(announce(nil), ":", ""), "checksum"},
		"garbage":    {"Repr-Digest", "sha-256=:no:, sha-256, =", ""},
		"another":    {"Repr-Digest", "md5=:AAAA:", ""},
		"of a part":  {"Content-Digest", announce(nil), ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := &hostile{trick: func(h *hostile, w http.ResponseWriter, r *http.Request, _ int) {
				w.Header().Set(tc.header, tc.value)
				h.good(w, r)
			}}
			_, _, err := fetchTo(t, quick(), start(t, h))
			if tc.code != "" {
				wantFault(t, err, tc.code)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
