package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// killed is what is done twice when spool is killed in the middle of a long
// video: chunks, and bytes of the source.
func (b *bench) killed(ctx context.Context) ([]figure, error) {
	long, err := b.makeLong(ctx, "kill.mp4", b.kill, indexFirst)
	if err != nil {
		return nil, err
	}
	pace, err := b.findPace(ctx)
	if err != nil {
		return nil, err
	}
	// The download is still going on when spool is killed.
	site, err := openSite(ctx, []string{long}, time.Duration(pace*float64(b.kill)*float64(time.Second)))
	if err != nil {
		return nil, err
	}
	defer site.Close()
	o := order{
		name: "kill", sources: site.URLs(), preset: b.quick, progress: "json",
		flags: append([]string{"--encodes", strconv.Itoa(b.slots)}, noCopy...),
	}
	at, err := b.runAndKill(ctx, o)
	if err != nil {
		return nil, err
	}
	before, err := b.chunks(ctx, o)
	if err != nil {
		return nil, err
	}
	b.note("killed at %d of %d frames: %d chunks done, %d begun, %d waiting; the site had sent %.1f of %.1f MB",
		at.Done, at.Total, before.count(chunkDone), before.count(chunkRunning),
		len(before)-before.count(chunkDone)-before.count(chunkRunning), float64(site.Sent())/1e6, float64(site.bytes)/1e6)
	rest, err := b.runSpool(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("after the kill: %w", err)
	}
	after, err := b.chunks(ctx, o)
	if err != nil {
		return nil, err
	}
	twice := before.repeated(after)
	b.note("run again: %.1f s, %d chunks encoded twice, %.1f MB sent in all, %d encoders", rest.wall.Seconds(), twice, float64(site.Sent())/1e6, b.slots)
	return []figure{
		{"killed at 50 %: chunks encoded twice / encoders", float64(twice) / float64(b.slots), 1, ""},
		{"killed at 50 %: bytes sent / bytes of the source", float64(site.Sent()) / float64(site.bytes), 1.05, ""},
	}, os.RemoveAll(b.home(o))
}

// findPace measures, once, how long Spool takes to encode a second of video.
func (b *bench) findPace(ctx context.Context) (float64, error) {
	if b.pace > 0 {
		return b.pace, nil
	}
	short, err := b.makeLong(ctx, "pace.mp4", max(b.tape, shortestTape), indexFirst)
	if err != nil {
		return 0, err
	}
	used, err := b.runOnce(ctx, order{name: "pace", sources: []string{short}, preset: b.quick, flags: noCopy})
	if err != nil {
		return 0, err
	}
	b.pace = used.wall.Seconds() / float64(max(b.tape, shortestTape))
	b.note("Spool encodes a second in %.2f s, %s", b.pace, b.quick)
	return b.pace, nil
}

// share is how much of a known amount is done.
type share struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// errNotKilled says that there was nothing to kill.
var errNotKilled = errors.New("spool ended before it was killed: the video is too short")

// runAndKill carries an order out until half of its only video is encoded, and
// then kills spool alone, as the machine's memory killer would: its children
// are its own business.
func (b *bench) runAndKill(ctx context.Context, o order) (share, error) {
	args, err := b.arguments(o)
	if err != nil {
		return share{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	command := b.command(ctx, b.spool, args...)
	command.Cancel = func() error { return command.Process.Kill() }
	events, err := command.StderrPipe()
	if err != nil {
		return share{}, err
	}
	if err := command.Start(); err != nil {
		return share{}, err
	}
	at, said, err := halfWay(events)
	cancel()
	_, _ = io.Copy(io.Discard, events) // what it still said
	_ = command.Wait()                 // it was killed
	if err != nil {
		return share{}, fmt.Errorf("%w: %s", err, tail(said))
	}
	return at, nil
}

// halfWay reads progress until half of the frames are encoded. It gives all
// that was said when that never happened.
func halfWay(events io.Reader) (share, string, error) {
	var said bytes.Buffer
	lines := bufio.NewScanner(events)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		said.Write(append(lines.Bytes(), '\n'))
		var event struct {
			Progress struct {
				Encode share `json:"encode"`
			} `json:"progress"`
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			continue // a line that is not progress
		}
		if e := event.Progress.Encode; e.Total > 0 && 2*e.Done >= e.Total {
			return e, "", nil
		}
	}
	return share{}, said.String(), errors.Join(errNotKilled, lines.Err())
}

// States of chunks that matter here, as spool show gives them.
const (
	chunkRunning = "running"
	chunkDone    = "done"
)

// chunk is one encoding job.
type chunk struct {
	Revision string `json:"revision"`
	Kind     string `json:"kind"`
	Number   int    `json:"number"`
	State    string `json:"state"`
	Epoch    int    `json:"epoch"` // how often it was handed out
}

// chunks are a video's encoding jobs.
type chunks []chunk

// chunks asks spool for those of an order's only video.
func (b *bench) chunks(ctx context.Context, o order) (chunks, error) {
	home := b.home(o)
	command := exec.CommandContext(ctx, b.spool, "show", videoID(0), "--to", filepath.Join(home, "to"), "--state", filepath.Join(home, "state"), "--json")
	command.Dir, command.Env = b.dir, b.env()
	said, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("spool show: %w", err)
	}
	var video struct {
		Revision string `json:"revision"`
		Jobs     chunks `json:"jobs"`
	}
	if err := json.Unmarshal(said, &video); err != nil {
		return nil, fmt.Errorf("spool show: %w", err)
	}
	var found chunks
	for _, c := range video.Jobs {
		if c.Kind == "encode" && c.Revision == video.Revision {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return nil, errors.New("spool show: the video has no chunks")
	}
	return found, nil
}

func (all chunks) count(state string) int {
	n := 0
	for _, c := range all {
		if c.State == state {
			n++
		}
	}
	return n
}

// repeated is how many chunks were begun before and handed out again, or are
// not known any more. What was only handed out, and not begun, cost nothing.
func (all chunks) repeated(after chunks) int {
	n := 0
	for _, c := range all {
		kept := slices.ContainsFunc(after, func(later chunk) bool {
			return later.Revision == c.Revision && later.Number == c.Number && later.Epoch == c.Epoch
		})
		if !kept && (c.State == chunkRunning || c.State == chunkDone) {
			n++
		}
	}
	return n
}
