package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/stream"
)

// kinds are the types of renditions, as variants name their groups.
var kinds = []string{"AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"}

// groupsExist is rule 72: the groups that a variant names exist.
func groupsExist(j judge, s spot, v survey.Variant) {
	for _, kind := range kinds {
		group := v.Get(kind)
		if !v.Has(kind) || kind == "CLOSED-CAPTIONS" && group == "NONE" && !v.Attrs[kind].Quoted {
			continue
		}
		if !slices.ContainsFunc(j.Renditions, func(r survey.Rendition) bool {
			return r.Get("TYPE") == kind && r.Get("GROUP-ID") == group
		}) {
			j.says(s, "%s: no EXT-X-MEDIA has the %s group %q", bare(v.URI), kind, group)
		}
	}
}

// free are attributes in which the members of different groups may differ.
var free = []string{"GROUP-ID", "URI", "CHANNELS", "BIT-DEPTH", "SAMPLE-RATE", "STABLE-RENDITION-ID", "INSTREAM-ID"}

// groups is rule 73: names and defaults within groups, and equal groups.
func groups(j judge) {
	members := map[string]map[string][]string{} // type → group → members, each by what must be equal
	seen := map[string]bool{}
	defaults := map[string]bool{}
	for _, r := range j.Renditions {
		s, kind, group := at(j.Root, r.Line), r.Get("TYPE"), r.Get("GROUP-ID")
		id := kind + "\x00" + group
		if group == "" || r.Get("NAME") == "" || !slices.Contains(kinds, kind) {
			j.says(s, "EXT-X-MEDIA needs a TYPE that is known, a GROUP-ID and a NAME")
		}
		if seen[id+"\x00"+r.Get("NAME")] {
			j.says(s, "the name %q is in the group %q twice", r.Get("NAME"), group)
		}
		seen[id+"\x00"+r.Get("NAME")] = true
		if r.Get("DEFAULT") == "YES" {
			if defaults[id] {
				j.says(s, "the group %q has two members with DEFAULT=YES", group)
			}
			defaults[id] = true
			if r.Get("AUTOSELECT") == "NO" {
				j.says(s, "DEFAULT=YES stands beside AUTOSELECT=NO")
			}
		}
		if members[kind] == nil {
			members[kind] = map[string][]string{}
		}
		members[kind][group] = append(members[kind][group], likeness(r))
	}
	for _, kind := range slices.Sorted(maps.Keys(members)) {
		j.likeGroups(kind, members[kind])
	}
}

// likeness is all of a rendition that its counterparts in other groups share.
func likeness(r survey.Rendition) string {
	var parts []string
	for _, name := range r.Names() {
		if !slices.Contains(free, name) {
			parts = append(parts, name+"="+r.Get(name))
		}
	}
	return strings.Join(parts, ",")
}

func (j judge) likeGroups(kind string, groups map[string][]string) {
	var first []string
	for i, name := range slices.Sorted(maps.Keys(groups)) {
		these := slices.Sorted(slices.Values(groups[name]))
		if i == 0 {
			first = these
		} else if !slices.Equal(first, these) {
			j.says(at(j.Root, 0), "the %s group %q does not have the members of the other groups", kind, name)
		}
	}
}

// hasLanguage is rule 74: a rendition tells its language.
func hasLanguage(j judge, s spot, r survey.Rendition) {
	if r.Get("LANGUAGE") == "" && r.Get("TYPE") != "VIDEO" {
		j.says(s, "%q has no LANGUAGE", r.Get("NAME"))
	}
}

// channels is rule 74: CHANNELS is there, and true.
func channels(j judge, s spot, r survey.Rendition) {
	if r.Get("TYPE") != "AUDIO" {
		return
	}
	count, _, _ := strings.Cut(r.Get("CHANNELS"), "/")
	declared, err := strconv.Atoi(count)
	run := firstRun(r.List, stream.Audio)
	switch {
	case !r.Has("CHANNELS"):
		j.says(s, "%q has no CHANNELS", r.Get("NAME"))
	case err != nil:
		j.says(s, "%q: CHANNELS does not begin with a number", r.Get("NAME"))
	case run != nil && run.Track.Entry == "mp4a" && run.Track.Sound.Channels > 0 && run.Track.Sound.Channels != declared:
		j.differs(s, fmt.Sprintf("%q: CHANNELS is not that of the media", r.Get("NAME")), declared, run.Track.Sound.Channels)
	}
}

// channelsTellApart is rule 74: renditions of one name that differ in their
// channels are told apart by CHANNELS.
func channelsTellApart(j judge) {
	first := map[string]survey.Rendition{} // by name and codec
	for _, r := range j.Renditions {
		run := firstRun(r.List, stream.Audio)
		if r.Get("TYPE") != "AUDIO" || run == nil {
			continue
		}
		id := r.Get("NAME") + "\x00" + run.Track.Codec
		other, seen := first[id]
		if !seen {
			first[id] = r
			continue
		}
		a, b := firstRun(other.List, stream.Audio).Track.Sound.Channels, run.Track.Sound.Channels
		if a != b && (!r.Has("CHANNELS") || !other.Has("CHANNELS")) {
			j.differs(at(j.Root, r.Line), fmt.Sprintf("there are several renditions %q of other channels, and CHANNELS does not tell them apart", r.Get("NAME")), a, b)
		}
	}
}

// renditionAttributes is rule 75: attributes that only some types have.
func renditionAttributes(j judge, s spot, r survey.Rendition) {
	kind := r.Get("TYPE")
	captions := kind == "CLOSED-CAPTIONS"
	for _, b := range []struct {
		broken bool
		text   string
	}{
		{kind == "SUBTITLES" && r.Get("URI") == "", "subtitles without a URI"},
		{captions && r.Has("URI"), "closed captions with a URI"},
		{captions && !instream(r.Get("INSTREAM-ID")), "closed captions without an INSTREAM-ID of CC1 to CC4 or SERVICE1 to SERVICE63"},
		{!captions && r.Has("INSTREAM-ID"), "an INSTREAM-ID on what is no closed captions"},
		{kind != "SUBTITLES" && r.Has("FORCED"), "FORCED on what is no subtitles"},
		{kind != "AUDIO" && r.Has("CHANNELS"), "CHANNELS on what is no audio"},
		{wrongYesNo(r), "DEFAULT, AUTOSELECT or FORCED is neither YES nor NO"},
	} {
		if b.broken {
			j.says(s, "%q: %s", r.Get("NAME"), b.text)
		}
	}
}

func wrongYesNo(r survey.Rendition) bool {
	return slices.ContainsFunc([]string{"DEFAULT", "AUTOSELECT", "FORCED"}, func(name string) bool {
		return r.Has(name) && r.Get(name) != "YES" && r.Get(name) != "NO"
	})
}

func instream(id string) bool {
	if n, ok := strings.CutPrefix(id, "CC"); ok {
		i, err := strconv.Atoi(n)
		return err == nil && i >= 1 && i <= 4
	}
	n, ok := strings.CutPrefix(id, "SERVICE")
	i, err := strconv.Atoi(n)
	return ok && err == nil && i >= 1 && i <= 63
}

// scores is rule 76: all variants have a SCORE or none has.
func scores(j judge) {
	with, without := 0, 0
	for _, v := range j.Variants {
		switch {
		case v.IFrames:
		case v.Has("SCORE"):
			with++
		default:
			without++
		}
	}
	if with > 0 && without > 0 {
		j.differs(at(j.Root, 0), "some variants have a SCORE and some have none", with, without)
	}
}

// pathways is rule 76: where content is steered, each variant says by which way
// it comes.
func pathways(j judge) {
	if !j.Root.Has("EXT-X-CONTENT-STEERING") {
		return
	}
	for _, v := range j.Variants {
		if !v.Has("PATHWAY-ID") {
			j.says(at(j.Root, v.Line), "%s: content is steered, and the variant has no PATHWAY-ID", bare(v.URI))
		}
	}
}

// accessible is rule 77: what helps is selected by itself.
func accessible(j judge, s spot, r survey.Rendition) {
	helps := strings.Contains(r.Get("CHARACTERISTICS"), "public.accessibility.") || r.Get("FORCED") == "YES"
	if helps && r.Get("AUTOSELECT") != "YES" && r.Get("DEFAULT") != "YES" {
		j.says(s, "%q is for accessibility or forced, and has no AUTOSELECT=YES", cmp.Or(r.Get("NAME"), "a rendition"))
	}
}
