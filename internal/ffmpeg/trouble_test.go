package ffmpeg

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/process"
)

// However an encoder ends a video, there is a sentence on what to do.
func TestTroubleSaysWhatToDo(t *testing.T) {
	cause := errors.New("it went wrong")
	for code, c := range map[string]struct {
		err  error
		hint string
	}{
		"encoder-killed":          {Killed("chunk 3", &process.ExitError{Code: -1, Signal: syscall.SIGSEGV}), "ffprobe"},
		"encoder-failed":          {Failed("chunk 3", &process.ExitError{Code: 3}), "ffprobe"},
		"encoder-stuck":           {Stuck("chunk 3", cause), "ffprobe"},
		"segments-not-as-planned": {Unplanned("chunk 3", cause), "spool doctor"},
		"no-ffmpeg":               {NotStarted(cause), "ffmpeg"},
	} {
		var e *spool.Error
		if !errors.As(c.err, &e) || e.Code != code || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%s: %+v", code, c.err)
		}
	}
	var e *spool.Error
	if err := Killed("chunk 3", &process.ExitError{Code: -1, Signal: syscall.SIGKILL}); !errors.As(err, &e) || !strings.Contains(e.Hint, "--encodes") {
		t.Errorf("by a machine that has no memory: %+v", e)
	}
}
