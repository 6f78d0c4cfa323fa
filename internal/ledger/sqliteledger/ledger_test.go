package sqliteledger_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/ledgertest"
	"github.com/spool-video/spool/internal/ledger/sqliteledger"
)

func TestConformance(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Open {
		path := filepath.Join(t.TempDir(), "state", "ledger.db")
		return func(t *testing.T) ledger.Ledger { return open(t, path) }
	})
}

func TestMain(m *testing.M) {
	acceptUntilKilled()
	goleak.VerifyTestMain(m)
}

func open(t *testing.T, path string) *sqliteledger.Ledger {
	t.Helper()
	l, err := sqliteledger.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}
