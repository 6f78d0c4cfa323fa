package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/spool-video/spool"
)

// What serve and worker do not take, and what is said of it.
func TestServiceSettings(t *testing.T) {
	for flag, says := range map[string]string{
		"--ledger=postgres://ada:hidden@db.example/spool": "in SQLite only",
		"--ledger=/srv/ledger.db":                         "in SQLite only",
		"--ledger=sqlite:/srv/ledger.db":                  "always ledger.db",
		"--slots=none":                                    "no queue",
		"--allow-source=films":                            "no whole path",
		"--name=a.b":                                      "no name of a worker",
		"--api=ftp://127.0.0.1":                           "no address of a serve",
	} {
		_, _, err := call{args: []string{flag}}.load(t)
		var e *spool.Error
		if !errors.As(err, &e) || !strings.Contains(e.Reason, says) || e.Hint == "" || strings.Contains(e.Reason+e.Hint, "hidden") {
			t.Errorf("%s: %v, want %q", flag, err, says)
		}
	}
	both := call{args: []string{"--listen=127.0.0.1:0", "--queue=redis://127.0.0.1"}}
	if _, _, err := both.load(t); err == nil || !strings.Contains(err.Error(), "one queue only") {
		t.Errorf("two queues: %v", err)
	}
	if _, _, err := (call{args: []string{"--ledger=sqlite:", "--slots=none", "--listen=127.0.0.1:0"}}).load(t); err != nil {
		t.Error(err)
	}
}
