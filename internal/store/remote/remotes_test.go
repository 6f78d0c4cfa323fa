package remote_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store/remote"
)

func TestRemotesAreThoseOfRclone(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rclone.conf")
	if err := os.WriteFile(file, []byte("# mine\n[nas]\ntype = sftp\nhost = nas.local\n\n[drive]\ntype = drive\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	remotes, err := remote.ReadRemotes(file)
	if err != nil || len(remotes) != 2 || remotes["nas"]["host"] != "nas.local" {
		t.Fatalf("%v, %v", remotes, err)
	}
	for name, want := range map[string]string{"dropbox": "defined are drive, nas", "drive": "it speaks"} {
		_, err := remote.Open(t.Context(), spool.RemotePath{Remote: name, Path: "x"}, remote.Options{Remotes: func() (remote.Remotes, error) { return remotes, nil }})
		if e := spool.AsError(err); err == nil || e.Class != spool.Permanent || !strings.Contains(e.Hint, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if none, err := remote.ReadRemotes(file + ".none"); err != nil || len(none) != 0 {
		t.Errorf("a file that is not there: %v, %v", none, err)
	}
}

func TestRemotesThatCannotBeRead(t *testing.T) {
	for what, c := range map[string]struct{ text, password, code string }{
		"no password":    {"# Encrypted\n\nRCLONE_ENCRYPT_V0:\nAAAA\n", "", "remotes-encrypted"},
		"wrong password": {"# Encrypted\n\nRCLONE_ENCRYPT_V0:\nAAAA\n", "CANARY", "no-remotes"},
		"no section":     {"what is this\n", "", "no-remotes"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Setenv("RCLONE_CONFIG_PASS", c.password)
			file := filepath.Join(t.TempDir(), "rclone.conf")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := remote.ReadRemotes(file)
			wantError(t, err, spool.Permanent, c.code)
		})
	}
}
