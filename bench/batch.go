package main

import (
	"context"
	"fmt"
	"time"
)

// noCopy has all rungs encoded, as the yardstick does.
var noCopy = []string{"--copy", "never"}

// batch compares a list of clips of 1080p on a link with the ideal and with the
// yardstick.
func (b *bench) batch(ctx context.Context) ([]figure, error) {
	_, figures, err := b.list(ctx, "batch", clip{seconds: b.seconds})
	return figures, err
}

// large is batch with larger clips, as telephones film them: to decode once,
// and not once a rung, counts for more there.
func (b *bench) large(ctx context.Context) ([]figure, error) {
	cpu, figures, err := b.list(ctx, "large", clip{seconds: b.big, height: b.tall})
	return append(figures, figure{"large: CPU / three serial runs' CPU", cpu, 0.85, ""}), err
}

// list measures a list of clips. The ideal is that nothing waits: the list
// takes as long as its downloads or its encodes alone, whichever is more. cpu
// is what it costs, as a ratio to the yardstick.
func (b *bench) list(ctx context.Context, name string, c clip) (cpu float64, figures []figure, err error) {
	clips, err := b.makeClips(ctx, c)
	if err != nil {
		return 0, nil, err
	}
	bare, err := b.encodeAlone(ctx, clips)
	if err != nil {
		return 0, nil, err
	}
	alone, err := b.runOnce(ctx, order{name: name + "-alone", sources: clips, preset: b.preset, flags: noCopy})
	if err != nil {
		return 0, nil, err
	}
	site, err := openSite(ctx, clips, alone.wall)
	if err != nil {
		return 0, nil, err
	}
	defer site.Close()
	encode, download := alone.wall, site.Takes()
	b.note("%s of %d clips of %d s, %s, nothing copied: Σ encode %.1f s (Spool, from the disk; one bare ffmpeg a clip %.1f s), Σ download %.1f s (link %.2f MB/s)",
		name, b.clips, c.seconds, b.preset, encode.Seconds(), bare.Seconds(), download.Seconds(), site.Rate()/1e6)

	yard, err := b.yardstick(ctx, site.URLs())
	if err != nil {
		return 0, nil, fmt.Errorf("yardstick: %w", err)
	}
	b.note("yardstick: wall %.1f s, CPU %.1f s", yard.wall.Seconds(), yard.cpu.Seconds())
	spool, err := b.runOnce(ctx, order{name: name, sources: site.URLs(), preset: b.preset, flags: noCopy})
	if err != nil {
		return 0, nil, err
	}
	b.note("spool: wall %.1f s, CPU %.1f s (alone %.1f s)", spool.wall.Seconds(), spool.cpu.Seconds(), alone.cpu.Seconds())
	return ratio(spool.cpu, yard.cpu), []figure{
		{name + ": wall / max(Σ download, Σ encode)", ratio(spool.wall, max(download, encode)), 1.08, ""},
		{name + ": wall / yardstick's wall", ratio(spool.wall, yard.wall), 0.72, ""},
	}, nil
}

// oneVideo is the batch's first figure for a single long video: it is encoded
// while it arrives.
func (b *bench) oneVideo(ctx context.Context) ([]figure, error) {
	long, err := b.makeLong(ctx, "one.mp4", b.one, indexFirst)
	if err != nil {
		return nil, err
	}
	alone, err := b.runOnce(ctx, order{name: "one-alone", sources: []string{long}, preset: b.quick, flags: noCopy})
	if err != nil {
		return nil, err
	}
	b.pace = alone.wall.Seconds() / float64(b.one)
	site, err := openSite(ctx, []string{long}, alone.wall)
	if err != nil {
		return nil, err
	}
	defer site.Close()
	encode, download := alone.wall, site.Takes()
	b.note("one video of %d s, %s, nothing copied: encode %.1f s (Spool, from the disk), download %.1f s (link %.2f MB/s)",
		b.one, b.quick, encode.Seconds(), download.Seconds(), site.Rate()/1e6)
	spool, err := b.runOnce(ctx, order{name: "one", sources: site.URLs(), preset: b.quick, flags: noCopy})
	if err != nil {
		return nil, err
	}
	b.note("spool: wall %.1f s, CPU %.1f s (alone %.1f s)", spool.wall.Seconds(), spool.cpu.Seconds(), alone.cpu.Seconds())
	return []figure{{"one video: wall / max(download, encode)", ratio(spool.wall, max(download, encode)), 1.12, ""}}, nil
}

// work compares what a single video costs with three serial runs.
func (b *bench) work(ctx context.Context) ([]figure, error) {
	film, err := b.makeLong(ctx, "cpu.mp4", b.cpu, indexFirst)
	if err != nil {
		return nil, err
	}
	if err := b.mustCopy(ctx, film); err != nil {
		return nil, err
	}
	serial, err := b.threeRuns(ctx, film)
	if err != nil {
		return nil, err
	}
	encoded, err := b.runOnce(ctx, order{name: "cpu", sources: []string{film}, preset: b.preset, flags: noCopy})
	if err != nil {
		return nil, err
	}
	figures := []figure{{"one video: CPU / three serial runs' CPU", ratio(encoded.cpu, serial), 0.85, ""}}
	copied, err := b.runOnce(ctx, order{name: "cpu-copied", sources: []string{film}, preset: b.preset})
	if err != nil {
		return figures, err
	}
	b.note("CPU of one video of %d s, %s: three serial runs %.1f s, Spool %.1f s, with the top rung copied %.1f s",
		b.cpu, b.preset, serial.Seconds(), encoded.cpu.Seconds(), copied.cpu.Seconds())
	return append(figures,
		figure{"one video: CPU, top rung copied / encoded", ratio(copied.cpu, encoded.cpu), 0.45, ""}), nil
}

// again runs a list of ready videos once more.
func (b *bench) again(ctx context.Context) ([]figure, error) {
	clips, err := b.makeTiny(ctx)
	if err != nil {
		return nil, err
	}
	ready := order{name: "ready", sources: clips, preset: "ultrafast"}
	first, err := b.runSpool(ctx, ready)
	if err != nil {
		return nil, err
	}
	b.note("%d tiny videos made ready in %.1f s", b.ready, first.wall.Seconds())
	best := first.wall
	for range 3 {
		spent, err := b.runSpool(ctx, ready)
		if err != nil {
			return nil, err
		}
		best = min(best, spent.wall)
	}
	name := fmt.Sprintf("run again with %d ready videos", b.ready)
	return []figure{{name, best.Seconds(), 1, "s"}}, nil
}

// quickness is how long the first screen takes.
func (b *bench) quickness(ctx context.Context) ([]figure, error) {
	var best time.Duration
	for range 10 {
		spent, err := b.call(ctx, b.spool, "--help")
		if err != nil {
			return nil, err
		}
		best = shorter(best, spent.wall)
	}
	return []figure{{"spool --help", float64(best.Microseconds()) / 1000, 50, "ms"}}, nil
}
