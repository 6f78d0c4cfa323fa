package progress

import "time"

// meter measures the rate of a growing number over the last moments: what
// happened an hour ago says nothing of now.
type meter struct {
	window  time.Duration
	samples []sample // by time; the first may be older than the window
}

type sample struct {
	at    time.Time
	value float64
}

// add takes a reading. A number that shrinks (a chunk begun again) starts the
// measuring anew.
func (m *meter) add(at time.Time, value float64) {
	if n := len(m.samples); n > 0 && value < m.samples[n-1].value {
		m.samples = m.samples[:0]
	}
	m.samples = append(m.samples, sample{at, value})
	m.forget(at)
}

// forget drops what lies before the window, but for the newest of those: it
// is where the window begins.
func (m *meter) forget(now time.Time) {
	start := now.Add(-m.window)
	keep := 0
	for keep+1 < len(m.samples) && !m.samples[keep+1].at.After(start) {
		keep++
	}
	m.samples = append(m.samples[:0], m.samples[keep:]...)
}

// rate is units a second up to now; known is false before least has been
// seen. Silence counts: a number that stands still has a falling rate.
func (m *meter) rate(now time.Time, least time.Duration) (perSecond float64, known bool) {
	m.forget(now)
	if len(m.samples) == 0 {
		return 0, false
	}
	first, last := m.samples[0], m.samples[len(m.samples)-1]
	seen := now.Sub(first.at)
	if seen < least || seen <= 0 {
		return 0, false
	}
	return (last.value - first.value) / seen.Seconds(), true
}
