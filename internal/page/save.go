package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/process"
)

var (
	errSilent = errors.New("no progress for too long")
	errFlood  = errors.New("a line of output without end")
	errLive   = errors.New("the video is live")
)

// maxLine bounds one line of output: the description of a video with all its
// formats takes a few hundred kB.
const maxLine = 16 << 20

// reachedMax is the exit status after --max-downloads were made.
const reachedMax = 101

// Download gets the video of a web page into dir, a folder of its own that may
// hold what an earlier Download of the same page left: it goes on from there.
// It returns the one regular file that came of it. progress, when it is not
// nil, is told bytes and total (0 = unknown), from another goroutine. Errors are
// *spool.Error, or that of ctx. The Choice has no Files.
func (t *Tool) Download(ctx context.Context, url, dir string, progress func(done, total int64)) (string, Choice, error) {
	none := Choice{}
	run, err := t.open(ctx, url)
	if err != nil {
		return "", none, err
	}
	out, home := filepath.Join(dir, "out"), filepath.Join(dir, "home")
	for _, d := range []string{out, home} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return "", none, homeFault(err)
		}
	}
	defer os.RemoveAll(home)
	run.partial = weigh(out) > 0
	cmd, err := run.command(downloading(run.options, t.FFmpeg), home)
	if err != nil {
		return "", none, err
	}
	cmd.Dir = out
	if cmd.Confine != nil {
		cmd.Confine.Write = append(cmd.Confine.Write, out)
	}
	if progress == nil {
		progress = func(int64, int64) {}
	}
	said, last, err := run.save(ctx, cmd, progress)
	if err != nil {
		return "", none, err
	}
	file, err := run.onlyFile(out, last)
	return file, Choice{Page: said.page(url), Texts: said.offer.texts()}, err
}

// save runs the download under watch. It gives what the program said of the
// video, and the last that it wrote to standard error.
func (r *run) save(ctx context.Context, cmd process.Command, progress func(done, total int64)) (answer, string, error) {
	watched, cancel := context.WithCancelCause(ctx)
	defer cancel(context.Canceled)
	o := &output{progress: progress, cancel: cancel, files: map[string]sizes{}}
	cmd.Stdout = o
	p, err := process.Start(watched, cmd)
	if err != nil {
		return answer{}, "", r.fault(watched, err)
	}
	var group sync.WaitGroup
	done := make(chan struct{})
	group.Go(func() { r.guard(cmd.Dir, done, cancel) })
	err = p.Wait()
	close(done)
	group.Wait()
	switch {
	case ctx.Err() != nil:
		return answer{}, "", context.Cause(ctx)
	case errors.Is(context.Cause(watched), errLive):
		return answer{}, "", r.live()
	case finished(err):
		return o.said, p.Stderr(), nil
	}
	return answer{}, "", r.fault(watched, err)
}

// finished: the one download that was allowed was made, or tried: the status
// is the same.
func finished(err error) bool {
	exit, ok := errors.AsType[*process.ExitError](err)
	return err == nil || ok && exit.Code == reachedMax
}

// guard stops a run that has not brought a byte for too long. What it prints
// is no sign of life: a program can print for ever.
func (r *run) guard(dir string, done <-chan struct{}, cancel context.CancelCauseFunc) {
	patience := r.tool.patience()
	ticker := time.NewTicker(max(patience/20, time.Millisecond))
	defer ticker.Stop()
	held, since := weigh(dir), time.Now()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		if now := weigh(dir); now != held {
			held, since = now, time.Now()
		}
		if time.Since(since) > patience {
			cancel(errSilent)
			return
		}
	}
}

func (t *Tool) patience() time.Duration {
	if t.Patience <= 0 {
		return usualPatience
	}
	return t.Patience
}

// weigh is how many bytes the files of a folder hold.
func weigh(dir string) int64 {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	var sum int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
	}
	return sum
}

// onlyFile gives the one file in dir. Anything but one regular file is an
// error: links lead out, and of two files nobody knows which is the video.
// stderr may say why.
func (r *run) onlyFile(dir, stderr string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", homeFault(err)
	}
	if len(entries) == 1 && entries[0].Type().IsRegular() && !strings.HasSuffix(entries[0].Name(), ".part") {
		file := filepath.Join(dir, entries[0].Name())
		info, err := os.Lstat(file)
		if err == nil && info.Size() > 0 {
			return file, nil
		}
	}
	if complained(stderr) {
		return "", r.judge(complaint(stderr))
	}
	var seen []string
	for _, e := range entries {
		seen = append(seen, e.Name())
	}
	// Nothing of it can be of use to the next try.
	if err := os.RemoveAll(dir); err != nil {
		return "", homeFault(err)
	}
	return "", r.notOneFile(seen)
}

// copyCookies gives the program a jar of its own, because it writes to it.
func (r *run) copyCookies(home string) (string, error) {
	if !r.version.Released.IsZero() && r.version.Text < cookieSafe {
		return "", &spool.Error{
			Class: spool.Permanent, Code: "page-tool-old",
			Reason: r.describe() + ", could send cookies to other hosts (CVE-2023-35934), so it is not given any",
			Hint:   updateHint,
		}
	}
	jar, err := os.ReadFile(r.tool.Cookies)
	if err != nil {
		reason := "the cookie file " + plaintext.Show(r.tool.Cookies) + " cannot be read"
		if errors.Is(err, fs.ErrNotExist) {
			reason = "there is no cookie file " + plaintext.Show(r.tool.Cookies)
		}
		return "", &spool.Error{Class: spool.Permanent, Code: "no-cookies", Reason: reason, Hint: "check --cookies", Err: err}
	}
	name := filepath.Join(home, "cookies.txt")
	if err := os.WriteFile(name, jar, 0o600); err != nil {
		return "", homeFault(err)
	}
	return name, nil
}

// sizes are what the program says of one of its files.
type sizes struct{ done, total int64 }

// answer is what the program said of a video.
type answer struct {
	info
	offer offer
}

// output reads what the program prints, line by line. It is written to by one
// goroutine, and read when the program has ended.
type output struct {
	progress func(done, total int64)
	cancel   context.CancelCauseFunc
	files    map[string]sizes
	said     answer
	line     []byte
}

// Write takes output; the program is stopped when it makes no sense.
func (o *output) Write(b []byte) (int, error) {
	n := len(b)
	for {
		line, rest, found := bytes.Cut(b, []byte{'\n'})
		o.line = append(o.line, line...)
		if !found {
			break
		}
		o.read(o.line)
		o.line, b = o.line[:0], rest
	}
	if len(o.line) > maxLine {
		o.line = nil
		o.cancel(errFlood)
	}
	return n, nil
}

func (o *output) read(line []byte) {
	if rest, ok := bytes.CutPrefix(line, []byte(progressMark)); ok {
		o.count(rest)
		return
	}
	if !bytes.HasPrefix(line, []byte("{")) {
		return
	}
	v, ok := parseInfo(line)
	var what offer
	if !ok || json.Unmarshal(line, &what) != nil {
		return
	}
	o.said = answer{v, what}
	if v.live() {
		o.cancel(errLive)
	}
}

// count adds up the files of a download: pictures and sound may come apart.
func (o *output) count(line []byte) {
	var p struct {
		File  text    `json:"file"`
		Done  seconds `json:"done"`
		Total seconds `json:"total"`
		Guess seconds `json:"guess"`
	}
	const manyFiles = 16
	if json.Unmarshal(line, &p) != nil || len(o.files) > manyFiles {
		return
	}
	o.files[string(p.File)] = sizes{toBytes(p.Done), max(toBytes(p.Total), toBytes(p.Guess))}
	var sum sizes
	for _, s := range o.files {
		sum.done += s.done
		sum.total += max(s.total, s.done)
	}
	o.progress(sum.done, sum.total)
}

func toBytes(n seconds) int64 {
	const most = 1 << 50
	return int64(min(max(float64(n), 0), most))
}
