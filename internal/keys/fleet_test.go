package keys_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/keys"
)

func TestFleetKeyFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fleet.key")
	if err := keys.MakeFleet(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file is %v, %v", info.Mode(), err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "fleet-key-exists", keys.MakeFleet(path))
	f, err := keys.OpenFleet(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.ID()) != 16 || len(f.Token()) < 40 || strings.Contains(string(good), f.Token()) {
		t.Errorf("ID %q, token of %d signs", f.ID(), len(f.Token()))
	}
	for content, code := range map[string]string{
		"": "fleet-key-damaged", "# nothing\n": "fleet-key-damaged",
		string(good[:len(good)-3]): "fleet-key-damaged", string(good) + "more\n": "fleet-key-damaged",
	} {
		bad := filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(bad, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := keys.OpenFleet(bad)
		wantCode(t, code, err)
	}
	_, err = keys.OpenFleet(filepath.Join(t.TempDir(), "none"))
	wantCode(t, "no-fleet-key", err)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err = keys.OpenFleet(path)
	wantCode(t, "fleet-key-exposed", err)
}

func wantCode(t *testing.T, code string, err error) {
	t.Helper()
	var e *spool.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("error %v, want %s", err, code)
	}
}
