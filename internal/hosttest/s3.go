package hosttest

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/spool-video/spool/internal/process"
)

// Bucket is the bucket that the S3 server has.
const Bucket = "films"

// The one user of the S3 server.
const (
	AccessKey = "spool"
	SecretKey = "spool-of-film"
)

// S3 starts an S3 server, versitygw, over a folder with one bucket.
func S3(tb testing.TB) map[string]string {
	tb.Helper()
	gateway := versitygw(tb)
	dir, port := tb.TempDir(), freePort(tb)
	data, about := filepath.Join(dir, "data"), filepath.Join(dir, "about") // not every file system keeps attributes
	for _, folder := range []string{filepath.Join(data, Bucket), about} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	// Without --disableotmp, lists show what is being put over another object.
	start(tb, process.Command{
		Path: gateway, Dir: dir,
		Args: []string{"--quiet", "--port", "127.0.0.1:" + port, "--access", AccessKey, "--secret", SecretKey, "posix", "--sidecar", about, "--disableotmp", data},
	}, port)
	return map[string]string{
		"type": "s3", "provider": "Other", "endpoint": "http://127.0.0.1:" + port, "region": "us-east-1",
		"access_key_id": AccessKey, "secret_access_key": SecretKey,
	}
}

// Rclone is rclone's own program, of the version that Spool has as a library;
// tools/rclone pins it. To build it takes minutes, the first time.
func Rclone(tb testing.TB) string {
	tb.Helper()
	return tool(tb, "rclone", "rclone")
}

func versitygw(tb testing.TB) string {
	tb.Helper()
	return tool(tb, "servers", "versitygw")
}

// built is where the go command keeps the programs that it has built, by name.
var built struct {
	mu    sync.Mutex
	paths map[string]string
}

// tool builds a program that a module in tools pins, the first time.
func tool(tb testing.TB, module, name string) string {
	tb.Helper()
	built.mu.Lock()
	defer built.mu.Unlock()
	if path := built.paths[name]; path != "" {
		return path
	}
	_, here, _, _ := runtime.Caller(0)
	var out bytes.Buffer
	child, err := process.Start(tb.Context(), process.Command{
		Path: "go", Args: []string{"tool", "-n", name}, Dir: filepath.Join(filepath.Dir(here), "../../tools", module),
		Env: append(os.Environ(), "TMPDIR="+os.TempDir()), Stdout: &out,
	})
	if err == nil {
		err = child.Wait()
	}
	if err != nil {
		tb.Fatalf("build %s: %v", name, err)
	}
	if built.paths == nil {
		built.paths = map[string]string{}
	}
	built.paths[name] = strings.TrimSpace(out.String())
	return built.paths[name]
}
