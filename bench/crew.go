package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// hiring is which workers of bench/crew are wanted. They are Spool's own, so
// that what passes between them and serve is what passes in a real fleet; they
// only have nothing to do.
type hiring struct {
	name    string        // what their names begin with
	workers int           // how many
	slots   int           // jobs of a kind at a time, each
	chunks  int           // of every video
	takes   time.Duration // a chunk, on average
}

// crew is workers in one process.
type crew struct {
	process *exec.Cmd
	out     bytes.Buffer
	said    bytes.Buffer
}

// done is what a crew did.
type done struct {
	Jobs   int
	Chunks []span // those that took any time
}

// span is when a chunk was worked on, in nanoseconds since 1970.
type span struct{ From, To int64 }

// hire starts workers for a service.
func (b *bench) hire(ctx context.Context, s *service, h hiring) (*crew, error) {
	reach, err := s.reach()
	if err != nil {
		return nil, err
	}
	c := &crew{}
	c.process = b.command(ctx, b.crew, "-queue", s.url, "-reach", reach, "-name", cmp.Or(h.name, "crew"), "-workers", fmt.Sprint(h.workers),
		"-slots", fmt.Sprint(h.slots), "-chunks", fmt.Sprint(h.chunks), "-takes", h.takes.String())
	c.process.Stdout, c.process.Stderr = &c.out, &c.said
	return c, c.process.Start()
}

// crews builds bench/crew, unless it was.
func (b *bench) crews(ctx context.Context) error {
	if b.crew != "" {
		return nil
	}
	b.crew = filepath.Join(b.dir, "crew")
	return b.build(ctx, "bench/crew", b.crew)
}

// build makes a program of a folder of this repository, where the benchmark is
// run.
func (b *bench) build(ctx context.Context, folder, path string) error {
	command := exec.CommandContext(ctx, "go", "build", "-C", folder, "-o", path, ".")
	said, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %s: %w: %s", folder, err, tail(string(said)))
	}
	return nil
}

// dismiss ends workers, and says what they did.
func (c *crew) dismiss() (done, error) {
	_ = c.process.Process.Signal(os.Interrupt) // it may have ended
	if err := c.process.Wait(); err != nil {
		return done{}, fmt.Errorf("bench/crew: %w: %s", err, tail(c.said.String()))
	}
	var d done
	return d, json.Unmarshal(c.out.Bytes(), &d)
}

// kill ends workers without a word.
func (c *crew) kill() {
	_ = c.process.Process.Kill()
	_ = c.process.Wait() // it was killed
}
