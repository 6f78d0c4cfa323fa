// Package torturetest makes what videos can be at their worst: legal and
// unusual, broken, and hostile. Each input is built when it is asked for, with
// the real ffmpeg or byte by byte, and says what must become of it. It is for
// tests only.
package torturetest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spool-video/spool/internal/mediatest"
)

// Kind says what sort of trouble an input is.
type Kind string

// The kinds of inputs.
const (
	Odd     Kind = "odd"     // legal, if unusual: it becomes an ordinary video
	Named   Kind = "named"   // ordinary, under a name that may be taken for something else
	Broken  Kind = "broken"  // damaged, or no media: what is left of it, or a clear error
	Hostile Kind = "hostile" // made to do harm: nothing but itself is opened
)

// Input is one file.
type Input struct {
	Name string // of the file
	Kind Kind
	Want Want
	make recipe
}

// Want is what must become of an input.
type Want struct {
	Code          string // with which it fails; "" = it becomes ready
	Width, Height int    // of the largest size; 0 = there are no pictures
	Frames        int
	Slack         int    // how many frames more or fewer will do
	Rate          string // frames a second, as "25" or "30000/1001"; "" = any
	Sound         bool
	Note          string // a part of a note on it, or of what is said to be left out; "" = whatever is noted
	Corners       string // the first frame's, from the top left by rows: R, G, B or W; "" = any
}

// recipe writes a file.
type recipe func(t testing.TB, w *Workshop, path string)

// Workshop builds inputs in a folder.
type Workshop struct {
	dir    string
	port   int
	inputs map[string]Input
	built  map[string]*sync.Once
}

// NewWorkshop is one that builds into dir/in. Hostile inputs point to
// dir/in/neighbour.ts, which it makes at once and nobody may open, and to a
// port of 127.0.0.1, which nobody may ask.
func NewWorkshop(t testing.TB, dir string, port int) *Workshop {
	w := &Workshop{dir: filepath.Join(dir, "in"), port: port, inputs: map[string]Input{}, built: map[string]*sync.Once{}}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, i := range append(Inputs(), parts()...) {
		if _, twice := w.inputs[i.Name]; twice {
			t.Fatalf("there are two inputs %q", i.Name)
		}
		w.inputs[i.Name], w.built[i.Name] = i, new(sync.Once)
	}
	w.Path(t, "neighbour.ts")
	return w
}

// Inputs are all inputs.
func Inputs() []Input { return slices.Concat(odd(), streams(), named(), broken(), hostile()) }

// Path builds an input, if it is not there yet, and gives its path. Several
// may be built at a time.
func (w *Workshop) Path(t testing.TB, name string) string {
	t.Helper()
	input, found := w.inputs[name]
	if !found {
		t.Fatalf("there is no input %q", name)
	}
	path := filepath.Join(w.dir, name)
	w.built[name].Do(func() { input.make(t, w, path) })
	return path
}

// Secret is the file that hostile inputs point to.
func (w *Workshop) Secret() string { return filepath.Join(w.dir, "neighbour.ts") }

func (w *Workshop) read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(w.Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// encoded is what ffmpeg makes with arguments that are separated by blanks;
// {name} is the path of another input.
func encoded(args string) recipe {
	return func(t testing.TB, w *Workshop, path string) {
		fields := strings.Fields(args)
		for i, field := range fields {
			if before, rest, found := strings.Cut(field, "{"); found {
				name, after, _ := strings.Cut(rest, "}")
				fields[i] = before + w.Path(t, name) + after
			}
		}
		mediatest.FFmpeg(t, append(fields, "file:"+path)...)
	}
}

// edited is another input with changed bytes.
func edited(name string, edit func([]byte) []byte) recipe {
	return func(t testing.TB, w *Workshop, path string) { write(t, path, edit(slices.Clone(w.read(t, name)))) }
}

// copied is another input under another name.
func copied(name string) recipe { return edited(name, func(b []byte) []byte { return b }) }

// joined is other inputs, one behind the other.
func joined(names ...string) recipe {
	return func(t testing.TB, w *Workshop, path string) {
		var all []byte
		for _, name := range names {
			all = append(all, w.read(t, name)...)
		}
		write(t, path, all)
	}
}

// written is a file of its own.
func written(b []byte) recipe {
	return func(t testing.TB, _ *Workshop, path string) { write(t, path, b) }
}

// text is a file in which {dir} is the inputs' folder and {host} the server
// that nobody may ask.
func text(s string) recipe {
	return func(t testing.TB, w *Workshop, path string) {
		filled := strings.NewReplacer("{dir}", w.dir, "{host}", fmt.Sprintf("127.0.0.1:%d", w.port)).Replace(s)
		write(t, path, []byte(filled))
	}
}

func film(width, height, frames int, rate string) Want {
	return Want{Width: width, Height: height, Frames: frames, Rate: rate, Sound: true}
}

func silent(width, height, frames int, rate string) Want {
	return Want{Width: width, Height: height, Frames: frames, Rate: rate}
}

func fails(code string) Want { return Want{Code: code} }

func (w Want) about(slack int) Want { w.Slack = slack; return w }

func (w Want) noted(note string) Want { w.Note = note; return w }

func (w Want) cornered(corners string) Want { w.Corners = corners; return w }
