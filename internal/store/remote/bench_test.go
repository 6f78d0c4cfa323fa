package remote_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/hosttest"
	"github.com/spool-video/spool/internal/process"
	"github.com/spool-video/spool/internal/publish"
	"github.com/spool-video/spool/internal/store/remote"
)

const (
	benchSegments = 300
	benchSize     = 1_000_000 // bytes
	benchUploads  = 8         // as many as Spool has unless it is told otherwise
	benchParts    = 4         // that are published at a time
)

// BenchmarkAgainstRclone publishes segments to an S3 server on this machine as
// the parts of a video are published, and has rclone's own program copy the same
// files there, as many at a time. Both begin with nothing but their settings;
// what rclone takes to start at all does not count.
func BenchmarkAgainstRclone(b *testing.B) {
	options, program := hosttest.S3(b), hosttest.Rclone(b)
	config := filepath.Join(b.TempDir(), "rclone.conf")
	text := "[there]\n"
	for name, value := range options {
		text += name + " = " + value + "\n"
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	run := func(args ...string) time.Duration {
		began := time.Now()
		if _, err := process.Run(b.Context(), process.Command{Path: program, Args: append(args, "--config", config), Dir: b.TempDir()}); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	var ours, theirs time.Duration
	for n := 0; b.Loop(); n++ {
		scratch := b.TempDir()
		made := makeParts(b, scratch)
		took := publishParts(b, options, fmt.Sprintf("%s/ours-%d", hosttest.Bucket, n), made)
		// Published parts have left scratch, so that rclone gets them anew.
		scratch = b.TempDir()
		makeParts(b, scratch)
		start := run("version")
		copied := run("copy", "--transfers", fmt.Sprint(benchUploads), "--checkers", fmt.Sprint(benchUploads), "--include", "*.m4s",
			scratch, fmt.Sprintf("there:%s/theirs-%d", hosttest.Bucket, n)) - start
		b.Logf("Spool %.2f s, rclone %.2f s and %.2f s to start", took.Seconds(), copied.Seconds(), start.Seconds())
		if n == 0 || took < ours {
			ours = took
		}
		if n == 0 || copied < theirs {
			theirs = copied
		}
	}
	b.ReportMetric(ours.Seconds(), "s-spool")
	b.ReportMetric(theirs.Seconds(), "s-rclone")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "wall/rclone")
}

// part is one part of a video, made and not published.
type part struct {
	*publish.Part
	segments []publish.Plain
}

// makeParts makes the segments of some parts, all of them different.
func makeParts(b *testing.B, scratch string) (parts []part) {
	b.Helper()
	dice := rand.NewChaCha8([32]byte{7})
	data := make([]byte, benchSize)
	for n := range benchParts {
		p, err := publish.OpenPart(scratch, spool.JobKey{Video: "v", Revision: "r", Kind: spool.Encode, Number: n}, "bench")
		if err != nil {
			b.Fatal(err)
		}
		one := part{Part: p}
		for i := range benchSegments / benchParts {
			_, _ = dice.Read(data) // it never fails
			s, err := p.Write(publish.Plain{Rendition: "v0-360p", Number: n*benchSegments/benchParts + i, Units: 1}, data)
			if err != nil {
				b.Fatal(err)
			}
			one.segments = append(one.segments, s)
		}
		parts = append(parts, one)
	}
	return parts
}

// publishParts opens a store and publishes parts there; it says how long both
// took.
func publishParts(b *testing.B, options map[string]string, at string, parts []part) time.Duration {
	b.Helper()
	began := time.Now()
	s, err := remote.Open(b.Context(), spool.RemotePath{Remote: "there", Path: at}, remote.Options{
		Remotes: func() (remote.Remotes, error) { return remote.Remotes{"there": options}, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	target := publish.Publisher{Store: s, Uploads: flow.NewSlots(benchUploads)}.Target(spool.Job{JobKey: spool.JobKey{Video: "v", Revision: "r"}})
	err = flow.Run(b.Context(), func(g *flow.Group) {
		for _, p := range parts {
			g.Go(func(ctx context.Context) error {
				_, err := target.Run(ctx, p.Part, len(p.segments), nil, func(_ context.Context, done func(publish.Plain) error) (publish.Record, error) {
					for _, s := range p.segments {
						if err := done(s); err != nil {
							return publish.Record{}, err
						}
					}
					return publish.Record{Segments: p.segments}, nil
				})
				return err
			})
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return took
}
