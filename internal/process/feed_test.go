package process

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

// fed runs a shell command whose standard input something writes.
func fed(t *testing.T, script string, feed func(context.Context, io.Writer) error) (string, error) {
	t.Helper()
	out, err := Run(t.Context(), Command{Path: "/bin/sh", Args: []string{"-c", script}, Feed: feed})
	return string(out), err
}

func TestFeedIsStandardInput(t *testing.T) {
	want := strings.Repeat("spool ", 100_000)
	got, err := fed(t, "cat", func(_ context.Context, w io.Writer) error {
		_, err := io.Copy(w, strings.NewReader(want))
		return err
	})
	if err != nil || got != want {
		t.Fatalf("%d bytes came through, want %d: %v", len(got), len(want), err)
	}
}

// A child that has read enough ends; whoever feeds it is told, also when it is
// waiting for what to write next.
func TestFeedEndsWithTheChild(t *testing.T) {
	for name, feed := range map[string]func(context.Context, io.Writer) error{
		"writing": func(_ context.Context, w io.Writer) error {
			for {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<16)); err != nil {
					return err
				}
			}
		},
		"waiting": func(ctx context.Context, w io.Writer) error {
			if _, err := w.Write([]byte("0123456789")); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := fed(t, "head -c 4", feed); err != nil || len(got) != 4 {
				t.Fatalf("%q, %v", got, err)
			}
		})
	}
}

// An input that breaks off is not taken for one that ends.
func TestFeedThatFailsStopsTheChild(t *testing.T) {
	broke := errors.New("it broke off")
	_, err := fed(t, "cat >/dev/null; echo whole", func(_ context.Context, w io.Writer) error {
		_, _ = w.Write([]byte("half")) // the error that counts is the next
		return broke
	})
	if !errors.Is(err, broke) {
		t.Fatalf("%v, want %v", err, broke)
	}
}

func TestFeedOfAChildThatDoesNotStart(t *testing.T) {
	_, err := Run(t.Context(), Command{Path: "/nowhere/at/all", Feed: func(context.Context, io.Writer) error {
		t.Error("it is fed")
		return nil
	}})
	if err == nil {
		t.Fatal("it started")
	}
}
