package server

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

func TestStartAndStop(t *testing.T) {
	running := serve(t, Preview{Dir: bucket(t)})
	answer, err := http.Get(running.URL())
	if err != nil {
		t.Fatal(err)
	}
	page := body(t, answer)
	if err := answer.Body.Close(); err != nil || !strings.Contains(page, "Spool preview") {
		t.Errorf("%v %q", err, page)
	}
	http.DefaultClient.CloseIdleConnections()

	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = Start(t.Context(), Preview{Dir: t.TempDir(), Port: taken.Addr().(*net.TCPAddr).Port})
	if known := spool.AsError(err); known == nil || known.Code != "port-taken" {
		t.Errorf("a taken port: %v", err)
	}
	_, err = Start(t.Context(), Preview{Dir: filepath.Join(t.TempDir(), "never")})
	if known := spool.AsError(err); known == nil || known.Code != "no-destination" {
		t.Errorf("no folder: %v", err)
	}
}

func TestOpenSaysWhenThereIsNoBrowser(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := Open(t.Context(), "http://127.0.0.1:1/"); err == nil {
		t.Error("no error without any program")
	}
}

func TestOpenStartsTheBrowserAndReturns(t *testing.T) {
	dir := t.TempDir()
	opened := filepath.Join(dir, "opened")
	if err := syscall.Mkfifo(opened, 0o600); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho noise; echo noise >&2\necho \"$1\" >" + opened + "\n"
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(opened, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	if err := pipe.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	const address = "http://127.0.0.1:1/#/v/a;b$(c)"
	if err := Open(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	got, err := bufio.NewReader(pipe).ReadString('\n')
	if err != nil || strings.TrimSpace(got) != address {
		t.Errorf("%q, %v", got, err)
	}
}

func TestDesktopTakesOnlyWhatABrowserNeeds(t *testing.T) {
	env := map[string]string{"DISPLAY": ":0", "AWS_SECRET_ACCESS_KEY": secret}
	got := desktop(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if fmt.Sprint(got) != "[DISPLAY=:0]" {
		t.Errorf("%q", got)
	}
}
