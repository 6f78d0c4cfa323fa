package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// built makes the program as users have it, once for all tests. Their own
// binary, which is spool under that name, too, has the race detector, which
// makes of a minute five: stories and kills run that one, others this one.
func built(t *testing.T) string {
	t.Helper()
	program, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

var buildOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "spool-built-")
	if err != nil {
		return "", err
	}
	buildFolder = dir
	program := filepath.Join(dir, "spool")
	cmd := exec.Command("go", "build", "-trimpath", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
})

// buildFolder is where buildOnce works; it is read when all tests have ended.
var buildFolder string

// tidied removes what all tests have shared.
type tidied struct{ *testing.M }

func (m tidied) Run() int {
	code := m.M.Run()
	if buildFolder != "" {
		_ = os.RemoveAll(buildFolder) // it is in the folder for what is temporary
	}
	return code
}
