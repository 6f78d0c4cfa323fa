package natsserver_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue/natsserver"
)

// TestNotStarted: where it cannot, or should not, and why.
func TestNotStarted(t *testing.T) {
	held, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	first := start(t, natsserver.Config{Dir: held, Listen: "127.0.0.1:0"})
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		cfg  natsserver.Config
		code string
	}{
		"a folder in use":      {natsserver.Config{Dir: held}, "queue-dir-held"},
		"a file for a folder":  {natsserver.Config{Dir: file}, "queue-dir"},
		"an address in use":    {natsserver.Config{Dir: t.TempDir(), Listen: first.Address()}, "listen-taken"},
		"no address":           {natsserver.Config{Dir: t.TempDir(), Listen: "nowhere"}, "listen-address"},
		"no port":              {natsserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:nats"}, "listen-address"},
		"open to the network":  {natsserver.Config{Dir: t.TempDir(), Listen: "0.0.0.0:0"}, "listen-open"},
		"open, by a name":      {natsserver.Config{Dir: t.TempDir(), Listen: "broker:0"}, "listen-open"},
		"open, on every place": {natsserver.Config{Dir: t.TempDir(), Listen: ":0"}, "listen-open"},
	} {
		s, err := natsserver.Start(t.Context(), test.cfg)
		if err == nil {
			_ = s.Close() // that it began is the fault
		}
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != test.code || e.Reason == "" || e.Hint == "" {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
	if _, err := natsserver.Start(t.Context(), natsserver.Config{}); err == nil {
		t.Error("it began without a folder")
	}
}
