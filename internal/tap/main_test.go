package tap_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// studio is the folder of films that several tests share.
var studio string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "tap")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	studio = dir
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}
