package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spool-video/spool/internal/process"
)

// browserStart is how long a program that opens a browser may take.
const browserStart = 15 * time.Second

// Open shows url in the person's browser and says nothing of its own; an
// error means that the person has to open it by hand. The browser outlives
// this program: it runs in a session of its own.
func Open(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, browserStart)
	defer cancel()
	command := process.Command{Path: "open", Args: []string{url}}
	if runtime.GOOS != "darwin" {
		// What the browser says goes nowhere: a pipe to us would break when we
		// end. The shell waits until that pipe is let go of, and by then the
		// browser has left our group, which is killed when the shell ends.
		const quiet = `: "$(setsid --fork sh -c 'exec xdg-open "$1" >/dev/null 2>&1' sh "$1")"`
		command = process.Command{Path: "sh", Args: []string{"-c", quiet, "sh", url}}
		// setsid does not tell whether what it starts is there.
		if !installed("xdg-open") {
			return errors.New("open browser: xdg-open is not installed")
		}
	}
	command.Env = desktop(os.LookupEnv)
	if _, err := process.Run(ctx, command); err != nil {
		return fmt.Errorf("open browser: %w", err)
	}
	return nil
}

// desktop picks what a browser needs to find the person's screen and profile.
func desktop(lookup func(string) (string, bool)) []string {
	var env []string
	for _, name := range []string{
		"HOME", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "BROWSER",
		"XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_DIRS", "XDG_CURRENT_DESKTOP", "XDG_SESSION_TYPE", "DESKTOP_SESSION",
	} {
		if value, ok := lookup(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func installed(program string) bool {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, program)); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}
