package ledgertest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// Memory is a ledger that keeps nothing when the process ends, for simulations
// of what would take a disk too long. It is held against the same suite.
type Memory struct {
	mu       sync.Mutex
	next     int64
	videos   map[string]*kept             // by folded ID
	keys     map[string]map[string][]byte // folded ID → key ID → wrapped
	named    map[string]string            // folded ID → ID, of keys
	replaced []ledger.Replaced
	notices  []ledger.Notice
	writes   int64

	// Commits counts the transactions that wrote something.
	Commits int
}

// kept is a video with all its jobs, of all revisions.
type kept struct {
	seq   int64
	video []byte      // JSON: nobody shares anything with it
	seen  spool.Video // the same, for who only looks
	jobs  map[spool.JobKey]ledger.Job
}

// Process is a Memory as one process sees it.
type Process struct {
	*Memory
	seen int64 // writes of others
}

var _ ledger.Ledger = (*Process)(nil)

// NewMemory makes an empty ledger.
func NewMemory() *Memory {
	return &Memory{videos: map[string]*kept{}, keys: map[string]map[string][]byte{}, named: map[string]string{}}
}

// Open gives the ledger to one process.
func (m *Memory) Open() *Process { return &Process{Memory: m} }

// Close does nothing: others may have it open.
func (p *Process) Close() error { return nil }

// wrote notes a transaction, for Changes. The caller holds the lock.
func (p *Process) wrote() {
	p.Commits++
	p.writes++
	p.seen-- // what this process writes is no change to it
}

// Changes counts the transactions of others.
func (p *Process) Changes(ctx context.Context) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writes + p.seen, ctx.Err()
}

func (m *Memory) get(id string) (*kept, error) {
	k := m.videos[spool.FoldID(id)]
	if k == nil {
		return nil, fmt.Errorf("video %s: %w", id, ledger.ErrNotFound)
	}
	return k, nil
}

func (k *kept) record() (r ledger.Record) {
	if err := json.Unmarshal(k.video, &r.Video); err != nil {
		panic(err) // it was written by put
	}
	for key, j := range k.jobs {
		if key.Revision == r.Video.Revision {
			j.Result = nil
			if j.Failure != nil {
				failure := *j.Failure
				j.Failure = &failure
			}
			r.Jobs = append(r.Jobs, j)
		}
	}
	slices.SortFunc(r.Jobs, byKind)
	return r
}

func byKind(a, b ledger.Job) int {
	return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(a.Number, b.Number))
}

// put saves what changed of a record.
func (k *kept) put(r ledger.Record) error {
	text, err := json.Marshal(r.Video)
	if err != nil {
		return err
	}
	k.video, k.seen = text, spool.Video{}
	if err := json.Unmarshal(text, &k.seen); err != nil {
		return err
	}
	for _, j := range r.Jobs {
		if j.Result == nil {
			j.Result = k.jobs[j.JobKey].Result
		}
		if j.Failure != nil {
			failure := *j.Failure
			j.Failure = &failure
		}
		k.jobs[j.JobKey] = j
	}
	return nil
}

func sound(id string, r ledger.Record) error {
	if r.Video.ID != id {
		return fmt.Errorf("video %s: an update cannot change its ID to %q", id, r.Video.ID)
	}
	for _, j := range r.Jobs {
		if j.Video != id || !slices.Contains(kinds, j.Kind) {
			return fmt.Errorf("job %s is not one of video %s", j.JobKey, id)
		}
	}
	return nil
}

// Accept adds videos.
func (p *Process) Accept(ctx context.Context, rs ...ledger.Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	added := map[string]*kept{}
	for _, r := range rs {
		if !spool.ValidID(r.Video.ID) {
			return fmt.Errorf("accept video: %q is no ID", r.Video.ID)
		}
		id := spool.FoldID(r.Video.ID)
		if p.videos[id] != nil || added[id] != nil {
			return fmt.Errorf("video %s: %w", r.Video.ID, ledger.ErrExists)
		}
		if err := sound(r.Video.ID, r); err != nil {
			return err
		}
		p.next++
		added[id] = &kept{seq: p.next, jobs: map[spool.JobKey]ledger.Job{}}
		if err := added[id].put(r); err != nil {
			return err
		}
	}
	for _, r := range rs {
		p.notices = append(p.notices, ledger.Ended(spool.Video{}, r.Video)...)
	}
	maps.Copy(p.videos, added)
	p.wrote()
	return nil
}

// Update changes one record.
func (p *Process) Update(ctx context.Context, id string, change func(*ledger.Record) error) error {
	refused, err := p.UpdateAll(ctx, []ledger.Change{{ID: id, Do: change}})
	if err != nil {
		return err
	}
	return refused[0]
}

// UpdateAll changes records, all or none of them when ctx ends.
func (p *Process) UpdateAll(ctx context.Context, changes []ledger.Change) ([]error, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	refused := make([]error, len(changes))
	drafts := map[*kept]*kept{}
	for i, c := range changes {
		k, err := p.get(c.ID)
		if refused[i] = err; err != nil {
			continue
		}
		if drafts[k] == nil {
			drafts[k] = &kept{seq: k.seq, video: k.video, seen: k.seen, jobs: maps.Clone(k.jobs)}
		}
		refused[i] = p.try(drafts[k], c)
	}
	if err := ctx.Err(); err != nil { // ended in the middle
		return nil, err
	}
	for k, draft := range drafts {
		p.noteReplaced(k.seen, draft.seen)
		p.notices = append(p.notices, ledger.Ended(k.seen, draft.seen)...)
		*k = *draft
	}
	if slices.Contains(refused, nil) {
		p.wrote()
	}
	return refused, nil
}

// try makes one change to a draft, or leaves it as it is.
func (p *Process) try(draft *kept, c ledger.Change) error {
	r := draft.record()
	id := r.Video.ID
	if err := c.Do(&r); err != nil {
		return err
	}
	if err := sound(id, r); err != nil {
		return err
	}
	return draft.put(r)
}

func (m *Memory) noteReplaced(before, after spool.Video) {
	if before.Published == after.Published {
		return
	}
	m.replaced = slices.DeleteFunc(m.replaced, func(r ledger.Replaced) bool { return r.Video == after.ID && r.Revision == after.Published })
	if before.Published != "" {
		m.replaced = append(m.replaced, ledger.Replaced{Video: after.ID, Revision: before.Published, Since: time.Now()})
	}
}

// Remove forgets a video.
func (p *Process) Remove(ctx context.Context, id string, keepKeys bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := p.get(id); err != nil {
		return err
	}
	folded := spool.FoldID(id)
	delete(p.videos, folded)
	if !keepKeys {
		delete(p.keys, folded)
	}
	p.replaced = slices.DeleteFunc(p.replaced, func(r ledger.Replaced) bool { return spool.FoldID(r.Video) == folded })
	p.wrote()
	return nil
}
