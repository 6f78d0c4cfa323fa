package spool_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestUnits: systemd reads the units that are shipped, and finds them hardened.
func TestUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	found, err := filepath.Glob("units/*.service")
	if err != nil || len(found) == 0 {
		t.Fatalf("%v, %v", found, err)
	}
	for _, unit := range found {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		program := regexp.MustCompile(`(?m)^ExecStart=(\S+/)spool `)
		if !program.Match(text) {
			t.Errorf("%s starts no spool", unit)
		}
		// What it starts has to be there: true is, everywhere.
		there := filepath.Join(t.TempDir(), filepath.Base(unit))
		if err := os.WriteFile(there, program.ReplaceAll(text, []byte("ExecStart=/bin/true ")), 0o600); err != nil {
			t.Fatal(err)
		}
		if said, err := exec.Command("systemd-analyze", "verify", "--man=no", there).CombinedOutput(); err != nil || strings.Contains(string(said), filepath.Base(unit)) {
			t.Errorf("%s: %v\n%s", unit, err, said)
		}
		said, err := exec.Command("systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=25", there).CombinedOutput()
		if err != nil {
			t.Errorf("%s is more exposed than 2.5: %v\n%s", unit, err, said)
		}
	}
}
