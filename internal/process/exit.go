package process

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// marker is the environment variable by which leftovers are found.
const marker = "SPOOL_CHILD="

// tailSize is how much of standard error an error keeps, in bytes.
const tailSize = 64 << 10

// ExitError says how a child failed.
type ExitError struct {
	Path   string
	Code   int            // exit status; -1 when a signal ended it
	Signal syscall.Signal // that ended it; 0 when it exited
	Stderr string         // the last 64 KB of it
}

// Error names the program, its end and the last line that it wrote.
func (e *ExitError) Error() string {
	how := fmt.Sprintf("exit status %d", e.Code)
	if e.Signal != 0 {
		how = fmt.Sprintf("killed by signal %d (%s)", int(e.Signal), e.Signal)
	}
	lines := strings.Split(strings.TrimSpace(e.Stderr), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		how += ": " + last
	}
	return "run " + filepath.Base(e.Path) + ": " + how
}

// Died reports whether a signal ended the child: it did not choose to end.
func (e *ExitError) Died() bool { return e.Signal != 0 }

// asked reports whether the child ended as one does that was told to: by our
// signals, or with the status 255 with which ffmpeg answers SIGTERM.
func (e *ExitError) asked() bool {
	return e.Signal == syscall.SIGTERM || e.Signal == syscall.SIGKILL || e.Code == 255
}

// tail keeps the last bytes written to it.
type tail struct {
	limit int
	mu    sync.Mutex // guards buf
	buf   []byte
}

// Write never fails and never blocks: a child that floods standard error goes on.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	// Cut only when it has doubled, so that small writes do not copy it each time.
	if len(t.buf) > 2*t.limit {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-t.limit:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf[max(0, len(t.buf)-t.limit):])
}
