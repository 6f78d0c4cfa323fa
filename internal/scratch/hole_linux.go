package scratch

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/spool-video/spool"
)

// punch gives the blocks of a run of bytes back to the file system. The file's
// length stays, and the bytes read as zeros.
func punch(f *os.File, s spool.Span) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("give back bytes of %s: %w", f.Name(), err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.Fallocate(int(fd), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, s.From, s.Len())
	})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("give back bytes of %s: %w", f.Name(), err)
	}
	return nil
}
