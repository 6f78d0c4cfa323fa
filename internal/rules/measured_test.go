package rules_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/rules"
	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/m3u8"
	"github.com/spool-video/spool/internal/survey/stream"
)

// runs changes every run of a kind in a playlist's segments from number first on.
func runs(p *survey.Package, list string, first int, change func(*stream.Run)) {
	for _, l := range p.Lists {
		if l.Name != list {
			continue
		}
		for i := range l.Parts[min(first, len(l.Parts)):] {
			media := &l.Parts[first+i].Media
			media.Runs = slices.Clone(media.Runs)
			for r := range media.Runs {
				change(&media.Runs[r])
			}
		}
	}
}

func picture(change func(*stream.Picture)) func(*stream.Run) {
	return func(r *stream.Run) { change(&r.Track.Picture) }
}

// What segments are measured to be is judged, whoever encoded them: here they
// are said to be what few encoders make.
func TestMeasurementsAreJudged(t *testing.T) {
	t.Parallel()
	f := rich(t)
	for _, test := range []struct {
		name, want, text string
		change           func(*survey.Package)
		audience         rules.Audience
	}{
		{"the level of phones for all", "S34", "higher than", func(p *survey.Package) {
			runs(p, large, 0, picture(func(p *stream.Picture) { p.Level = 41 }))
		}, ""},
		{"more than a Mac plays", "S34", "no Mac", func(p *survey.Package) {
			runs(p, large, 0, picture(func(p *stream.Picture) { p.Level, p.Blocks = 51, 36864 }))
		}, ""},
		{"more than an Apple TV plays", "S34", "Apple TV", func(p *survey.Package) {
			runs(p, large, 0, picture(func(p *stream.Picture) { p.Level, p.Blocks = 52, 36864 }))
		}, ""},
		{"nothing for most", "S34", "level 4.1 or less", func(p *survey.Package) {
			for _, l := range []string{large, small} {
				runs(p, l, 0, picture(func(p *stream.Picture) { p.Level, p.Blocks = 50, 22080 }))
			}
		}, ""},
		{"Main profile", "S34", "below High", func(p *survey.Package) {
			runs(p, small, 0, picture(func(p *stream.Picture) { p.Profile = 77 }))
		}, ""},
		{"another rate of pictures follows", "M19", "rate of pictures", func(p *survey.Package) {
			runs(p, large, 2, func(r *stream.Run) { r.Frame /= 2 })
		}, ""},
		{"surround sound follows", "M19", "channels", func(p *survey.Package) {
			runs(p, sound, 2, func(r *stream.Run) { r.Track.Sound.Channels = 6 })
		}, ""},
		{"loud stereo", "S45", "AAC of 2", func(p *survey.Package) {
			runs(p, sound, 0, func(r *stream.Run) { r.Bytes *= 3 })
		}, ""},
		{"poor stereo", "S45", "below", func(p *survey.Package) {
			runs(p, sound, 0, func(r *stream.Run) { r.Bytes /= 10; r.Track.Sound.BitRate = 24000 })
		}, ""},
		{"loud 5.1", "S45", "AAC of 6", func(p *survey.Package) {
			runs(p, sound, 0, func(r *stream.Run) { r.Bytes *= 5; r.Track.Sound.Channels = 6 })
		}, ""},
		{"loud HE-AAC", "S45", "HE-AAC", func(p *survey.Package) {
			runs(p, sound, 0, func(r *stream.Run) { r.Track.Sound.Object = 5 })
		}, ""},
		{"sound in a pattern", "M103", "as a whole", func(p *survey.Package) {
			runs(p, sound, 0, func(r *stream.Run) {
				r.Track.Protection = &stream.Protection{Scheme: "cbcs", Crypt: 1, Skip: 9, ConstantIV: true}
			})
		}, ""},
		{"groups of samples", "M105", "sgpd", func(p *survey.Package) {
			runs(p, large, 0, func(r *stream.Run) {
				r.Grouped, r.Track.Protection = true, &stream.Protection{Scheme: "cbcs", Crypt: 1, Skip: 9, ConstantIV: true}
			})
		}, rules.Television},
		{"one rate of the largest size", "S69", "largest size", func(p *survey.Package) {
			runs(p, large, 0, picture(func(p *stream.Picture) { p.Width, p.Height = 1920, 1080 }))
		}, rules.Apple},
		{"I-frames far apart", "S83", "a picture a second", func(p *survey.Package) {
			for _, v := range p.Variants {
				if v.IFrames {
					v.List.Segments = []m3u8.Segment{{Line: 9, Duration: v.List.Length()}}
				}
			}
		}, rules.Apple},
		{"I-frames of HDR alone", "M83", "SDR", func(p *survey.Package) {
			for _, v := range p.Variants {
				if v.IFrames {
					runs(p, v.List.Name, 0, picture(func(p *stream.Picture) { p.Colour = [3]int{9, 16, 9} }))
				}
			}
		}, ""},
	} {
		p := f.survey(t, master, false)
		if found := rules.Check(p, test.audience); told(found, test.want, test.text) {
			t.Errorf("%s: found before: %v", test.name, found)
		}
		test.change(p)
		if found := rules.Check(p, test.audience); !told(found, test.want, test.text) {
			t.Errorf("%s: found %v", test.name, found)
		}
	}
}

// told: there is such a finding, and its text holds these words.
func told(found []rules.Finding, name, text string) bool {
	return slices.ContainsFunc(found, func(f rules.Finding) bool {
		return slices.Contains(names([]rules.Finding{f}), name) && strings.Contains(f.Text, text)
	})
}

// Renditions of one name need CHANNELS to be told apart.
func TestRenditionsOfOneName(t *testing.T) {
	t.Parallel()
	f := rich(t).clone()
	wide := strings.Replace(sound, "a0-", "a1-", 1)
	for name, b := range f {
		if strings.HasPrefix(name, "r1/a0-") {
			f[strings.Replace(name, "a0-", "a1-", 1)] = b
		}
	}
	onLine(master, media, func(line string) string {
		return line + strings.NewReplacer(`GROUP-ID="audio"`, `GROUP-ID="wide"`, `CHANNELS="2"`, `CHANNELS="6"`, sound, wide).Replace(line)
	})(t, f)
	for _, declared := range []bool{true, false} {
		if !declared {
			f.replace(t, master, `,CHANNELS="2"`, "")
		}
		p := f.survey(t, master, false)
		runs(p, wide, 0, func(r *stream.Run) { r.Track.Sound.Channels = 6 })
		if found := rules.Check(p); told(found, "M74", "CHANNELS") == declared {
			t.Errorf("declared %v: found %v", declared, found)
		}
	}
}

// Forced cues are among those of their language.
func TestForcedCues(t *testing.T) {
	t.Parallel()
	f := rich(t).clone()
	forced := strings.Replace(words, "s0-", "s1-", 1)
	for name, b := range f {
		if strings.HasPrefix(name, "r1/s0-") {
			f[strings.Replace(name, "s0-", "s1-", 1)] = b
		}
	}
	onLine(master, subs, func(line string) string {
		return line + strings.NewReplacer(`NAME="English"`, `NAME="Forced",FORCED=YES`, words, forced).Replace(line)
	})(t, f)
	if found := rules.Check(f.survey(t, master, false)); !slices.Equal(names(found), []string{"S9"}) {
		t.Errorf("found %v", found)
	}
	for _, i := range []int{0, 1} { // the cue is in both
		f.edit(f.segment(forced, i), func(b []byte) []byte { return []byte(strings.Replace(string(b), "boundary 1", "another", 1)) })
	}
	if found := names(rules.Check(f.survey(t, master, false))); !slices.Contains(found, "M88") {
		t.Errorf("found %v", found)
	}
}
