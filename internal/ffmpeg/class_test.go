package ffmpeg

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The class of one machine is always the same, and another one as soon as its
// encoder is.
func TestClass(t *testing.T) {
	tools, err := Find(t.Context(), "", "", "it is not what is tested")
	if err != nil {
		t.Fatal(err)
	}
	class := func(tools Tools) string {
		t.Helper()
		c, err := tools.Class(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := class(tools)
	if again := class(tools); again != first || strings.Count(first, "/") != 2 {
		t.Errorf("class %q, then %q", first, again)
	}
	other := tools
	other.FFmpeg = filepath.Join(t.TempDir(), "ffmpeg")
	script := fmt.Sprintf("#!/bin/sh\nfor a; do shift; [ \"$a\" = medium ] && a=fast; set -- \"$@\" \"$a\"; done\nexec %s \"$@\"\n", tools.FFmpeg)
	if err := os.WriteFile(other.FFmpeg, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	if changed := class(other); changed == first {
		t.Errorf("an encoder that writes something else has the same class %q", changed)
	}
}
