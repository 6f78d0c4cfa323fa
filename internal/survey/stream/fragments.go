package stream

import (
	"github.com/Eyevinn/mp4ff/mp4"
)

// readFragments reads moof and mdat, over and over.
func readFragments(init *Init, b []byte) Media {
	m := Media{Container: MP4}
	if init == nil {
		own := ReadInit(b)
		init = &own
		if len(own.Tracks) == 0 {
			m.wrong(41, "the playlist names no init section for it")
			return m
		}
	}
	for _, t := range init.Tracks {
		m.Runs = append(m.Runs, Run{Track: t, IDR: t.Kind != Video})
	}
	found, rest := boxes(b)
	if rest > 0 {
		m.wrong(41, "%d bytes at its end are no box", rest)
	}
	fragments := 0
	for n, f := range found {
		if f.name != "moof" {
			if f.cut && f.name != "mdat" {
				m.wrong(41, "box %s is cut short", f.name)
			}
			continue
		}
		fragments++
		decoded, err := f.decode()
		moof, ok := decoded.(*mp4.MoofBox)
		if err != nil || !ok {
			m.wrong(41, "a moof cannot be read")
			continue
		}
		var data box
		if n+1 < len(found) && found[n+1].name == "mdat" {
			data = found[n+1]
		} else {
			m.wrong(41, "no mdat follows a moof")
		}
		for _, traf := range moof.Trafs {
			m.fragment(init, traf, f.start, data)
		}
	}
	if fragments == 0 {
		m.wrong(41, "it holds no moof")
	}
	m.Runs = filled(m.Runs)
	return m
}

func filled(runs []Run) []Run {
	var kept []Run
	for _, r := range runs {
		if r.Samples > 0 {
			kept = append(kept, r)
		}
	}
	return kept
}

// fragment reads one traf. moof is where its moof begins.
func (m *Media) fragment(init *Init, traf *mp4.TrafBox, moof int64, data box) {
	if traf.Tfhd == nil || traf.Tfdt == nil {
		m.wrong(41, "a traf has no tfhd or no tfdt")
		return
	}
	var run *Run
	for i := range m.Runs {
		if m.Runs[i].Track.ID == int(traf.Tfhd.TrackID) {
			run = &m.Runs[i]
		}
	}
	if run == nil {
		m.wrong(41, "a traf is of track %d, which the init section does not have", traf.Tfhd.TrackID)
		return
	}
	if traf.Tfhd.HasBaseDataOffset() {
		m.wrong(41, "tfhd counts data offsets from the start of a file")
		return
	}
	run.HasSenc = traf.Senc != nil || traf.UUIDSenc != nil || traf.Saiz != nil && traf.Saio != nil
	run.Grouped = run.Grouped || traf.Sgpd != nil || traf.Sbgp != nil
	decode := int64(traf.Tfdt.BaseMediaDecodeTime())
	if run.Samples == 0 {
		run.Decode = decode
	} else if due := run.Decode + run.Duration; decode != due {
		m.Problems = append(m.Problems, Problem{
			Rule: 32, Text: "a fragment within it does not begin where the one before ends",
			Declared: ticks(due, run.Track), Measured: ticks(decode, run.Track),
		})
		run.Duration = decode - run.Decode
	}
	defaults := &mp4.TrexBox{}
	for _, t := range init.trex {
		if t.track == run.Track.ID {
			defaults = t.box
		}
	}
	walk := walker{media: m, run: run, moof: moof, data: data}
	for _, t := range traf.Truns {
		t.AddSampleDefaultValues(traf.Tfhd, defaults)
		if t.HasDataOffset() {
			walk.at = moof + int64(t.DataOffset)
		}
		for _, s := range t.Samples {
			walk.sample(s)
		}
	}
}

// walker goes over the samples of one fragment.
type walker struct {
	media *Media
	run   *Run
	moof  int64
	data  box
	at    int64 // of the next sample in the segment
}

func (w *walker) sample(s mp4.Sample) {
	r := w.run
	start := r.Decode + r.Duration + int64(s.CompositionTimeOffset)
	if r.Samples == 0 {
		r.Start, r.End = start, start
	}
	r.Start, r.End = min(r.Start, start), max(r.End, start+int64(s.Dur))
	r.Duration += int64(s.Dur)
	r.Bytes += int64(s.Size)
	if r.Frame == 0 || r.Samples == 1 {
		r.Frame = int64(s.Dur)
	}
	r.Steady = r.Samples == 0 || r.Steady && max(int64(s.Dur)-r.Frame, r.Frame-int64(s.Dur)) <= 1
	first := r.Samples == 0
	r.Samples++
	end := w.at + int64(s.Size)
	from, to := w.at-w.data.start, end-w.data.start
	w.at = end
	keyed := s.Flags&mp4.NonSyncSampleFlags == 0
	if r.Track.Kind == Video && keyed {
		r.Keys = append(r.Keys, KeyFrame{At: start, Offset: w.moof, Size: end - w.moof})
	}
	if from < 8 || to > int64(len(w.data.whole)) {
		if !r.Partial && !w.data.cut {
			w.media.wrong(41, "a sample lies outside of its mdat")
		}
		r.Partial = true
		return
	}
	if r.Track.Kind == Video {
		w.look(w.data.whole[from:to], first, keyed)
	}
}

// look reads the NAL units of a picture. Of samples that are encrypted each by
// itself the headers are clear.
func (w *walker) look(sample []byte, first, keyed bool) {
	r := w.run
	var p picture
	nals, ok := units(sample, r.Track.lengthSize)
	switch {
	case isH264(r.Track.Entry):
		p = lookH264(nals)
	case isHEVC(r.Track.Entry):
		p = lookHEVC(nals)
	default:
		if first {
			r.IDR, r.First = keyed, "a sample that is not marked as sync"
		}
		return
	}
	if !ok || !p.slices {
		w.media.wrong(41, "the NAL units of picture %d do not add up", r.Samples)
	}
	r.Captions = r.Captions || p.captions
	if first {
		r.IDR, r.First = p.idr && keyed, p.kind
		if p.idr && !keyed {
			r.First = "an IDR picture that is not marked as sync"
		}
	}
}
