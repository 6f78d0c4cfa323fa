package fetch

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/page"
)

const stubName = "stub-page-tool"

// stub is the test binary as a page tool whose answers the test's server
// makes: at the page's address with ?choose=FORMAT what is offered, with
// ?download the file that the tool makes.
func stub(args []string) int {
	url := args[len(args)-1]
	switch {
	case slices.Contains(args, "--version"):
		fmt.Println("2026.01.01")
		return 0
	case slices.Contains(args, "--help"):
		fmt.Println("--ignore-config --no-cache-dir --no-playlist --socket-timeout --retries --flat-playlist --playlist-items " +
			"--dump-json --dump-single-json --max-downloads --fragment-retries --continue --newline --print-json --output --cookies")
		return 0
	case slices.Contains(args, "--print-json"):
		b, err := ask(url + "?download")
		if err == nil {
			err = os.WriteFile("dl.mp4", b, 0o600)
		}
		fmt.Println(`{"id": "by-tool"}`)
		return status(err)
	}
	b, err := ask(url + "?choose=" + strings.ReplaceAll(args[slices.Index(args, "--format")+1], "+", "%2B"))
	fmt.Println(string(b))
	return status(err)
}

func status(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "ERROR:", err)
		return 1
	}
	return 0
}

func ask(url string) ([]byte, error) {
	resp, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s", b)
	}
	return b, err
}

// stubTool gives the stub as a page tool.
func stubTool(t *testing.T) *page.Tool {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), stubName)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return &page.Tool{Guard: anywhere, Path: path}
}
