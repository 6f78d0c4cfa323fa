package ledgertest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// What a Memory is asked.

// Get gives a record.
func (m *Memory) Get(ctx context.Context, id string) (ledger.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return ledger.Record{}, err
	}
	k, err := m.get(id)
	if err != nil {
		return ledger.Record{}, err
	}
	return k.record(), nil
}

// inOrder are the videos in the order of acceptance. The caller holds the lock.
func (m *Memory) inOrder() []*kept {
	all := make([]*kept, 0, len(m.videos))
	for _, k := range m.videos {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b *kept) int { return cmp.Compare(a.seq, b.seq) })
	return all
}

// Find gives the newest video of a source.
func (m *Memory) Find(ctx context.Context, canonical string) (spool.Video, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range slices.Backward(m.inOrder()) {
		if v := k.seen; v.Canonical == canonical {
			return v, ctx.Err()
		}
	}
	return spool.Video{}, fmt.Errorf("video of this source: %w", ledger.ErrNotFound)
}

// List gives videos.
func (m *Memory) List(ctx context.Context, f ledger.Filter) ([]spool.Video, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	after := int64(0)
	if f.After != "" {
		k, err := m.get(f.After)
		if err != nil {
			return nil, err
		}
		after = k.seq
	}
	var all []spool.Video
	for _, k := range m.inOrder() {
		v := k.seen
		cause := ""
		if v.Failure != nil {
			cause = v.Failure.Code
		}
		wanted := k.seq > after &&
			(f.Statuses == nil || slices.Contains(f.Statuses, v.Status)) &&
			(f.Causes == nil || slices.Contains(f.Causes, cause))
		if wanted && (f.Limit == 0 || len(all) < f.Limit) {
			all = append(all, v)
		}
	}
	return all, ctx.Err()
}

// Stock gives videos that could be encoded, and of which nothing was begun.
func (m *Memory) Stock(ctx context.Context, limit int) ([]ledger.Stocked, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []ledger.Stocked
	for _, k := range m.inOrder() {
		if len(all) == limit || k.seen.Status.Ended() {
			continue
		}
		some, found := ledger.Stocked{Priority: k.seen.Priority}, false
		for _, j := range k.record().Jobs {
			first := j.State == spool.JobReady && j.Epoch == 0 && j.Number == 0
			if first && (j.Kind == spool.Draft || j.Kind == spool.Encode || j.Kind == spool.Audio) {
				some.Place, found = j.Place, true
			}
			if j.Kind == spool.Encode {
				some.Chunks++
			}
		}
		if found {
			all = append(all, some)
		}
	}
	return all, ctx.Err()
}

// Ready gives jobs in the order of handing out.
func (m *Memory) Ready(ctx context.Context, a ledger.Ask) ([]spool.JobRecord, error) {
	type ready struct {
		spool.JobRecord
		priority int
		seq      int64
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []ready
	m.live(a.Kind, func(k *kept, v spool.Video, j spool.JobRecord) {
		if !ledger.Rests(j.NotBefore, a.Now) && (a.Places == nil || slices.Contains(a.Places, j.Place)) {
			all = append(all, ready{j, v.Priority, k.seq})
		}
	})
	slices.SortFunc(all, func(a, b ready) int {
		return cmp.Or(-cmp.Compare(a.priority, b.priority), cmp.Compare(a.Turn, b.Turn), cmp.Compare(a.seq, b.seq), cmp.Compare(a.Number, b.Number))
	})
	taken := map[spool.Place]int{}
	var some []spool.JobRecord
	for _, j := range all {
		of := j.Place
		if a.Places == nil {
			of = spool.Place{}
		}
		if taken[of]++; taken[of] <= a.Limit {
			some = append(some, j.JobRecord)
		}
	}
	return some, ctx.Err()
}

// live visits the ready jobs of a kind, of videos that have not ended. The
// caller holds the lock.
func (m *Memory) live(kind spool.Kind, visit func(*kept, spool.Video, spool.JobRecord)) {
	for _, k := range m.videos {
		if k.seen.Status.Ended() {
			continue
		}
		for _, j := range k.jobs {
			if j.Revision == k.seen.Revision && j.Kind == kind && j.State == spool.JobReady {
				visit(k, k.seen, j.JobRecord)
			}
		}
	}
}

// Places gives the places of ready jobs.
func (m *Memory) Places(ctx context.Context, kind spool.Kind) ([]spool.Place, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []spool.Place
	m.live(kind, func(_ *kept, _ spool.Video, j spool.JobRecord) {
		if !slices.Contains(all, j.Place) {
			all = append(all, j.Place)
		}
	})
	slices.SortFunc(all, func(a, b spool.Place) int {
		return cmp.Or(cmp.Compare(a.Worker, b.Worker), cmp.Compare(a.Store, b.Store), cmp.Compare(a.Class, b.Class))
	})
	return all, ctx.Err()
}

// Out gives the jobs that are out.
func (m *Memory) Out(ctx context.Context) ([]spool.JobRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []ledger.Job
	for _, k := range m.inOrder() {
		for _, j := range k.jobs {
			if j.State == spool.JobSent || j.State == spool.JobRunning {
				all = append(all, j)
			}
		}
	}
	slices.SortFunc(all, func(a, b ledger.Job) int {
		return cmp.Or(cmp.Compare(a.Video, b.Video), cmp.Compare(a.Revision, b.Revision), byKind(a, b))
	})
	out := make([]spool.JobRecord, len(all))
	for i, j := range all {
		out[i] = j.JobRecord
	}
	return out, ctx.Err()
}

// Results gives the jobs of a revision that have a result.
func (m *Memory) Results(ctx context.Context, video, revision string) ([]ledger.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, err := m.get(video)
	if err != nil {
		return nil, ctx.Err()
	}
	var all []ledger.Job
	for key, j := range k.jobs {
		if key.Revision == revision && j.Result != nil {
			all = append(all, j)
		}
	}
	slices.SortFunc(all, byKind)
	return all, ctx.Err()
}

// PutKeys keeps keys, but for those that there are.
func (m *Memory) PutKeys(ctx context.Context, video string, wrapped map[string][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := spool.FoldID(video)
	if m.keys[id] == nil {
		m.keys[id], m.named[id] = map[string][]byte{}, video
	}
	for name, key := range wrapped {
		if m.keys[id][name] == nil {
			m.keys[id][name] = bytes.Clone(key)
		}
	}
	return ctx.Err()
}

// Key gives a key.
func (m *Memory) Key(ctx context.Context, video, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := m.keys[spool.FoldID(video)][name]
	if key == nil {
		return nil, fmt.Errorf("key %s of %s: %w", name, video, ledger.ErrNotFound)
	}
	return bytes.Clone(key), ctx.Err()
}

// Keys gives the IDs of keys.
func (m *Memory) Keys(ctx context.Context, video string) (map[string][]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string][]string{}
	for id, keys := range m.keys {
		if video != "" && id != spool.FoldID(video) {
			continue
		}
		for name := range keys {
			all[m.named[id]] = append(all[m.named[id]], name)
		}
		slices.Sort(all[m.named[id]])
	}
	return all, ctx.Err()
}

// Replaced gives the revisions that were replaced.
func (m *Memory) Replaced(ctx context.Context, before time.Time) ([]ledger.Replaced, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []ledger.Replaced
	for _, r := range m.replaced {
		if r.Since.Before(before) {
			all = append(all, r)
		}
	}
	return all, ctx.Err()
}

// Swept forgets a revision that was replaced.
func (m *Memory) Swept(ctx context.Context, video, revision string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.replaced = slices.DeleteFunc(m.replaced, func(r ledger.Replaced) bool {
		return spool.FoldID(r.Video) == spool.FoldID(video) && r.Revision == revision
	})
	return ctx.Err()
}
