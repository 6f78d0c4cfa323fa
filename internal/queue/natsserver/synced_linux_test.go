package natsserver_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/process"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/natsq"
	"github.com/spool-video/spool/internal/queue/natsserver"
)

const (
	syncedFolder = "SPOOL_NATSSERVER_SYNCED"
	syncedCount  = 20
)

// init has TestMain play the process that is watched.
func init() {
	if dir := os.Getenv(syncedFolder); dir != "" {
		child = func(ctx context.Context) error { return sendSome(ctx, dir) }
	}
}

// sendSome is a process that sends messages through a server of its own, and
// writes a line after each.
func sendSome(ctx context.Context, dir string) error {
	s, err := natsserver.Start(ctx, natsserver.Config{Dir: dir})
	if err != nil {
		return err
	}
	q, err := natsq.Open(ctx, "", natsq.Options{InProcess: s})
	if err != nil {
		return errors.Join(err, s.Close())
	}
	for range syncedCount {
		err = errors.Join(err, q.Send(ctx, queue.ReportTopic, []byte("report")))
		_, werr := os.Stdout.WriteString("sent\n")
		err = errors.Join(err, werr)
	}
	return errors.Join(err, q.Close(), s.Close())
}

// TestSynced: what the server has acknowledged survives a power cut. Between
// two acknowledgements the kernel is asked to bring the message to the disk.
func TestSynced(t *testing.T) {
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := process.Run(t.Context(), process.Command{
		Path: "strace",
		Args: []string{"-f", "-y", "-s", "256", "-o", trace, "-e", "trace=openat,fsync,fdatasync,write,pwrite64", program},
		Env:  []string{syncedFolder + "=" + filepath.Join(dir, "queue")},
	})
	if err != nil || strings.Count(string(out), "sent") != syncedCount {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	if n := acknowledgedUnsynced(string(text)); n > 0 {
		t.Errorf("%d of %d acknowledged messages were not synced before", n, syncedCount)
	}
}

// acknowledgedUnsynced counts the lines that were written without a sync of a
// block of messages since the line before. A block that is opened with O_SYNC is
// synced with every write.
func acknowledgedUnsynced(trace string) (unsynced int) {
	always, synced := map[string]bool{}, false
	for line := range strings.Lines(trace) {
		block := strings.Contains(line, ".blk")
		switch {
		case strings.Contains(line, "openat(") && block && strings.Contains(line, "O_SYNC"):
			_, name, _ := strings.Cut(line, ", \"")
			name, _, _ = strings.Cut(name, `"`)
			always[name] = true
		case block && strings.Contains(line, "sync("):
			synced = true
		case block && strings.Contains(line, "write"):
			_, name, _ := strings.Cut(line, "<")
			name, _, _ = strings.Cut(name, ">")
			synced = synced || always[name]
		case strings.Contains(line, `write(1`) && strings.Contains(line, "sent"):
			if !synced {
				unsynced++
			}
			synced = false
		}
	}
	return unsynced
}
