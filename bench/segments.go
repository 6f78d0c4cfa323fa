package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// segments compares publishing segments with what rclone's own program takes
// to copy them. To call spool would measure encoders, too: a benchmark of the
// store that it publishes with does both.
func (b *bench) segments(ctx context.Context) ([]figure, error) {
	f := figure{name: "300 segments of 1 MB to a bucket / rclone copy, wall", reach: 1.10}
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkAgainstRclone$", "-benchtime", fmt.Sprint(b.tries, "x"),
		"-timeout", b.limit.String(), "./internal/store/remote").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test -bench: %w: %s", err, out)
	}
	words := strings.Fields(string(out))
	for i, word := range words {
		switch word {
		case "wall/rclone":
			f.value, err = strconv.ParseFloat(words[i-1], 64)
		case "s-spool", "s-rclone":
			b.note("segments: %s %s", words[i-1], word)
		}
	}
	if err != nil || f.value == 0 {
		return nil, fmt.Errorf("go test -bench gave no figure: %s", out)
	}
	return []figure{f}, nil
}
