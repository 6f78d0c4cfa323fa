package progress

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// Options say how a run is shown.
type Options struct {
	Mode   string              // "auto", "tty", "plain", "json", "none"; "" is auto
	Out    io.Writer           // standard error
	Log    *slog.Logger        // not nil: every change is an event of this log, and Mode and Out do not matter
	Getenv func(string) string // nil: os.Getenv. TERM and NO_COLOR are asked
	Now    func() time.Time    // nil: time.Now
	// Size gives the terminal's columns and rows. Nil: Out is asked.
	Size func() (columns, rows int)
}

// Progress shows one run. It is safe for concurrent use, and no method waits
// for anything but the writing of what it shows.
type Progress struct {
	now func() time.Time

	mu       sync.Mutex
	renderer renderer // guarded by mu
	closed   bool     // guarded by mu

	stop    chan struct{}
	stopped sync.WaitGroup
	frame   time.Duration // 0: nothing moves by itself
}

// renderer shows events in one form. Its methods are called one at a time.
type renderer interface {
	show(Event)
	tick(now time.Time)
	close(Summary)
}

// New makes a Progress. Close must be called, for a terminal to be left clean.
func New(o Options) (*Progress, error) {
	o = o.filled()
	p := &Progress{now: o.Now, stop: make(chan struct{})}
	mode := o.mode()
	if o.Log != nil {
		p.renderer = logged{o.Log}
		return p, nil
	}
	switch mode {
	case "tty":
		const framesPerSecond = 10
		p.frame = time.Second / framesPerSecond
		p.renderer = &terminal{board: newBoard(), out: o.Out, size: o.Size, colour: o.colour()}
	case "plain":
		p.renderer = &plain{board: newBoard(), out: o.Out, said: map[string]*spoken{}}
	case "json":
		p.renderer = newLines(o.Out, o.Now)
	case "none":
		p.renderer = silent{}
	default:
		return nil, fmt.Errorf("progress %q: allowed are auto, tty, plain, json and none", mode)
	}
	return p, nil
}

func (o Options) filled() Options {
	if o.Out == nil {
		o.Out = os.Stderr
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Size == nil {
		out := o.Out
		o.Size = func() (int, int) { return sizeOf(out) }
	}
	return o
}

// mode decides auto: a terminal that can move its cursor gets tty.
func (o Options) mode() string {
	if o.Mode != "" && o.Mode != "auto" {
		return o.Mode
	}
	f, isFile := o.Out.(*os.File)
	if kind := o.Getenv("TERM"); isFile && term.IsTerminal(int(f.Fd())) && kind != "dumb" && kind != "" {
		return "tty"
	}
	return "plain"
}

// colour follows no-color.org: a NO_COLOR that is not empty means none.
func (o Options) colour() bool { return o.Getenv("NO_COLOR") == "" && o.Getenv("TERM") != "dumb" }

// sizeOf asks a terminal for its size; what is none is taken for 80×24.
func sizeOf(out io.Writer) (columns, rows int) {
	if f, isFile := out.(*os.File); isFile {
		if c, r, err := term.GetSize(int(f.Fd())); err == nil && c > 0 && r > 0 {
			return c, r
		}
	}
	return 80, 24
}

// Start lets what moves move. Without it, only events are shown.
func (p *Progress) Start() {
	if p.frame == 0 {
		return
	}
	p.stopped.Go(func() {
		ticker := time.NewTicker(p.frame)
		defer ticker.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-ticker.C:
				p.mu.Lock()
				p.renderer.tick(p.now())
				p.mu.Unlock()
			}
		}
	})
}

// Show tells an event. After Close it does nothing.
func (p *Progress) Show(ev Event) {
	if ev.Time.IsZero() {
		ev.Time = p.now()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.renderer.show(ev)
	}
}

// Close takes down what moves and says how the run ended, in the forms that
// do so (json); the others leave that to Report. A second call does nothing.
func (p *Progress) Close(s Summary) {
	p.mu.Lock()
	again := p.closed
	p.closed = true
	p.mu.Unlock()
	if again {
		return
	}
	close(p.stop)
	p.stopped.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.renderer.close(s)
}

// Log gives a writer for log lines: they stand above what moves, or in the
// stream as events. It takes whole lines; what a Write leaves unfinished is
// shown as a line.
func (p *Progress) Log() io.Writer { return logWriter{p} }

type silent struct{}

func (silent) show(Event)     {}
func (silent) tick(time.Time) {}
func (silent) close(Summary)  {}
