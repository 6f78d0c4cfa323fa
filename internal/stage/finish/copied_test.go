package finish_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/verify"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

// copied is a finish job whose top rung was copied.
func copied(t *testing.T, m *verifytest.Memory) spool.Job {
	t.Helper()
	job := verifytest.Job(t, m, verifytest.Options{})
	job.Plan.Rungs[0].Action = spool.CopyRung
	return job
}

func TestCopiedRenditionIsPublished(t *testing.T) {
	m := verifytest.NewMemory()
	job := copied(t, m)
	if _, err := run(t, stage(m), job); err != nil {
		t.Fatal(err)
	}
	if report := deep(t, m); len(report.Findings) > 0 {
		t.Errorf("findings %v", report.Findings)
	}
}

// A decoder that refuses what was copied says nothing against the encoded
// rungs: the video is planned again. It says much about an encoded rung.
func TestCopiedPicturesThatDoNotDecode(t *testing.T) {
	ffmpeg := filepath.Join(t.TempDir(), "ffmpeg")
	if err := os.WriteFile(ffmpeg, []byte("#!/bin/sh\ncat >/dev/null\nexit 1\n"), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	for action, class := range map[spool.Action]spool.Class{spool.CopyRung: spool.Replan, spool.EncodeRung: spool.Transient} {
		m := verifytest.NewMemory()
		job := copied(t, m)
		job.Plan.Rungs[0].Action = action
		s := stage(m)
		s.Tools.FFmpeg = ffmpeg
		_, err := run(t, s, job)
		var e *spool.Error
		if !errors.As(err, &e) || e.Class != class || !strings.Contains(e.Reason, "cannot decode") {
			t.Errorf("%s: %+v", action, err)
		}
		if slices.Contains(m.Names(), verifytest.Video+"/"+verify.MasterName) {
			t.Errorf("%s: it was published", action)
		}
	}
}
