package ffmpeg

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"

	"golang.org/x/sys/cpu"

	"github.com/spool-video/spool/flow"
)

// Class names what this machine's encoders write: machines of one class write
// the same bytes for the same chunk. It is made of ffmpeg's version with that
// of its libraries, of what the processor can (x264 decides otherwise with
// AVX-512 than without, and with SSSE3 than without; that was tried), and of a
// hash of short pictures and sound that are encoded here and now, which has
// x264's build in it. It takes a fraction of a second.
func (t Tools) Class(ctx context.Context) (string, error) {
	said := make([][]byte, len(touchstones)) // each task has its own place
	err := flow.Run(ctx, func(g *flow.Group) {
		for i, args := range touchstones {
			g.Go(func(ctx context.Context) (err error) {
				said[i], err = t.run(ctx, t.FFmpeg, args...)
				return err
			})
		}
	})
	if err != nil {
		return "", fmt.Errorf("class of the encoders: %w", err)
	}
	version, err := versionIn(said[0])
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	for _, out := range said {
		hash.Write(out)
	}
	return fmt.Sprintf("%s/%s-%s/%x", version, runtime.GOARCH, processor(), hash.Sum(nil)[:4]), nil
}

// touchstones are what ffmpeg is asked for its class.
var touchstones = [...][]string{
	aboutArgs,
	// The bounded rate is what makes small differences grow.
	{
		"-v", "error", "-nostdin", "-threads", "1", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=24:duration=1",
		"-vf", "noise=alls=20:allf=t:all_seed=1,scale=256:144,format=yuv420p",
		"-c:v", "libx264", "-threads", "1", "-preset", "medium", "-crf", "23", "-maxrate", "300k", "-bufsize", "300k", "-f", "h264", "pipe:1",
	},
	{"-v", "error", "-nostdin", "-f", "lavfi", "-i", "sine=frequency=440:duration=1", "-c:a", "aac", "-b:a", "64k", "-f", "adts", "pipe:1"},
}

// processor is what of a processor's abilities changes what encoders write.
func processor() string {
	x := cpu.X86
	switch {
	case runtime.GOARCH != "amd64":
		return "any"
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512CD && x.HasAVX512DQ && x.HasAVX512VL:
		return "avx512"
	case x.HasAVX2:
		return "avx2"
	case x.HasSSSE3:
		return "ssse3"
	}
	return "sse2"
}
