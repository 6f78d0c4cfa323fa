package main

import (
	"context"
	"os"
	"path/filepath"
)

// verified compares what it costs to check a whole package, every segment of
// it decoded, with what it cost to make it.
func (b *bench) verified(ctx context.Context) ([]figure, error) {
	long, err := b.makeLong(ctx, "verify.mp4", b.check, indexFirst)
	if err != nil {
		return nil, err
	}
	o := order{name: "verify", sources: []string{long}, preset: b.preset, flags: noCopy}
	made, err := b.runSpool(ctx, o)
	if err != nil {
		return nil, err
	}
	checked, err := b.call(ctx, b.spool, "verify", filepath.Join(b.home(o), "to"))
	if err != nil {
		return nil, err
	}
	b.note("a package of %d s, %s: made in %.1f s (CPU %.1f s), checked in %.1f s (CPU %.1f s)",
		b.check, b.preset, made.wall.Seconds(), made.cpu.Seconds(), checked.wall.Seconds(), checked.cpu.Seconds())
	return []figure{
		{"verify: wall / making it", ratio(checked.wall, made.wall), 0.1, ""},
		{"verify: CPU / making it", ratio(checked.cpu, made.cpu), 0.1, ""},
	}, os.RemoveAll(b.home(o))
}
