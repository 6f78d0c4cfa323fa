package sqliteledger_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/sqliteledger"
)

// acceptPath tells the test binary to be the process that is killed.
const acceptPath = "SPOOL_TEST_ACCEPT"

// acceptUntilKilled accepts videos and prints each one's ID after Accept has
// returned; it does so only in the child process, and never comes back there.
func acceptUntilKilled() {
	path := os.Getenv(acceptPath)
	if path == "" {
		return
	}
	ctx := context.Background()
	l, err := sqliteledger.Open(ctx, path)
	for n := 0; err == nil; n++ {
		id := fmt.Sprintf("v%d-%d", os.Getpid(), n)
		if err = l.Accept(ctx, video(id)); err == nil {
			fmt.Println(id)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func video(id string) ledger.Record {
	key := spool.JobKey{Video: id, Revision: "r1", Kind: spool.Fetch}
	return ledger.Record{
		Video: spool.Video{ID: id, Canonical: "c/" + id, Status: spool.Waiting, Revision: "r1"},
		Jobs:  []ledger.Job{{JobRecord: spool.JobRecord{JobKey: key, State: spool.JobReady}}},
	}
}

// What Accept has said yes to is there after a kill, three times over.
func TestKilledProcessLosesNothingAccepted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	var accepted []string
	for round := range 3 {
		accepted = append(accepted, killAfter(t, path, 20+30*round)...)
		l := open(t, path)
		for _, id := range accepted {
			if r, err := l.Get(t.Context(), id); err != nil || len(r.Jobs) != 1 {
				t.Errorf("round %d: accepted %s, now %v with %d jobs", round, id, err, len(r.Jobs))
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter kills a child when it has printed n IDs; it gives all it printed.
func killAfter(t *testing.T, path string, n int) []string {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), acceptPath+"="+path)
	var stderr strings.Builder
	child.Stderr = &stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		ids = append(ids, lines.Text())
		if len(ids) == n {
			_ = child.Process.Kill()
		}
	}
	if err := child.Wait(); err == nil || len(ids) < n {
		t.Fatalf("child ended by itself after %d of %d videos: %v, %s", len(ids), n, err, stderr.String())
	}
	return ids
}
