package spool_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// install runs scripts/install-deps for programs where only bash, the stubs
// and a few tools of the system can be found.
func install(t *testing.T, stubs map[string]string, programs ...string) (string, error) {
	t.Helper()
	bin := t.TempDir()
	for _, tool := range []string{"bash", "cat", "mktemp", "rm", "env"} {
		found, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(found, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range stubs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!"+filepath.Join(bin, "bash")+"\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), filepath.Join(bin, "bash"), append([]string{"scripts/install-deps"}, programs...)...)
	command.Env = []string{"PATH=" + bin, "LOG=" + filepath.Join(bin, "log"), "TMPDIR=" + bin}
	said, err := command.CombinedOutput()
	called, _ := os.ReadFile(filepath.Join(bin, "log"))
	return string(said) + string(called), err
}

func TestInstallDeps(t *testing.T) {
	debian := map[string]string{"uname": "echo Linux", "id": "echo 0", "apt-get": `echo "apt-get $*" >>"$LOG"`}
	with := func(name, script string) map[string]string {
		stubs := map[string]string{name: script}
		for n, s := range debian {
			if n != name {
				stubs[n] = s
			}
		}
		return stubs
	}
	for _, test := range []struct {
		name     string
		stubs    map[string]string
		programs []string
		want     string // exactly what is said, then what apt-get was called with
		fails    bool
	}{
		{"all there", with("ffmpeg", ""), []string{"ffmpeg"}, "", false},
		{
			"Debian, root", debian,
			[]string{"ffmpeg", "fusermount3"},
			"install-deps: installing ffmpeg fuse3\napt-get update -q\napt-get install -y -q --no-install-recommends ffmpeg fuse3\n", false,
		},
		{
			"Debian, with sudo",
			map[string]string{"uname": "echo Linux", "id": "echo 1000", "apt-get": debian["apt-get"], "sudo": `echo -n "sudo " >>"$LOG"; "$@"`},
			[]string{"strace"},
			"install-deps: installing strace\nsudo apt-get update -q\nsudo apt-get install -y -q --no-install-recommends strace\n", false,
		},
		{"Debian, neither", with("id", "echo 1000"), []string{"strace"}, "install-deps: missing: strace; installing them needs root, and there is no sudo\n", true},
		{
			"Debian, broken", with("apt-get", "echo no network; exit 1"),
			[]string{"strace"},
			"install-deps: installing strace\nno network\ninstall-deps: could not install strace\n", true,
		},
		{
			"macOS",
			map[string]string{"uname": "echo Darwin"},
			[]string{"ffprobe", "yt-dlp"},
			"install-deps: missing: ffprobe yt-dlp\n  brew install ffmpeg\n  brew install yt-dlp\n", true,
		},
		{
			"elsewhere",
			map[string]string{"uname": "echo Linux"},
			[]string{"yt-dlp"},
			"install-deps: missing: yt-dlp; install them with this system's package manager\n", true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := install(t, test.stubs, test.programs...)
			if got != test.want || (err != nil) != test.fails {
				t.Errorf("said %q, %v\nwant %q", got, err, test.want)
			}
		})
	}
}

// TestMakefileExplainsItself: make help lists every target.
func TestMakefileExplainsItself(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	help, err := exec.CommandContext(t.Context(), "make", "--no-print-directory", "help").CombinedOutput()
	if err != nil {
		t.Fatalf("make help: %v\n%s", err, help)
	}
	for _, m := range target.FindAllStringSubmatch(string(makefile), -1) {
		if !strings.Contains(string(help), "make "+m[1]+" ") {
			t.Errorf("make help does not explain %s", m[1])
		}
	}
}
