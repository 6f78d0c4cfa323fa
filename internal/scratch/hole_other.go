//go:build !linux

package scratch

import (
	"errors"
	"os"

	"github.com/spool-video/spool"
)

// punch is known to Linux alone.
func punch(*os.File, spool.Span) error { return errors.ErrUnsupported }
