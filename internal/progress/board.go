package progress

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/plaintext"
)

const (
	rateWindow  = 10 * time.Second // of one stage of one video
	rateLeast   = time.Second
	totalWindow = 60 * time.Second // of the whole run
	totalLeast  = 5 * time.Second
)

// board is what is known of all videos of a run. It belongs to its renderer.
type board struct {
	videos  map[string]*entry
	live    []*entry // those that have begun and not ended, as they began
	ended   int
	done    int     // ready in this run
	failed  int     // refused lines too
	removed int     // by somebody, while it was worked on
	known   bool    // no more videos come
	worked  float64 // seconds of media, weighed by share
	length  float64 // seconds of media that the videos have whose length is known
	lasting int     // how many those are
	rate    meter
}

// entry is one video that is to be worked on.
type entry struct {
	id, title string
	begun     bool
	ended     bool
	measured  bool // its length is known, and counted
	paused    *spool.Failure
	snapshot  *Snapshot
	share     float64 // the most that was seen of this plan
	download  meter
	encode    meter
}

func newBoard() *board {
	return &board{videos: map[string]*entry{}, rate: meter{window: totalWindow}}
}

// take learns from an event.
func (b *board) take(ev Event) {
	switch ev.Type {
	case Accepted:
		b.entry(ev)
	case Known:
		if !ev.Status.Ended() {
			b.entry(ev)
		}
	case Bad:
		b.failed++
	case Counted:
		b.known = true
	case Moved:
		b.move(b.entry(ev), ev)
	case Paused:
		e := b.entry(ev)
		b.begin(e)
		e.paused = ev.Failure
	case Resumed:
		b.entry(ev).paused = nil
	case Ready, Failed, Removed:
		b.end(b.entry(ev), ev)
	case Noted, Watchable, Logged:
	}
}

func (b *board) entry(ev Event) *entry {
	e := b.videos[ev.Video]
	if e == nil {
		e = &entry{id: ev.Video}
		e.download.window, e.encode.window = rateWindow, rateWindow
		b.videos[ev.Video] = e
	}
	if ev.Title != "" {
		e.title = ev.Title
	}
	return e
}

func (b *board) begin(e *entry) {
	if !e.begun && !e.ended {
		e.begun = true
		b.live = append(b.live, e)
	}
}

func (b *board) move(e *entry, ev Event) {
	s := ev.Snapshot
	if s == nil || e.ended {
		return
	}
	b.begin(e)
	if s.Length > 0 && !e.measured {
		e.measured = true
		b.length += s.Length.Seconds()
		b.lasting++
	}
	share := s.share()
	switch {
	case e.snapshot == nil || e.snapshot.Length != s.Length || share < e.share/2:
		// What was done before this run began is no work of this run, nor is
		// what a new plan begins with: here counting starts.
		e.share = share
	case share > e.share:
		// Parts that are handed on from one stage to the next may not be seen
		// for a moment. Only what goes beyond the most that was seen is new.
		b.worked += (share - e.share) * s.Length.Seconds()
		e.share = share
	}
	b.rate.add(ev.Time, b.worked)
	e.snapshot = s
	e.download.add(ev.Time, float64(s.Download.Done))
	e.encode.add(ev.Time, float64(s.Encode.Done))
}

func (b *board) end(e *entry, ev Event) {
	if e.ended {
		return
	}
	e.ended, e.paused = true, nil
	b.ended++
	b.live = slices.DeleteFunc(b.live, func(other *entry) bool { return other == e })
	if ev.Type == Removed {
		b.removed++
		return
	}
	if ev.Type == Failed {
		b.failed++
		return
	}
	b.done++
	if e.snapshot != nil {
		b.worked += (1 - e.share) * e.snapshot.Length.Seconds()
		b.rate.add(ev.Time, b.worked)
	}
}

// active are the videos that something happens to, or that wait for a reason.
func (b *board) active() []*entry {
	var list []*entry
	for _, e := range b.live {
		if e.paused != nil || e.snapshot != nil && (len(e.snapshot.Phases) > 0 || e.snapshot.Note != "") {
			list = append(list, e)
		}
	}
	return list
}

// estimate is how long the rest of a run will take.
type estimate struct {
	left time.Duration
	// sign stands before it: "≈ " when lengths that are not known yet are taken
	// for the average of the known ones, "≥ " when a pause may make it longer.
	sign string
}

// left is how long the rest will take at the rate of the last minute. known is
// false while that would be a guess: there is no rate, more videos may come,
// or most of those that are there have lengths that nobody knows.
func (b *board) left(now time.Time) (e estimate, known bool) {
	seconds, unknown := 0.0, len(b.videos)-b.ended-len(b.live)
	for _, v := range b.live {
		if v.paused != nil {
			e.sign = "≥ "
		}
		if v.measured && v.snapshot.Length > 0 {
			seconds += (1 - v.share) * v.snapshot.Length.Seconds()
		} else {
			unknown++
		}
	}
	const sample = 3 // as many say something of all the others
	if !b.known || unknown > 0 && b.lasting < min(unknown, sample) {
		return estimate{}, false
	}
	if unknown > 0 {
		seconds += float64(unknown) * b.length / float64(b.lasting)
		e.sign = cmp.Or(e.sign, "≈ ")
	}
	rate, known := b.rate.rate(now, totalLeast)
	const longest = 1000 * time.Hour
	if !known || rate <= 0 || seconds/rate > longest.Seconds() {
		return estimate{}, false
	}
	e.left = time.Duration(seconds / rate * float64(time.Second))
	return e, true
}

// total is the line about the run as a whole.
func (b *board) total(now time.Time) string {
	all := fmt.Sprint(len(b.videos) - b.removed)
	if !b.known {
		all = "≥" + all
	}
	parts := []string{fmt.Sprintf("%d/%s ready", b.done, all)}
	if b.failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", b.failed))
	}
	if rate, known := b.rate.rate(now, totalLeast); known && rate > 0 {
		parts = append(parts, fmt.Sprintf("%.1f× realtime", rate))
	}
	if e, known := b.left(now); known && e.left >= time.Second {
		parts = append(parts, e.sign+Duration(e.left.Round(time.Second))+" left")
	}
	return strings.Join(parts, " · ")
}

// activity says what one video is doing, in one line.
func (e *entry) activity(now time.Time) string {
	s := e.snapshot
	if e.paused != nil {
		return "paused: " + plaintext.Show(e.paused.Reason)
	}
	if s == nil {
		return "waiting"
	}
	parts := make([]string, 0, len(s.Phases)+1)
	for _, phase := range s.Phases {
		part := string(phase)
		switch phase {
		case spool.Downloading:
			part += downloaded(s.Download, &e.download, now)
		case spool.Encoding:
			part += e.encoded(now)
		case spool.Probing, spool.Publishing, spool.Verifying:
		}
		parts = append(parts, part)
	}
	if s.Note != "" {
		parts = append(parts, plaintext.Show(s.Note))
	}
	if len(parts) == 0 {
		return "waiting"
	}
	return strings.Join(parts, " · ")
}

// downloaded: " 43 % 12 MB/s", or " 7.1 MB 12 MB/s" while the size is unknown.
func downloaded(c Count, m *meter, now time.Time) string {
	text := ""
	if share, known := c.share(); known {
		text = " " + percent(share)
	} else if c.Done > 0 {
		text = " " + Bytes(c.Done)
	}
	if rate, known := m.rate(now, rateLeast); known && c.Done > 0 {
		text += " " + Bytes(int64(rate)) + "/s"
	}
	return text
}

// encoded: " 2.1× chunk 3/9". The chunk is the one that is being made, or the
// last one.
func (e *entry) encoded(now time.Time) string {
	s, text := e.snapshot, ""
	rate, known := e.encode.rate(now, rateLeast)
	if known && s.Encode.Total > 0 && s.Length > 0 {
		if speed := rate / float64(s.Encode.Total) * s.Length.Seconds(); speed >= 0.05 {
			text = fmt.Sprintf(" %.1f×", speed)
		}
	}
	if s.Chunks > 0 {
		text += fmt.Sprintf(" chunk %d/%d", min(s.ChunksDone+1, s.Chunks), s.Chunks)
	}
	return text
}

// name is how a line begins that is about a video.
func (e *entry) name() string { return plaintext.Sanitize(e.id) }
