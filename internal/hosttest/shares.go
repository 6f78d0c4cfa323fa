package hosttest

import (
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/process"
)

// Share is the share that the SMB server has.
const Share = "films"

// obscured is SecretKey as rclone writes passwords.
const obscured = "rC1AxUayikZKRUqXnZI2JLH1W7AFnri7nSYBNWU"

// SMB starts Samba, with one share for whoever runs the test.
func SMB(tb testing.TB) map[string]string {
	tb.Helper()
	need(tb, "smbd")
	me, err := user.Current()
	if err != nil {
		tb.Fatal(err)
	}
	dir, port := tb.TempDir(), freePort(tb)
	config := "[global]\nserver role = standalone server\ninterfaces = lo\nbind interfaces only = yes\nsmb ports = " + port +
		"\ndisable netbios = yes\nload printers = no\npassdb backend = tdbsam:" + filepath.Join(dir, "users.tdb") + "\nlog file = " + filepath.Join(dir, "log") + "\n"
	for _, kind := range []string{"private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir"} {
		folder := filepath.Join(dir, strings.ReplaceAll(kind, " ", "-"))
		if err := os.Mkdir(folder, 0o755); err != nil {
			tb.Fatal(err)
		}
		config += kind + " = " + folder + "\n"
	}
	files := filepath.Join(dir, "files")
	if err := os.Mkdir(files, 0o755); err != nil {
		tb.Fatal(err)
	}
	config += "[" + Share + "]\npath = " + files + "\nread only = no\n"
	file := filepath.Join(dir, "smb.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	twice := strings.NewReader(SecretKey + "\n" + SecretKey + "\n")
	if _, err := process.Run(tb.Context(), process.Command{Path: "smbpasswd", Args: []string{"-c", file, "-a", "-s", me.Username}, Dir: dir, Stdin: twice}); err != nil {
		tb.Fatal(err)
	}
	start(tb, process.Command{Path: "smbd", Args: []string{"--foreground", "--no-process-group", "-s", file, "-l", dir}, Dir: dir}, port)
	return map[string]string{"type": "smb", "host": "127.0.0.1", "port": port, "user": me.Username, "pass": obscured}
}

// WebDAV starts Apache with a folder that everybody may write.
func WebDAV(tb testing.TB) map[string]string {
	tb.Helper()
	dir := tb.TempDir()
	address := apache(tb, dir, []string{"dav", "dav_fs"}, "Dav On\n")
	return map[string]string{"type": "webdav", "url": address, "vendor": "other"}
}

// WebIndex starts Apache with a folder that everybody may read, and list.
func WebIndex(tb testing.TB) (options map[string]string, folder string) {
	tb.Helper()
	dir := tb.TempDir()
	address := apache(tb, dir, []string{"autoindex"}, "Options Indexes\n")
	return map[string]string{"type": "http", "url": address}, filepath.Join(dir, "files")
}

// apache serves the folder files of dir, by some more modules and rules.
func apache(tb testing.TB, dir string, more []string, rules string) (address string) {
	tb.Helper()
	need(tb, "apache2")
	port := freePort(tb)
	if err := os.Mkdir(filepath.Join(dir, "files"), 0o755); err != nil {
		tb.Fatal(err)
	}
	config := "ServerRoot " + dir + "\nListen 127.0.0.1:" + port + "\nServerName localhost\nPidFile pid\nErrorLog log\n"
	for _, module := range append([]string{"mpm_event", "authz_core"}, more...) {
		config += "LoadModule " + module + "_module /usr/lib/apache2/modules/mod_" + module + ".so\n"
	}
	if slices.Contains(more, "dav_fs") {
		config += "DavLockDB " + dir + "/locks\n"
	}
	config += "DocumentRoot " + dir + "/files\n<Directory " + dir + "/files>\n" + rules + "Require all granted\n</Directory>\n"
	file := filepath.Join(dir, "apache.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	start(tb, process.Command{Path: "apache2", Args: []string{"-f", file, "-D", "FOREGROUND"}, Dir: dir}, port)
	return "http://127.0.0.1:" + port
}

// python is Debian's, which has Debian's packages.
const python = "/usr/bin/python3"

// FTP starts pyftpdlib's server with a folder that its one user may write.
func FTP(tb testing.TB) map[string]string {
	tb.Helper()
	need(tb, python)
	dir, port := tb.TempDir(), freePort(tb)
	if _, err := process.Run(tb.Context(), process.Command{Path: python, Args: []string{"-c", "import pyftpdlib"}, Dir: dir}); err != nil {
		tb.Skip("pyftpdlib is not installed")
	}
	files := filepath.Join(dir, "files")
	if err := os.Mkdir(files, 0o755); err != nil {
		tb.Fatal(err)
	}
	start(tb, process.Command{
		Path: python, Dir: dir,
		Args: []string{"-W", "ignore", "-m", "pyftpdlib", "-i", "127.0.0.1", "-p", port, "-w", "-d", files, "-u", "spool", "-P", SecretKey},
	}, port)
	return map[string]string{"type": "ftp", "host": "127.0.0.1", "port": port, "user": "spool", "pass": obscured}
}
