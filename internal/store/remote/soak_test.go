//go:build soak

package remote_test

import (
	"testing"

	"github.com/spool-video/spool/internal/hosttest"
)

func TestSoakSMB(t *testing.T) {
	t.Parallel()
	conform(t, hosttest.SMB(t), hosttest.Share)
}

func TestSoakWebDAV(t *testing.T) {
	t.Parallel()
	conform(t, hosttest.WebDAV(t), "in")
}

func TestSoakFTP(t *testing.T) {
	t.Parallel()
	conform(t, hosttest.FTP(t), "in")
}

func TestSoakWebIndex(t *testing.T) {
	t.Parallel()
	options, folder := hosttest.WebIndex(t)
	browse(t, options, folder, true)
}
