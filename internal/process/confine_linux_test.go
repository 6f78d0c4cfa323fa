package process

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// confinedShell runs a line of shell, confined, and gives what it printed.
func confinedShell(t *testing.T, c *Confine, line string) string {
	t.Helper()
	out, err := Run(t.Context(), Command{Path: "sh", Args: []string{"-c", line + "; true"}, Dir: t.TempDir(), Confine: c})
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return strings.TrimSpace(string(out))
}

func needs(t *testing.T, has bool, what string) {
	t.Helper()
	if !has {
		t.Skipf("this kernel cannot hold a child to its %s: %s", what, Supported().Reason)
	}
}

func TestConfinedChildSeesItsFiles(t *testing.T) {
	t.Parallel()
	needs(t, Supported().Files, "files")
	dir := t.TempDir()
	mine, others, work := filepath.Join(dir, "mine"), filepath.Join(dir, "others"), filepath.Join(dir, "work")
	for _, path := range []string{mine, others} {
		if err := os.WriteFile(path, []byte("words of "+filepath.Base(path)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	c := &Confine{Read: []string{mine, filepath.Join(dir, "missing")}, Write: []string{work}}
	for _, try := range []struct{ line, want string }{
		{"cat " + mine, "words of mine"},
		{"cat " + others, ""},
		{"ls " + dir, ""},
		{"cat /etc/passwd", ""},
		{"echo x > " + mine + " || echo refused", "refused"},
		{"echo x > " + filepath.Join(dir, "new") + " || echo refused", "refused"},
		{"echo made > " + work + "/new && cat " + work + "/new", "made"},
		{"echo nothing > /dev/null && head -c 2 /dev/urandom | wc -c", "2"},
		{fmt.Sprintf("kill -0 %d || echo refused", os.Getpid()), "refused"},
		{"cat /proc/" + fmt.Sprint(os.Getpid()) + "/environ", ""},
	} {
		if got := confinedShell(t, c, "{ "+try.line+"; } 2>&-"); got != try.want {
			t.Errorf("%s: %q; want %q", try.line, got, try.want)
		}
	}
	if got := confinedShell(t, &Confine{ReadAll: true}, "cat "+others+"; echo x 2>&- > "+others+" || echo refused"); got != "words of othersrefused" && got != "words of others\nrefused" {
		t.Errorf("one that may read all: %q", got)
	}
	// Neither this process nor a child that is not confined notices.
	if out, err := Run(t.Context(), Command{Path: "cat", Args: []string{others}}); err != nil || string(out) != "words of others" {
		t.Errorf("a child that is not confined: %q, %v", out, err)
	}
}

func TestConfinedChildSeesItsPort(t *testing.T) {
	t.Parallel()
	needs(t, Supported().Ports, "port")
	var ports []int
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	connect := func(c *Confine, port int) bool {
		out, err := Run(t.Context(), Command{
			Path: "bash", Args: []string{"-c", fmt.Sprintf("exec 2>/dev/null; : < /dev/tcp/127.0.0.1/%d && echo in; true", port)}, Confine: c,
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out)) == "in"
	}
	only := &Confine{Port: ports[0]}
	if !connect(only, ports[0]) || connect(only, ports[1]) {
		t.Error("a child with one port: it cannot connect to it, or to another")
	}
	if !connect(&Confine{Network: true}, ports[1]) {
		t.Error("a child with a network cannot connect")
	}
	if connect(&Confine{}, ports[0]) {
		t.Error("a child without a network connects")
	}
}

// A child without a network has none at all: not even datagrams leave it.
func TestConfinedChildIsApart(t *testing.T) {
	t.Parallel()
	needs(t, Supported().Apart, "own network")
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	namespace := func(c *Confine) string { return confinedShell(t, c, "readlink /proc/self/ns/net") }
	if got := namespace(&Confine{ReadAll: true}); got == here || got == "" {
		t.Errorf("it is in %q, as everybody", got)
	}
	if got := namespace(&Confine{ReadAll: true, Network: true}); got != here {
		t.Errorf("one with a network is in %q; want %q", got, here)
	}
	if after, err := os.Readlink("/proc/self/ns/net"); err != nil || after != here {
		t.Errorf("we are in %q now, %v", after, err)
	}
}

func TestConfinedChildEndsWithUs(t *testing.T) {
	t.Parallel()
	needs(t, Supported().Files, "files")
	p, err := Start(t.Context(), Command{Path: "sleep", Args: []string{"600"}, Confine: &Confine{}, Limits: Limits{OpenFiles: 32}, Nice: 1})
	if err != nil {
		t.Fatal(err)
	}
	killGroup(p.cmd.Process.Pid, 9)
	if err := p.Wait(); err == nil {
		t.Error("a killed child ended well")
	}
	if _, err := Start(t.Context(), Command{Path: filepath.Join(t.TempDir(), "no-such"), Confine: &Confine{}}); err == nil {
		t.Error("what is not there starts")
	}
}
