//go:build soak

package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSoakFleetParts: what measures fleets measures something, here with little
// to do. Whether a figure is good is not asked.
func TestSoakFleetParts(t *testing.T) {
	t.Chdir("..")
	spool := filepath.Join(t.TempDir(), "spool")
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-o", spool, "./cmd/spool").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for part, figures := range map[string]int{"jobs": 3 + 2, "waiting": 2, "crowd": 1, "death": 1, "handover": 3, "split": 1, "eight": 1} {
		t.Run(part, func(t *testing.T) {
			var out, notes bytes.Buffer
			code := run(t.Context(), []string{
				"-only", part, "-spool", spool, "-tries", "1", "-empty", "20", "-waiting", "500", "-film", "40", "-even", "160x90", "-doze", "100ms",
			}, &out, &notes)
			if code != 0 || strings.Count(out.String(), "\n") != figures {
				t.Errorf("%d figures, not %d (%d)\n%s%s", strings.Count(out.String(), "\n"), figures, code, out.String(), notes.String())
			}
			t.Logf("%s", out.String())
		})
	}
}
