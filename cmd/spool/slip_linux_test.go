package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// slip is a system call that fails, or at which whoever makes it is killed: the
// at-th that each thread makes of its kind.
type slip struct {
	call, result string // result: "error=EIO", or "signal=SIGKILL"
	at           int
	deep         bool // the programs that spool starts slip, too
}

func (s slip) String() string {
	who := "spool"
	if s.deep {
		who = "spool and its programs"
	}
	return fmt.Sprintf("%s: %s %d: %s", who, s.call, s.at, s.result)
}

// slippery are the calls by which spool and its ledger touch files and start
// programs, with errors that these can give.
var slippery = map[string][]string{
	"openat": {"EMFILE", "EIO"}, "read": {"EIO"}, "pread64": {"EIO"}, "write": {"ENOSPC", "EIO"}, "pwrite64": {"EIO", "ENOSPC"},
	"fsync": {"EIO"}, "fdatasync": {"EIO"}, "ftruncate": {"EIO"}, "renameat": {"EIO", "EROFS"}, "unlinkat": {"EIO"}, "unlink": {"EIO"},
	"mkdirat": {"ENOSPC"}, "newfstatat": {"EIO"}, "getdents64": {"EIO"}, "flock": {"EIO"}, "execve": {"ENOMEM"}, "fcntl": {"ENOLCK"},
}

// slips are the first of each kind of slip, in an order that seed says.
func slips(each int, seed uint64) []slip {
	var all []slip
	for call, errors := range slippery {
		for at := 1; at <= each; at++ {
			for _, e := range errors {
				all = append(all, slip{call, "error=" + e, at, at%2 == 0})
			}
			all = append(all, slip{call, "signal=SIGKILL", at, at%2 == 1})
		}
	}
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // repeatable is what it must be
	slices.SortFunc(all, func(a, b slip) int { return strings.Compare(a.String(), b.String()) })
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// TestEverythingFailsOnce has one call of a run fail, or the run die at it, and
// holds that nothing is lost and nothing half-published: the next run ends
// ready, and what was published before is whole. SPOOL_SOAK=1 tries all kinds
// up to the fortieth call of each thread; SPOOL_SEED repeats a run.
func TestEverythingFailsOnce(t *testing.T) {
	t.Parallel()
	needTools(t, "strace")
	all := slips(killsOf(12, 40), killSeed(t))
	for _, s := range all[:killsOf(5, len(all))] {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			newHome(t).slips(t, s)
		})
	}
}

// crashed is what the Go runtime says when a call of its own has failed, or its
// library before main begins; it ends the program, as a signal does.
var crashed = regexp.MustCompile(`(?m)^(runtime: |fatal error: |ThreadSanitizer|FATAL: |failed to get system page size|panic: read /usr/share/mime/)`)

func (h *home) slips(t *testing.T, s slip) {
	t.Helper()
	run := h.command(t, "run", "film.mp4", "--grace", "1s")
	watch := []string{
		"-f", "-qq", "-o", os.DevNull, "-e", "signal=none", "-e", "trace=" + s.call,
		"-e", fmt.Sprintf("inject=%s:%s:when=%d", s.call, s.result, s.at),
	}
	if !s.deep {
		watch = append(watch, "-b", "execve")
	}
	cmd := exec.CommandContext(t.Context(), "strace", append(append(watch, run.Path), run.Args[1:]...)...)
	cmd.Dir, cmd.Env = run.Dir, run.Env
	c := launch(t, cmd)
	select {
	case <-c.ended:
	case <-time.After(patient):
		t.Fatalf("it does not end:\n%s", c.said())
	}
	said := c.said()
	if strings.Contains(said, "panic:") && !crashed.MatchString(said) {
		t.Errorf("it panicked:\n%s", said)
	}
	t.Logf("%s: it ended with %v", s, c.cmd.ProcessState)
	if code := c.cmd.ProcessState.ExitCode(); code > exitReady && !strings.Contains(said, ":") {
		t.Errorf("it ended with %d and gave no reason: %q", code, said)
	}
	// What can be seen is whole, whatever became of the run.
	if masters, _ := filepath.Glob(h.path("bucket", "*", "master.m3u8")); len(masters) > 0 {
		h.do(t, exitReady, "verify", filepath.Dir(masters[0]))
	}
	if left := marked(h.path("state")); len(left) > 0 {
		t.Logf("still running when it had ended: %v", left)
	}
	h.do(t, exitReady, "run", "film.mp4")
	h.good(t, 1)
	if left := marked(h.path("state")); len(left) > 0 {
		t.Errorf("left running: %v", left)
	}
	if t.Failed() {
		t.Logf("the run that slipped said:\n%s", said)
	}
}
