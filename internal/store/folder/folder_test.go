package folder_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/folder"
	"github.com/spool-video/spool/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, t.TempDir(), folder.Options{}) })
}

func open(t *testing.T, dir string, o folder.Options) *folder.Store {
	t.Helper()
	s, err := folder.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
