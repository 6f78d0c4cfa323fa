package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPulledPlug kills spool and the programs that it started, with SIGKILL and
// at random moments, over and over, and holds that every video is published as
// if nothing had happened and that nothing durable is done twice. SPOOL_SOAK=1
// makes it longer; SPOOL_SEED repeats a run.
func TestPulledPlug(t *testing.T) {
	kills := killsOf(16, 100)
	seed := killSeed(t)
	w := newWorld(t)
	calm := w.bucket(t)
	calm.finish(t)
	w.calm = calm.published(t)
	if len(w.calm) != 4 {
		t.Fatalf("the undisturbed run published %d videos", len(w.calm))
	}
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // repeatable is what it must be
	var count tally
	for began := time.Now(); count.kills() < kills && !t.Failed(); count.buckets++ {
		w.bucket(t).suffer(t, random, min(10, kills-count.kills()), &count)
		count.took = time.Since(began)
	}
	t.Log(count)
}

// killsOf is how often a test kills.
func killsOf(usual, soak int) int {
	if os.Getenv("SPOOL_SOAK") != "" {
		return soak
	}
	return usual
}

func killSeed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any number will do
	if s := os.Getenv("SPOOL_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SPOOL_SEED=%d repeats this", seed)
	return seed
}

// tally is what the kills came to.
type tally struct {
	spool, ffmpeg, ytdlp, buckets int
	orphans                       int // processes that outlived the spool that started them
	durable                       int // parts that were durable when the plug was pulled
	cut                           int // chunks that were being encoded then
	size, served, lost, worst     int64
	took                          time.Duration
}

func (c tally) kills() int { return c.spool + c.ffmpeg + c.ytdlp }

func (c tally) String() string {
	return fmt.Sprintf("%d kills over %d destinations in %s: spool %d, ffmpeg %d, yt-dlp %d; %d orphans ended; %d durable parts kept, %d chunks cut off; "+
		"direct links: %d bytes, served %d (%.2f), not yet durable when killed %d, at most %d",
		c.kills(), c.buckets, c.took.Round(time.Second), c.spool, c.ffmpeg, c.ytdlp, c.orphans, c.durable, c.cut,
		c.size, c.served, float64(c.served)/float64(max(c.size, 1)), c.lost, c.worst)
}

// suffer publishes the world's videos to a new destination and kills up to
// budget times meanwhile.
func (b *bucket) suffer(t *testing.T, random *rand.Rand, budget int, count *tally) {
	t.Helper()
	watch := b.watch()
	b.world.site.reset()
	before := count.kills()
	for count.kills()-before < budget {
		p := b.start(t)
		ended := b.disturb(t, p, random, budget-(count.kills()-before), count)
		if ended {
			break
		}
		b.wreck(t, count)
	}
	b.finish(t)
	for _, err := range watch() {
		t.Error(err)
	}
	b.inspect(t, count)
}

// disturb kills children of a run, then the run itself. It reports whether the
// run ended before that.
func (b *bucket) disturb(t *testing.T, p *child, random *rand.Rand, budget int, count *tally) (ended bool) {
	t.Helper()
	for ; ; budget-- {
		child := budget > 1 && random.IntN(2) == 0
		wait := b.world.wait(random, child)
		select {
		case <-p.ended:
			b.mustEnd(t, p)
			return true
		case <-time.After(wait):
		}
		if child && b.killChild(p, random.IntN(3) == 0 && b.world.pages, count) {
			continue
		}
		select {
		case <-p.ended:
			b.mustEnd(t, p)
			return true
		default:
		}
		_ = p.cmd.Process.Kill() // when it has just ended, nothing was killed
		<-p.ended
		if p.cmd.ProcessState.Exited() {
			b.mustEnd(t, p)
			return true
		}
		count.spool++
		return false
	}
}

// wait is how long a run is left alone. Many kills come early: that is when
// most begins and ends.
func (w *world) wait(random *rand.Rand, child bool) time.Duration {
	if w.calmly > 0 {
		return w.calmly + time.Duration(random.Int64N(int64(w.calmly)))
	}
	wait := time.Duration(50+random.IntN([]int{500, 2000}[random.IntN(2)])) * time.Millisecond
	if child {
		wait /= 8
	}
	return wait
}

// killChild waits a moment for a page tool or for another program that the run
// starts, and kills it. The same place may die three times before its video
// fails, so there is a limit to it.
func (b *bucket) killChild(p *child, page bool, count *tally) bool {
	patience := time.NewTimer(time.Second + 3*b.world.calmly)
	defer patience.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-p.ended:
			return false
		case <-patience.C:
			return false
		case <-look.C:
		}
		for _, pid := range marked(b.state) {
			line := commandLine(pid)
			place, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
			if err != nil || b.deaths[place] >= 2 || strings.HasPrefix(line, "sleep") || page != strings.Contains(line, "yt-dlp") || syscall.Kill(pid, syscall.SIGKILL) != nil {
				continue
			}
			b.deaths[place]++
			if page {
				count.ytdlp++
			} else {
				count.ffmpeg++
			}
			return true
		}
	}
}

// wreck takes stock of what a killed run left: what is durable must not be
// done again, and what lives on must be ended by the next run.
func (b *bucket) wreck(t *testing.T, count *tally) {
	t.Helper()
	for _, pid := range marked(b.state) {
		if _, known := b.orphans[pid]; !known {
			count.orphans++
		}
		b.orphans[pid] = startTime(pid)
	}
	starts := b.starts(t)
	for _, name := range []string{"complete.json", "made.json"} {
		found, err := filepath.Glob(filepath.Join(b.dir, "work", "*", "*", "r*", "*-*", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if _, known := b.durable[filepath.Dir(f)]; !known {
				b.durable[filepath.Dir(f)] = starts[filepath.Dir(f)]
			}
		}
	}
	for part, n := range starts {
		_, durable := b.durable[part]
		if n > b.begun[part] && !durable && b.deaths[part] == 0 && strings.HasPrefix(part, b.dir) && strings.HasPrefix(filepath.Base(part), "encode-") {
			count.cut++
		}
	}
	b.begun = starts
	lost := b.notDurable(t)
	if lost > b.world.rate*3/2 {
		t.Errorf("%d bytes were not durable, more than a second and a half of the download", lost)
	}
	b.lost += lost
	count.worst = max(count.worst, lost)
}

// finish runs spool until it ends by itself.
func (b *bucket) finish(t *testing.T) {
	t.Helper()
	p := b.start(t)
	select {
	case <-p.ended:
		b.mustEnd(t, p)
	case <-time.After(2 * time.Minute):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // it says where it hangs
		<-p.ended
		t.Fatalf("the run does not end:\n%s", p.said())
	}
}

func (b *bucket) mustEnd(t *testing.T, p *child) {
	t.Helper()
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("the run ended with %d:\n%s", code, p.said())
	}
	for pid, began := range b.orphans {
		if startTime(pid) == began && began != "" {
			t.Errorf("process %d of a killed run lives on: %s", pid, commandLine(pid))
		}
	}
}

// inspect holds a destination against the undisturbed one.
func (b *bucket) inspect(t *testing.T, count *tally) {
	t.Helper()
	if got := b.published(t); !maps.EqualFunc(got, b.world.calm, maps.Equal[map[string]string, map[string]string]) {
		t.Errorf("published %v\nwant %v", got, b.world.calm)
	}
	b.clean(t)
	b.strangers(t)
	b.once(t, count)
	served, size := b.world.site.served("/direct.mp4"), b.world.site.size
	if limit := size*105/100 + b.lost + int64(count.spool)*socketSlack; served > limit {
		t.Errorf("%d bytes were served of %d, at most %d may be", served, size, limit)
	}
	count.size, count.served, count.lost = count.size+size, count.served+served, count.lost+b.lost
}

// clean holds that all videos are ready and whole, and nothing else is left.
func (b *bucket) clean(t *testing.T) {
	t.Helper()
	if left := marked(b.state); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	videos := len(b.world.calm)
	if out, err := b.command(t.Context(), "verify", "--all").CombinedOutput(); err != nil || bytes.Count(out, []byte("good")) < videos {
		t.Errorf("verify: %v\n%s", err, out)
	}
	if out, err := b.command(t.Context(), "ls", "--status", "ready").Output(); err != nil || bytes.Count(out, []byte("\n")) != videos {
		t.Errorf("ls: %v\n%s", err, out)
	}
	if left := files(t, filepath.Join(b.dir, "work")); len(left) > 0 {
		t.Errorf("left in scratch: %v", left)
	}
}

// once holds that nothing that was durable was made again.
func (b *bucket) once(t *testing.T, count *tally) {
	t.Helper()
	starts := b.starts(t)
	for part, n := range b.durable {
		if starts[part] != n {
			t.Errorf("%s was durable and was made again", part)
		}
	}
	count.durable += len(b.durable)
	if most := count.spool * runtime.NumCPU(); count.cut > most {
		t.Errorf("%d chunks were cut off, more than one an encoder and kill: %d", count.cut, most)
	}
}

// socketSlack is what may be under way in a connection that is cut, in bytes.
const socketSlack = 64 << 10

// start begins a run that publishes everything.
func (b *bucket) start(t *testing.T) *child {
	t.Helper()
	return launch(t, b.command(t.Context(), append([]string{"run", "--keys", "keys", "--verbose"}, b.sources...)...))
}

func (b *bucket) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "spool", args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(),
		"HOME="+filepath.Join(b.dir, "home"), "SPOOL_TO=bucket", "SPOOL_WORK=work", "SPOOL_STATE="+b.state,
		"SPOOL_PRESET=ultrafast", "SPOOL_PROGRESS=plain", "SPOOL_SANDBOX=off") // its programs leave notes
	switch args[0] {
	case "run", "verify":
		cmd.Env = append(cmd.Env, "SPOOL_FFMPEG="+b.world.ffmpeg, "SPOOL_YTDLP="+b.world.ytdlp)
	}
	return cmd
}

// marked lists the processes that a run with this state folder has started.
func marked(state string) []int {
	if runtime.GOOS != "linux" {
		return nil
	}
	var pids []int
	found, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range found {
		env, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(env, []byte("SPOOL_CHILD="+state+"\x00")) {
			continue // gone, or another user's
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil && commandLine(pid) != "" {
			pids = append(pids, pid)
		}
	}
	return pids
}

// commandLine is "" for a process that is gone or only waits to be reaped.
func commandLine(pid int) string {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return string(bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
}

// startTime tells a process from a later one with the same number.
func startTime(pid int) string {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}
