package scratch

import (
	"path/filepath"
	"slices"
)

// take grants what can be granted now; 0 is nothing, and what to wait for.
// waited: it was asked for before, some time ago.
func (c *Claim) take(want, least int64, urgent, waited bool) (int64, <-chan struct{}, error) {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.look()
	most := b.free(c, waited)
	stuck := waited && b.alone(c) && most < least
	switch {
	case stuck && b.occupied(c):
		return 0, nil, &Occupied{Limit: b.limit, By: b.sources}
	case stuck && urgent && c.unplanned():
		return 0, nil, &TooSmall{Limit: b.limit, Size: b.all(c)}
	case !urgent && c.unplanned():
		most = min(most, b.pool()/2-c.held-c.granted)
	case !urgent && c.roomy:
		most -= besides
	}
	for n := min(want, most); n >= least; n /= 2 {
		if b.alone(c) || b.safe(c, n) {
			c.granted += n
			return n, nil, nil
		}
	}
	return 0, b.changed, nil
}

// occupied: other sources take the room that a claim needs.
func (b *Budget) occupied(c *Claim) bool {
	if most := b.most(c); most < b.limit {
		return most > b.pool()
	}
	return b.sources > b.limit/4
}

// unplanned: nobody knows yet what it needs at once.
func (c *Claim) unplanned() bool { return c.roomy && c.need == 0 }

// alone: no other video holds anything.
func (b *Budget) alone(c *Claim) bool {
	return !slices.ContainsFunc(b.claims, func(o *Claim) bool { return !o.beside(c) && o.held+o.granted > 0 })
}

// pool is what all claims may hold, with what is made of them.
func (b *Budget) pool() int64 { return b.limit - b.sources }

// free is what a claim may get at once. For what is made, room is kept for the
// largest parts of all; when nothing is being made, and one waits all the same,
// for its own. A source that fits into scratch as a whole is let through when it
// is alone, as if nothing were made of it meanwhile.
func (b *Budget) free(c *Claim, waited bool) int64 {
	made, free, whole := b.largest(c), b.pool(), true
	for _, o := range b.claims {
		free -= o.held + o.granted
		whole = whole && (!o.beside(c) || !o.roomy)
		if !waited || b.made > 0 {
			made = max(made, o.made)
		}
	}
	if whole && b.alone(c) {
		return free
	}
	return free - max(b.made, b.parts*made)
}

// safe: when c has got n more, there is still an order in which all videos can
// end.
func (b *Budget) safe(c *Claim, n int64) bool {
	type video struct{ has, most int64 }
	var left []video
	free := b.pool() - n
	for i, o := range b.claims {
		free -= o.held + o.granted
		if slices.ContainsFunc(b.claims[:i], o.beside) {
			continue
		}
		v := video{most: min(b.most(o), b.pool())}
		for _, f := range b.claims {
			if f.beside(o) {
				v.has += f.held + f.granted
			}
		}
		if o.beside(c) {
			v.has += n
		}
		left = append(left, v)
	}
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(v video) bool { return v.most-v.has <= free })
		if i < 0 {
			return false
		}
		free += left[i].has
		left = slices.Delete(left, i, i+1)
	}
	return true
}

// most is how many bytes a video may have to hold at once, with what is made
// of it when its source goes through bit by bit.
func (b *Budget) most(c *Claim) int64 {
	most := int64(0)
	for _, o := range b.claims {
		switch {
		case !o.beside(c):
		case o.size == 0 || o.unplanned():
			return b.limit
		case o.roomy:
			most += o.need + b.parts*o.made
		default:
			most += o.size
		}
	}
	return most
}

// fit finds out whether what is needed of a video's files at once can ever be
// had, as far as that is known.
func (b *Budget) fit(c *Claim) error {
	bitwise := slices.ContainsFunc(b.claims, func(o *Claim) bool { return o.beside(c) && o.need > 0 })
	need := b.least(c) + b.parts*b.largest(c)
	if !bitwise || need <= b.limit {
		return nil
	}
	return &TooSmall{Limit: b.limit, Size: b.all(c), Need: need}
}

// all is how many bytes a video's files have, as far as that is known.
func (b *Budget) all(c *Claim) int64 {
	all := int64(0)
	for _, o := range b.claims {
		if o.beside(c) {
			all += o.size
		}
	}
	return all
}

// beside: both are files of one video, or the same one. Neither is done with
// before the other.
func (c *Claim) beside(o *Claim) bool { return filepath.Dir(c.path) == filepath.Dir(o.path) }

// least is how many bytes of a video's files must be here at once, as far as
// that is known.
func (b *Budget) least(c *Claim) int64 {
	least := int64(0)
	for _, o := range b.claims {
		switch {
		case !o.beside(c):
		case o.roomy:
			least += o.need
		default:
			least += o.size
		}
	}
	return least
}

// largest is how many bytes are made of one part of a video.
func (b *Budget) largest(c *Claim) int64 {
	made := int64(0)
	for _, o := range b.claims {
		if o.beside(c) {
			made = max(made, o.made)
		}
	}
	return made
}
