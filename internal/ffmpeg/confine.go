package ffmpeg

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/spool-video/spool/internal/process"
)

// Command is one of the programs as all of them are called: under Spool's
// limits, and confined to the inputs that its arguments name. It writes to
// pipes alone.
func (t Tools) Command(program string, args []string) process.Command {
	c := process.Command{Path: program, Args: args, Limits: Limits(), Nice: t.Nice, Tag: t.Tag}
	if t.Unconfined == "" {
		c.Confine = confine(args)
	}
	return c
}

// confine is what a program needs for its inputs: their files, or the port of
// the loopback address where a source is read that is still arriving.
func confine(args []string) *process.Confine {
	c := &process.Confine{}
	for i, arg := range args[:max(len(args)-1, 0)] {
		if arg != "-i" {
			continue
		}
		input := args[i+1]
		if path, isFile := strings.CutPrefix(input, "file:"); isFile {
			c.Read = append(c.Read, path)
			continue
		}
		if u, err := url.Parse(input); err == nil && strings.HasPrefix(input, loopback) {
			c.Port, _ = strconv.Atoi(u.Port()) // our own address
		}
	}
	return c
}

// tryConfined runs one of the programs, and once more without being confined
// when it fails: one that was installed in an unusual way may need files that
// nobody can guess. If that helps it stays so.
func (t *Tools) tryConfined(run func() error) error {
	err := run()
	if err == nil || t.Unconfined != "" {
		return err
	}
	t.Unconfined = "ffmpeg does not start when it is confined"
	if free := run(); free == nil {
		return nil
	}
	t.Unconfined = ""
	return err
}
