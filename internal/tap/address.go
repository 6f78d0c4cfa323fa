package tap

import "os"

// Desk is where the jobs of a worker ask for their sources. Nil is a worker
// whose sources are complete.
type Desk struct {
	Taps   Taps
	Server Server
}

// Address says where a program finds a source: at a loopback address while it
// is arriving, at its path when it is complete. close is called when the
// program has ended.
func (d *Desk) Address(path string) (address string, close func()) {
	src := d.Arriving(path)
	if src == nil {
		return path, func() {}
	}
	return d.Server.Open(src)
}

// Arriving gives the source that is read through the tap; nil when it is to be
// read by its path.
func (d *Desk) Arriving(path string) *Source {
	if d == nil {
		return nil
	}
	if src := d.Taps.Find(path); src != nil && !src.whole() {
		return src
	}
	return nil
}

// whole reports whether the source is complete under its path.
func (s *Source) whole() bool {
	s.mu.Lock()
	ended := s.ended && s.err == nil
	s.mu.Unlock()
	if !ended {
		return false
	}
	_, err := os.Stat(s.path)
	return err == nil
}
