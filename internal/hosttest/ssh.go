package hosttest

import (
	"os"
	"os/user"
	"path/filepath"
	"testing"

	"github.com/spool-video/spool/internal/process"
)

// sshd is called by its whole path, as it insists.
const sshd = "/usr/sbin/sshd"

// SSH starts OpenSSH's server, which gives files to whoever runs the test. Its
// folder is the place to put things.
func SSH(tb testing.TB) (options map[string]string, folder string) {
	tb.Helper()
	need(tb, sshd)
	me, err := user.Current()
	if err != nil {
		tb.Fatal(err)
	}
	dir, port := tb.TempDir(), freePort(tb)
	for _, name := range []string{"host", "user"} {
		keygen := process.Command{Path: "ssh-keygen", Args: []string{"-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, name)}, Dir: dir}
		if _, err := process.Run(tb.Context(), keygen); err != nil {
			tb.Fatal(err)
		}
	}
	config := "ListenAddress 127.0.0.1\nPort " + port + "\nHostKey " + filepath.Join(dir, "host") +
		"\nAuthorizedKeysFile " + filepath.Join(dir, "user.pub") + "\nPidFile none\nStrictModes no\nUsePAM no\n" +
		"PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\nMaxStartups 100\n"
	configFile := filepath.Join(dir, "sshd_config")
	if err := os.WriteFile(configFile, []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	if os.Geteuid() == 0 { // where OpenSSH keeps what has no rights, and Debian makes it only for its service
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	start(tb, process.Command{Path: sshd, Args: []string{"-D", "-e", "-f", configFile}, Dir: dir}, port)
	folder = filepath.Join(dir, "files")
	if err := os.Mkdir(folder, 0o755); err != nil {
		tb.Fatal(err)
	}
	return map[string]string{
		"type": "sftp", "host": "127.0.0.1", "port": port, "user": me.Username, "key_file": filepath.Join(dir, "user"),
	}, folder
}
