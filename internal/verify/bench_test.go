package verify_test

import (
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/stage/finish"
	"github.com/spool-video/spool/internal/verify"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

// What a check costs: fast is what every video pays before it is READY.
func BenchmarkPackage(b *testing.B) {
	m := verifytest.NewMemory()
	job := verifytest.Job(b, m, verifytest.Options{Encrypted: true})
	if _, err := (finish.Stage{Store: m}).Run(b.Context(), job, func(spool.Progress) {}); err != nil {
		b.Fatal(err)
	}
	for name, deep := range map[string]bool{"fast": false, "deep": true} {
		b.Run(name, func(b *testing.B) {
			decoded := 0
			for b.Loop() {
				r, err := verify.Package(b.Context(), m, verifytest.Video, verify.Options{Keys: keysOf, Deep: deep})
				if err != nil || !r.OK() {
					b.Fatalf("%v, %v", r.Findings, err)
				}
				decoded += r.Decoded
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(decoded), "ms/segment")
		})
	}
}
