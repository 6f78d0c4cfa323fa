package process

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The test binary itself is the child: SPOOL_TEST_CHILD names what it does.
func TestMain(m *testing.M) {
	if act := os.Getenv("SPOOL_TEST_CHILD"); act != "" {
		os.Exit(child(act))
	}
	goleak.VerifyTestMain(m)
}

func child(act string) int {
	switch act {
	case "hang":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		hang()
	case "flood":
		line := strings.Repeat("noise ", 20) + "\n"
		for range 100_000 {
			_, _ = os.Stderr.WriteString(line)
		}
		fmt.Fprintln(os.Stderr, "the last word")
		return 3
	case "grandchild", "orphan":
		return childWithChild(act)
	case "signal":
		_ = syscall.Kill(os.Getpid(), syscall.SIGHUP)
		hang()
	case "pipes":
		for i := range 3 {
			f := os.NewFile(uintptr(3+i), "pipe")
			fmt.Fprint(f, strings.Repeat(strconv.Itoa(i), 200_000))
			_ = f.Close()
		}
	case "early":
		_ = os.NewFile(3, "pipe").Close()
		fmt.Fprintln(os.Stderr, "gave up")
		return 1
	case "broken":
		f := os.NewFile(3, "pipe")
		for {
			if _, err := f.WriteString("x\n"); err != nil {
				return 7
			}
		}
	case "env":
		fmt.Print(strings.Join(os.Environ(), "\n"))
	case "big":
		err := os.WriteFile("big", make([]byte, 1<<20), 0o600)
		fmt.Fprintln(os.Stderr, err)
		return 1
	case "zeros":
		for {
			if _, err := os.Stdout.Write(make([]byte, 1<<20)); err != nil {
				return 1
			}
		}
	}
	return 0
}

// hang waits for ever; the runtime does not take a read for a deadlock.
func hang() {
	r, w, err := os.Pipe()
	for err == nil {
		_, err = r.Read(make([]byte, 1))
	}
	_ = w.Close()
}

// childWithChild starts a child that hangs and says its number; "orphan" then
// ends, "grandchild" hangs.
func childWithChild(act string) int {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "SPOOL_TEST_CHILD=hang")
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return 1
	}
	_, _ = bufio.NewReader(out).ReadString('\n')
	fmt.Println(c.Process.Pid)
	if act == "grandchild" {
		hang()
	}
	return 0
}

func fake(act string) Command {
	return Command{Path: os.Args[0], Env: []string{"SPOOL_TEST_CHILD=" + act}, Grace: 50 * time.Millisecond}
}

// lines gives what the child writes, line by line; reading is the event that
// the tests wait for.
func lines(c *Command) *bufio.Reader {
	r, w := io.Pipe()
	c.Stdout = w
	return bufio.NewReader(r)
}

func start(t *testing.T, ctx context.Context, c Command) *Process {
	t.Helper()
	p, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// gone fails the test unless the process is dead (or a zombie that nobody
// reaps, as where the init process does not).
func gone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; runtime.Gosched() {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || bytes.Contains(stat, []byte(") Z ")) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d lives on: %s", pid, stat)
		}
	}
}

func TestTermIgnoredIsKilled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := fake("hang")
	out := lines(&c)
	p := start(t, ctx, c)
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	cancel()
	err := p.Wait()
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	var exit *ExitError
	if errors.As(err, &exit) {
		t.Fatalf("a cancelled child counts as one that died: %v", err)
	}
}

func TestStderrFlood(t *testing.T) {
	_, err := Run(t.Context(), fake("flood"))
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 3 || exit.Signal != 0 {
		t.Fatalf("got %v", err)
	}
	if len(exit.Stderr) != tailSize || !strings.HasSuffix(exit.Stderr, "the last word\n") {
		t.Fatalf("kept %d bytes, ending in %q", len(exit.Stderr), exit.Stderr[len(exit.Stderr)-20:])
	}
	if !strings.HasSuffix(err.Error(), "exit status 3: the last word") {
		t.Errorf("error says %q", err)
	}
}

func TestGrandchildrenDie(t *testing.T) {
	for _, act := range []string{"grandchild", "orphan"} {
		t.Run(act, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := fake(act)
			out := lines(&c)
			p := start(t, ctx, c)
			line, err := out.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			if act == "grandchild" {
				cancel()
			}
			if err := p.Wait(); (err == nil) != (act == "orphan") {
				t.Errorf("got %v", err)
			}
			gone(t, pid)
		})
	}
}

func TestDiesBySignal(t *testing.T) {
	err := start(t, t.Context(), fake("signal")).Wait()
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Signal != syscall.SIGHUP || exit.Code != -1 {
		t.Fatalf("got %#v", err)
	}
}

func TestPipes(t *testing.T) {
	c := fake("pipes")
	c.Pipes = 3
	p := start(t, t.Context(), c)
	for i := range 3 {
		b, err := io.ReadAll(p.Pipe(i))
		if err != nil || len(b) != 200_000 || b[0] != byte('0'+i) {
			t.Errorf("pipe %d: %d bytes, %v", i, len(b), err)
		}
	}
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestPipeClosedEarly(t *testing.T) {
	c := fake("early")
	c.Pipes = 1
	p := start(t, t.Context(), c)
	if b, err := io.ReadAll(p.Pipe(0)); len(b) != 0 || err != nil {
		t.Errorf("read %d bytes, %v", len(b), err)
	}
	var exit *ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.Stderr != "gave up\n" {
		t.Fatalf("got %v", err)
	}
}

// A reader that gives up ends the context; the child, blocked in writing, and
// the pipe go with it.
func TestReaderGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	c := fake("broken")
	c.Pipes = 1
	p := start(t, ctx, c)
	if _, err := bufio.NewReader(p.Pipe(0)).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	why := errors.New("the disk is full")
	cancel(why)
	if err := p.Wait(); !errors.Is(err, why) {
		t.Fatalf("got %v", err)
	}
	if _, err := p.Pipe(0).Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the pipe is open: %v", err)
	}
}

func TestEnvironmentIsMinimal(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	dir := t.TempDir()
	c := fake("env")
	c.Dir, c.Tag = dir, "tag-1"
	out, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	want := "PATH=" + os.Getenv("PATH") + "\nHOME=" + dir + "\nTMPDIR=" + dir +
		"\nLANG=C.UTF-8\nSPOOL_CHILD=tag-1\nSPOOL_TEST_CHILD=env"
	got := strings.TrimSpace(strings.ReplaceAll(string(out), "PWD="+dir, ""))
	if strings.ReplaceAll(got, "\n\n", "\n") != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestOutputIsBounded(t *testing.T) {
	out, err := Run(t.Context(), fake("zeros"))
	if err == nil || len(out) > maxOutput {
		t.Fatalf("%d bytes, %v", len(out), err)
	}
}

func TestStartFails(t *testing.T) {
	if _, err := Start(t.Context(), Command{Path: filepath.Join(t.TempDir(), "none"), Pipes: 2}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, fake("env")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRealFFmpeg(t *testing.T) {
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal("ffmpeg is needed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	c := Command{Path: path, Pipes: 1, Nice: 5, Limits: Limits{AddressSpace: 4 << 30, CPUSeconds: 60, OpenFiles: 64}, Args: []string{
		"-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x64", "-f", "rawvideo", "pipe:3",
	}}
	p := start(t, ctx, c)
	if _, err := io.ReadFull(p.Pipe(0), make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := p.Wait(); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	c.Args = []string{"-nostdin", "-v", "error", "-i", "file:none", "-f", "null", "-"}
	_, err = Run(t.Context(), c)
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 1 || !strings.Contains(exit.Stderr, "No such file") {
		t.Fatalf("got %v", err)
	}
}
