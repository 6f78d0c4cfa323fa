package progress

import (
	"io"
	"time"

	"github.com/spool-video/spool"
)

// plainInterval is how often a video that only moves on may say so.
const plainInterval = 30 * time.Second

// plain writes a line for each change, and now and then one for what moves.
type plain struct {
	board *board
	out   io.Writer
	said  map[string]*spoken
}

// spoken is what was last said of a video.
type spoken struct {
	at     time.Time
	phases map[spool.Phase]bool // said to have begun
	text   string
}

func (p *plain) show(ev Event) {
	p.board.take(ev)
	text := say(ev)
	if ev.Type == Moved {
		text = p.moved(ev)
	}
	if text != "" {
		// Nobody can do anything about a standard error that is gone.
		_, _ = io.WriteString(p.out, text+"\n")
	}
}

// moved says how far a video is when a phase begins for the first time, and
// else at most once in plainInterval. Phases come and go with every chunk.
func (p *plain) moved(ev Event) string {
	e := p.board.videos[ev.Video]
	if ev.Snapshot == nil || e.ended || len(ev.Snapshot.Phases) == 0 && ev.Snapshot.Note == "" {
		return ""
	}
	s := p.said[ev.Video]
	if s == nil {
		s = &spoken{phases: map[spool.Phase]bool{}}
		p.said[ev.Video] = s
	}
	news := false
	for _, phase := range ev.Snapshot.Phases {
		news = news || !s.phases[phase]
		s.phases[phase] = true
	}
	if !news && ev.Time.Sub(s.at) < plainInterval {
		return ""
	}
	text := e.name() + ": " + e.activity(ev.Time)
	if text == s.text {
		return ""
	}
	s.at, s.text = ev.Time, text
	return text
}

func (p *plain) tick(time.Time) {}

func (p *plain) close(Summary) {}
