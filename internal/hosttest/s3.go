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

// built is where the go command keeps the server that it has built.
var built struct {
	once sync.Once
	path string
	err  error
}

// versitygw builds the server, which tools/servers pins, the first time.
func versitygw(tb testing.TB) string {
	tb.Helper()
	built.once.Do(func() {
		_, here, _, _ := runtime.Caller(0)
		module := filepath.Join(filepath.Dir(here), "../../tools/servers")
		var out bytes.Buffer
		var child *process.Process
		child, built.err = process.Start(tb.Context(), process.Command{
			Path: "go", Args: []string{"tool", "-n", "versitygw"}, Dir: module, Env: append(os.Environ(), "TMPDIR="+os.TempDir()), Stdout: &out,
		})
		if built.err == nil {
			built.err = child.Wait()
		}
		built.path = strings.TrimSpace(out.String())
	})
	if built.err != nil {
		tb.Fatalf("build versitygw: %v", built.err)
	}
	return built.path
}
