package finish_test

import (
	"context"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/stage/finish"
	"github.com/spool-video/spool/internal/verify"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

func run(t *testing.T, s finish.Stage, job spool.Job) (spool.Result, error) {
	t.Helper()
	return s.Run(t.Context(), job, func(spool.Progress) {})
}

func keysOf(string) ([]byte, error) { return verifytest.Key, nil }

func deep(t *testing.T, m *verifytest.Memory) verify.Report {
	t.Helper()
	report, err := verify.Package(context.Background(), m, verifytest.Video, verify.Options{Deep: true, Keys: keysOf})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestPublish(t *testing.T) {
	for _, c := range []struct {
		name string
		o    verifytest.Options
	}{
		{"clear", verifytest.Options{Language: "eng"}},
		{"encrypted", verifytest.Options{Encrypted: true}},
		{"29.97", verifytest.Options{Rate: spool.Ratio{Num: 30000, Den: 1001}}},
		{"silent", verifytest.Options{Silent: true}},
		{"sound alone", verifytest.Options{NoVideo: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := verifytest.NewMemory()
			job := verifytest.Job(t, m, c.o)
			result, err := run(t, finish.Stage{Store: m, Version: "test"}, job)
			if err != nil {
				t.Fatal(err)
			}
			report := deep(t, m)
			if len(report.Findings) > 0 {
				t.Fatalf("findings: %v", report.Findings)
			}
			if report.Decoded != len(job.Made.Segments) || report.Objects != len(m.Names()) || result.Finished.Objects != report.Objects {
				t.Errorf("report %+v of %d objects", report, len(m.Names()))
			}
		})
	}
}
