package remote_test

import (
	"fmt"
	"path"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/hosttest"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/remote"
	"github.com/spool-video/spool/internal/store/storetest"
)

func TestS3(t *testing.T) {
	t.Parallel()
	conform(t, hosttest.S3(t), hosttest.Bucket)
}

func TestSFTP(t *testing.T) {
	t.Parallel()
	options, folder := hosttest.SSH(t)
	options["shell_type"] = "none" // for many of them: a server that only knows sftp, so that all is read back
	conform(t, options, folder)
}

// conform holds stores below a path against the contract, each in a folder of
// its own.
func conform(t *testing.T, options map[string]string, below string) {
	t.Helper()
	var n atomic.Int32
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, options, path.Join(below, fmt.Sprint(n.Add(1))), remote.Options{})
	})
}

func open(t *testing.T, options map[string]string, at string, o remote.Options) *remote.Store {
	t.Helper()
	s, err := try(t, options, at, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func try(t *testing.T, options map[string]string, at string, o remote.Options) (*remote.Store, error) {
	t.Helper()
	if o.Remotes == nil {
		o.Remotes = func() (remote.Remotes, error) { return remote.Remotes{"there": options}, nil }
	}
	if o.Rest == 0 {
		o.Rest = time.Millisecond
	}
	s, err := remote.Open(t.Context(), spool.RemotePath{Remote: "there", Path: at}, o)
	if err == nil {
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return s, err
}

func TestSwift(t *testing.T) {
	t.Parallel()
	conform(t, hosttest.Swift(t), hosttest.Bucket)
}
