package download

import "time"

// meter measures a rate.
type meter struct {
	since time.Time // begin of the window
	bytes int64     // in it
	last  float64   // bytes/s of the window before; 0 = there was none
}

const (
	meterWindow = 500 * time.Millisecond
	meterLeast  = 100 * time.Millisecond
)

func (m *meter) came(n int) {
	now := time.Now()
	switch d := now.Sub(m.since); {
	case m.since.IsZero():
		m.since = now
	case d >= meterWindow:
		m.last = float64(m.bytes) / d.Seconds()
		m.since, m.bytes = now, 0
	}
	m.bytes += int64(n)
}

// now is the rate in bytes/s.
func (m *meter) now() float64 {
	d := time.Since(m.since)
	switch {
	case m.since.IsZero():
		return 0
	case m.last > 0 && d < meterWindow:
		return m.last
	}
	return float64(m.bytes) / max(d, meterLeast).Seconds()
}
