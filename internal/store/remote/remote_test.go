package remote_test

import (
	"net/http/httptest"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/remote"
	"github.com/spool-video/spool/internal/store/storetest"
)

func TestS3InMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		server := httptest.NewServer(gofakes3.New(s3mem.New(), gofakes3.WithAutoBucket(true)).Server())
		t.Cleanup(server.Close)
		s, err := remote.Open(t.Context(), spool.RemotePath{Remote: "s", Path: "bucket/dest"}, remote.Options{Remotes: func() (remote.Remotes, error) {
			return remote.Remotes{"s": {"type": "s3", "provider": "Other", "endpoint": server.URL, "access_key_id": "a", "secret_access_key": "b"}}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
