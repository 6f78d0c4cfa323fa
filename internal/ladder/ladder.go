// Package ladder chooses the sizes in which a source is published, and what
// each may cost. It is pure: facts in, rungs out.
package ladder

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/spool-video/spool"
)

// The ladders that are always there.
const (
	Default = "default"
	Classic = "classic"
)

// Spec is a ladder: its steps in any order.
type Spec []Step

// Step is one rung as asked for.
type Step struct {
	ShortSide int // pixels
	CRF       int // x264's
	MaxRate   int // bits per second
}

const (
	defaultCRF = 23
	classicCRF = 18
	// smallest is the side, in pixels, below which encoders and players are at
	// odds; smaller sources are enlarged to it where their shape allows.
	smallest = 64
	// widest is how long a side may become by that.
	widest = 4096
	// longest is the longest side of any picture: what H.264 level 5.2 allows
	// is 8688.
	longest = 8192
	// near is the share of the top's size above which a smaller rung is not
	// worth its encoding.
	near = 0.9
	// fast is the frame rate above which a picture a second costs more.
	fast = 30.5
)

// point is a place on a curve of caps: short side in pixels, kbit/s.
type point struct{ side, kbps int }

var (
	defaultCaps = []point{
		{144, 200},
		{240, 400},
		{360, 800},
		{480, 1600},
		{720, 3000},
		{1080, 6000},
		{1440, 10000},
		{2160, 18000},
	}
	classicCaps = []point{{144, 120}, {360, 360}, {720, 870}, {1080, 2100}, {1440, 3700}, {2160, 8000}}
	usualSizes  = []int{360, 720, 1080}
)

// Choose gives the rungs of a source, highest first. Sizes are by the short
// side of the upright picture in square pixels. None is larger than the
// source; where the ladder asks for larger ones, the source's own size is the
// top. Rungs that are not made are among them, with the action skip and the
// reason. Sources without pictures have none.
func Choose(facts spool.Facts, s spool.Settings, custom map[string]Spec) ([]spool.Rung, error) {
	if facts.Video == nil {
		return nil, nil
	}
	spec, err := resolve(facts.Video, s, custom)
	if err != nil {
		return nil, err
	}
	width, height := facts.Video.Display()
	picture := shape{short: min(width, height), long: max(width, height), portrait: height > width}
	if picture.long > longest || picture.short < 2 && picture.long > widest {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "odd-size",
			Reason: fmt.Sprintf("pictures of %dx%d cannot be published in H.264", width, height),
			Hint:   fmt.Sprintf("scale or crop the source so that neither side is longer than %d pixels", longest),
		}
	}
	return name(rungs(spec, picture)), nil
}

// Made are the rungs that are encoded or copied.
func Made(rungs []spool.Rung) []spool.Rung {
	var made []spool.Rung
	for _, r := range rungs {
		if r.Action != spool.SkipRung {
			made = append(made, r)
		}
	}
	return made
}

// resolver gives the cost of a size on a ladder.
type resolver struct {
	sizes []int
	cost  func(side int) Step
}

// resolve finds the ladder that the settings name, and its sizes.
func resolve(v *spool.VideoStream, s spool.Settings, custom map[string]Spec) (resolver, error) {
	r := resolver{sizes: usualSizes}
	switch spec, found := custom[s.Ladder]; {
	case s.Ladder == "" || s.Ladder == Default:
		factor := 1.0
		if v.FrameRate.Float() > fast {
			factor = 1.5
		}
		r.cost = along(defaultCaps, defaultCRF, factor)
	case s.Ladder == Classic:
		r.cost = along(classicCaps, classicCRF, 1)
	case found && len(spec) > 0:
		r.sizes = nil
		for _, step := range spec {
			r.sizes = append(r.sizes, step.ShortSide)
		}
		r.cost = spec.nearest
	default:
		return r, &spool.Error{
			Class: spool.Permanent, Code: "unknown-ladder",
			Reason: fmt.Sprintf("there is no ladder named %.40q", s.Ladder),
			Hint:   "use default or classic, or define it under ladders in spool.yaml",
		}
	}
	if len(s.Sizes) > 0 {
		r.sizes = s.Sizes
	}
	return r, nil
}

// along gives costs between and beyond the points of a curve.
func along(curve []point, crf int, factor float64) func(int) Step {
	return func(side int) Step {
		i := 1
		for i < len(curve)-1 && curve[i].side < side {
			i++
		}
		a, b := curve[i-1], curve[i]
		share := float64(side-a.side) / float64(b.side-a.side)
		kbps := max(float64(a.kbps)+share*float64(b.kbps-a.kbps), float64(curve[0].kbps)/2)
		return Step{ShortSide: side, CRF: crf, MaxRate: int(math.Round(kbps*factor)) * 1000}
	}
}

// nearest gives a size the cost of the step at or above it, by area when it is
// smaller: the source's own size stands between steps.
func (s Spec) nearest(side int) Step {
	steps := slices.SortedFunc(slices.Values(s), func(a, b Step) int { return cmp.Compare(a.ShortSide, b.ShortSide) })
	i := 0
	for i < len(steps)-1 && steps[i].ShortSide < side {
		i++
	}
	step := steps[i]
	if side < step.ShortSide {
		area := float64(side) / float64(step.ShortSide)
		step.MaxRate = max(int(float64(step.MaxRate)*area*area), 50_000)
	}
	step.ShortSide = side
	return step
}

// shape is a picture in square pixels, upright.
type shape struct {
	short, long int
	portrait    bool
}

// rungs gives the rungs of a ladder without names, highest first.
func rungs(r resolver, picture shape) []spool.Rung {
	sizes := slices.Compact(slices.Sorted(slices.Values(r.sizes)))
	slices.Reverse(sizes)
	own := evenDown(picture.short)
	larger := sizes[0] > picture.short
	top := sizes[0]
	if larger {
		top = own
	}
	var out []spool.Rung
	for _, size := range sizes {
		if size > picture.short {
			out = append(out, skip(size, fmt.Sprintf("the source has only %d", picture.short)))
		}
	}
	if larger && !slices.Contains(sizes, own) {
		why := "the source's own size"
		if picture.short < smallest {
			why += ", enlarged as far as encoders need it"
		}
		out = append(out, rung(picture, r.cost(own), why))
	}
	for _, size := range sizes {
		switch {
		case size > picture.short:
		case size < top && float64(size) > near*float64(top):
			out = append(out, skip(size, fmt.Sprintf("almost the same as %dp", top)))
		case size == own:
			out = append(out, rung(picture, r.cost(size), "the source's own size"))
		default:
			out = append(out, rung(picture, r.cost(size), "scaled down"))
		}
	}
	return out
}

func skip(size int, why string) spool.Rung {
	return spool.Rung{Name: fmt.Sprintf("skipped-%dp", size), ShortSide: size, Action: spool.SkipRung, Why: why}
}

// rung gives a picture the size of a step, even, its shape kept to the pixel.
func rung(picture shape, step Step, why string) spool.Rung {
	short, long := evenDown(step.ShortSide), 0
	if enlarged := scaled(picture, smallest); short < smallest && enlarged <= widest {
		short = smallest
		step.ShortSide = smallest
	}
	long = scaled(picture, short)
	if long > longest { // rounding up from 8191
		long = longest
	}
	r := spool.Rung{
		ShortSide: step.ShortSide, Width: long, Height: short,
		CRF: step.CRF, MaxRate: step.MaxRate, Action: spool.EncodeRung, Why: why,
	}
	if picture.portrait {
		r.Width, r.Height = short, long
	}
	return r
}

// scaled is the long side for a short side, rounded to the nearest even number.
func scaled(p shape, short int) int {
	return max(2*int(math.Round(float64(p.long)*float64(short)/float64(p.short)/2)), 2)
}

func evenDown(n int) int { return max(n-n%2, 2) }

// name numbers the rungs that are made from the smallest.
func name(rungs []spool.Rung) []spool.Rung {
	n := len(Made(rungs))
	for i := range rungs {
		if rungs[i].Action != spool.SkipRung {
			n--
			rungs[i].Name = fmt.Sprintf("v%d-%dp", n, rungs[i].ShortSide)
		}
	}
	return rungs
}
