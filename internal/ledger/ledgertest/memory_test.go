package ledgertest_test

import (
	"testing"

	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/ledgertest"
)

func TestMemory(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledgertest.Open {
		m := ledgertest.NewMemory()
		return func(*testing.T) ledger.Ledger { return m.Open() }
	})
}
