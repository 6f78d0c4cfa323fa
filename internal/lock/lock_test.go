package lock

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/spool-video/spool"
)

// TestMain doubles as the other process: with HOLD set it takes the lock, says
// so, and holds it until its stdin ends.
func TestMain(m *testing.M) {
	if dir := os.Getenv("HOLD"); dir != "" {
		if _, err := Acquire(context.Background(), dir, "run"); err != nil {
			os.Exit(1)
		}
		_, _ = os.Stdout.WriteString("held\n")
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestSecondProcessIsToldWhoHolds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), "HOLD="+dir)
	stdin, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(stdout).ReadString('\n'); line != "held\n" {
		t.Fatalf("the other process said %q", line)
	}

	_, err = Acquire(t.Context(), dir, "run")
	var e *spool.Error
	if !errors.Is(err, ErrHeld) || !errors.As(err, &e) || !strings.Contains(e.Reason, "spool run") {
		t.Fatalf("second lock: %v", err)
	}
	if h, held := Held(t.Context(), dir); !held || h.PID != other.Process.Pid {
		t.Fatalf("Held = %+v, %v; want process %d", h, held, other.Process.Pid)
	}

	// However the holder ends, its lock ends with it.
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = stdin.Close()
	_ = other.Wait()
	if _, held := Held(t.Context(), dir); held {
		t.Fatal("a killed process still holds its lock")
	}
	l, err := Acquire(t.Context(), dir, "run")
	if err != nil || !l.Abandoned {
		t.Fatalf("lock after the holder was killed: %+v, %v", l, err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if l, err = Acquire(t.Context(), dir, "run"); err != nil || l.Abandoned {
		t.Fatalf("lock after it was released: %+v, %v", l, err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
}

// Whoever only looks does not keep a run from its lock.
func TestLookingIsNoHolding(t *testing.T) {
	dir := t.TempDir()
	look := flock.New(filepath.Join(dir, "lock"))
	if got, err := look.TryRLock(); err != nil || !got {
		t.Fatal(got, err)
	}
	over := time.AfterFunc(lookTakes/10, func() { _ = look.Close() })
	defer over.Stop()
	l, err := Acquire(t.Context(), dir, "run")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
}

// A state folder that cannot be made is told as what it is.
func TestStateThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Acquire(t.Context(), filepath.Join(file, "state"), "run")
	var e *spool.Error
	if !errors.As(err, &e) || e.Class != spool.Environment || e.Hint == "" {
		t.Fatalf("%v", err)
	}
}
