package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/torturetest"
)

// mostMemory is what no child of a run on hostile sources may take, in bytes.
const mostMemory = 2.5e9

// TestTorture publishes what videos can be at their worst, all in two runs, and
// holds each to what must become of it. Nothing but the sources is opened, and
// nobody is asked. With SPOOL_TORTURE=all there are all inputs, otherwise half
// of the odd ones, by chance; SPOOL_SEED repeats a choice.
func TestTorture(t *testing.T) {
	t.Parallel()
	needTools(t, "ffmpeg", "ffprobe")
	s := newStudio(t)
	var asked atomic.Int64
	host := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(host.Close)
	began := time.Now()
	workshop := torturetest.NewWorkshop(t, s.dir, host.Listener.Addr().(*net.TCPAddr).Port)
	inputs := tortures(t)
	if len(inputs) < 110 {
		t.Errorf("there are %d inputs", len(inputs))
	}
	t.Run("build", func(t *testing.T) {
		for _, input := range inputs {
			t.Run(input.Name, func(t *testing.T) {
				t.Parallel()
				workshop.Path(t, input.Name)
			})
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	built := time.Now()
	run := s.torture(t, workshop, inputs)
	ran := time.Now()
	if n := asked.Load(); n > 0 {
		t.Errorf("somebody was asked %d times", n)
	}
	if run.memory > mostMemory {
		t.Errorf("a child took %.1f GB", run.memory/1e9)
	}
	t.Run("become", func(t *testing.T) {
		for i, input := range inputs {
			t.Run(input.Name, func(t *testing.T) {
				t.Parallel()
				s.became(t, run, i, input.Want)
			})
		}
	})
	t.Logf("%d inputs: built in %.1f s, run in %.1f s, looked at in %.1f s; the largest child took %.0f MB",
		len(inputs), built.Sub(began).Seconds(), ran.Sub(built).Seconds(), time.Since(ran).Seconds(), run.memory/1e6)
}

func tortures(t *testing.T) []torturetest.Input {
	t.Helper()
	all := torturetest.Inputs()
	if os.Getenv("SPOOL_TORTURE") == "all" {
		return all
	}
	random := rand.New(rand.NewPCG(killSeed(t), 0)) //nolint:gosec // repeatable is what it must be
	return slices.DeleteFunc(all, func(i torturetest.Input) bool { return i.Kind == torturetest.Odd && random.IntN(2) == 0 })
}

// tortured is what runs say of their videos.
type tortured struct {
	videos map[string]spool.Video // by ID; what was refused before it had one is ""
	memory float64                // of the largest process, in bytes
}

// tortureID names the input of a number.
func tortureID(i int) string { return fmt.Sprintf("v%03d", i) }

// torture runs spool over all inputs: those that might have it open something
// else under the eyes of strace, where there is one.
func (s studio) torture(t *testing.T, w *torturetest.Workshop, inputs []torturetest.Input) tortured {
	t.Helper()
	all := tortured{videos: map[string]spool.Video{}}
	for _, watched := range []bool{false, true} {
		args := s.sources(t, w, inputs, func(k torturetest.Kind) bool {
			return watched == (k == torturetest.Hostile || k == torturetest.Named)
		})
		cmd := s.command(t.Context(), append(args, "--to", s.path("bucket"), "--progress", "json")...)
		if watched = watched && runtime.GOOS == "linux"; watched {
			needTools(t, "strace")
			cmd = s.traced(t, cmd)
		}
		var errs bytes.Buffer
		cmd.Stderr = &errs
		err := s.endure(t, cmd)
		if watched {
			s.checkTrace(t, w)
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitSomeFailed {
			t.Fatalf("spool run: %v\n%s", err, errs.String())
		}
		all.read(t, errs.Bytes())
		if runtime.GOOS == "linux" { // elsewhere it has another unit
			all.memory = max(all.memory, float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)*1024)
		}
	}
	out, said, code := s.spool(t, "ls", "--json", "--to", s.path("bucket"))
	var videos []spool.Video
	if err := json.Unmarshal([]byte(out), &videos); err != nil || code != exitReady {
		t.Fatalf("spool ls: %v\n%s", err, said)
	}
	for _, v := range videos {
		all.videos[v.ID] = v
	}
	found, said, code := s.spool(t, "verify", "--all", "--to", s.path("bucket"))
	if code != exitReady {
		t.Errorf("verify ends with %d:\n%s%s", code, found, said)
	}
	for line := range strings.Lines(found) {
		if m := shouldBe.FindStringSubmatch(line); m != nil && sourcesFault[m[1]] == "" {
			t.Errorf("it could be better: %s", line)
		}
	}
	return all
}

var shouldBe = regexp.MustCompile(`: SHOULD (\d+): `)

// sourcesFault are the rules that what is published of a source may break, and
// why that is none of Spool's doing.
var sourcesFault = map[string]string{
	"9":  "what is copied has the key frames of its source, and segments end at these",
	"31": "likewise",
	"34": "the preset of the tests, ultrafast, makes no High profile",
	"69": "there is one size of what is as small as these sources",
}

// endure runs a command to its end, or for longer than it may ever take: what
// goes wrong with a hostile source may be that it has no end.
func (s studio) endure(t *testing.T, cmd *exec.Cmd) error {
	t.Helper()
	const longest = 6 * time.Minute
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // strace, and spool with it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(longest, func() {
		t.Errorf("it has no end: after %v it is killed", longest)
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended just now
	})
	defer late.Stop()
	return cmd.Wait()
}

// sources are the arguments that run has for some inputs: a list, and what no
// list can hold.
func (s studio) sources(t *testing.T, w *torturetest.Workshop, inputs []torturetest.Input, wanted func(torturetest.Kind) bool) []string {
	t.Helper()
	type line struct {
		Source string `json:"source"`
		ID     string `json:"id"`
	}
	var list []line
	args := []string{"run", "-f", s.path("list.json")}
	for i, input := range inputs {
		switch path := w.Path(t, input.Name); {
		case !wanted(input.Kind):
		case !utf8.ValidString(path):
			args = append(args, path)
		default:
			list = append(list, line{path, tortureID(i)})
		}
	}
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path("list.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return args
}

// read takes what is told only in the summary: sources that became no video.
func (r tortured) read(t *testing.T, said []byte) {
	t.Helper()
	lines := bytes.Split(bytes.TrimSpace(said), []byte("\n"))
	var summary struct {
		Videos []struct {
			Video   string         `json:"video"`
			Failure *spool.Failure `json:"failure"`
		} `json:"videos"`
	}
	if err := json.Unmarshal(lines[len(lines)-1], &summary); err != nil {
		t.Fatalf("the summary: %v\n%s", err, said)
	}
	for _, v := range summary.Videos {
		r.videos[v.Video] = spool.Video{ID: v.Video, Status: spool.Failed, Failure: v.Failure}
	}
}

// became holds a video to what must become of it.
func (s studio) became(t *testing.T, run tortured, i int, want torturetest.Want) {
	t.Helper()
	v, found := run.videos[tortureID(i)]
	if !found {
		v = run.videos[""]
	}
	if v.Failure != nil {
		if f := v.Failure; f.Code != want.Code || f.Reason == "" || strings.Contains(f.Reason, "\x1b") {
			t.Errorf("it fails with %s (%s), want %q", f.Code, f.Reason, want.Code)
		}
		if left, err := filepath.Glob(s.path("bucket", v.ID, "r*")); v.ID != "" && (err != nil || len(left) > 0) {
			t.Errorf("there is left of it: %v, %v", left, err)
		}
		return
	}
	if v.Status != spool.Ready || want.Code != "" {
		t.Fatalf("it is %s, want %q", v.Status, want.Code)
	}
	if said := strings.Join(slices.Concat(v.Notes, v.LeftOut), "; "); !strings.Contains(said, want.Note) {
		t.Errorf("its notes are %q, want %q", said, want.Note)
	}
	if want.Width == 0 {
		s.heardOnly(t, v.ID)
		return
	}
	got := s.shown(t, v.ID)
	rate := want.Rate
	switch {
	case rate == "":
		rate = got.Rate
	case !strings.Contains(rate, "/"):
		rate += "/1"
	}
	var frames int
	if _, err := fmt.Sscan(got.Frames, &frames); err != nil {
		t.Fatal(err)
	}
	if got.Width != want.Width || got.Height != want.Height || got.Rate != rate || got.Sound != want.Sound || got.Pixels != "yuv420p" ||
		max(frames-want.Frames, want.Frames-frames) > want.Slack {
		t.Errorf("it is %+v, want %+v; notes %q", got, want, v.Notes)
	}
	if want.Corners != "" {
		if got := s.corners(t, v.ID); got != want.Corners {
			t.Errorf("its corners are %s, want %s", got, want.Corners)
		}
	}
}

// heardOnly holds that a video is sound without pictures.
func (s studio) heardOnly(t *testing.T, id string) {
	t.Helper()
	for _, v := range s.master(t, "bucket", id).Variants {
		kinds := mediatest.FFprobe(t, "-count_packets", "-show_entries", "stream=codec_name", "-of", "csv=p=0", s.join(t, "bucket", id, v.URI))
		if strings.TrimSpace(string(kinds)) != "aac" {
			t.Errorf("it holds %q", kinds)
		}
	}
}

// corners names the colours of the first frame's corners.
func (s studio) corners(t *testing.T, id string) string {
	t.Helper()
	best := s.master(t, "bucket", id).Variants[0]
	raw := mediatest.FFmpeg(t, "-i", s.join(t, "bucket", id, best.URI), "-frames:v", "1", "-vf", "format=rgb24,scale=2:2:flags=area", "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1")
	colours := map[[3]bool]string{{true, false, false}: "R", {false, true, false}: "G", {false, false, true}: "B", {true, true, true}: "W"}
	var names strings.Builder
	for at := 0; at+3 <= len(raw); at += 3 {
		names.WriteString(colours[[3]bool{raw[at] > 128, raw[at+1] > 128, raw[at+2] > 128}])
	}
	return names.String()
}
