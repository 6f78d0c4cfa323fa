package fleettest

import (
	"bufio"
	"cmp"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/queue"
)

// audit is what the ledger itself writes down of every change of a job, in the
// transaction that makes it: whoever does it, and wherever it is killed.
type audit struct{ db *sql.DB }

// step is one such change.
type step struct {
	spool.JobKey
	was, state      spool.JobState
	wasEpoch, epoch int
	holder          string // the worker that had it
	at              int64  // milliseconds since 1970
}

func newAudit(t *testing.T, path string) *audit {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(60000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	_, err = db.ExecContext(t.Context(), `
		CREATE TABLE audit (at INTEGER, video TEXT, revision TEXT, kind TEXT, number INTEGER,
			was TEXT, state TEXT, was_epoch INTEGER, epoch INTEGER, holder TEXT);
		CREATE TRIGGER audited AFTER UPDATE ON jobs WHEN old.state <> new.state OR old.epoch <> new.epoch BEGIN
			INSERT INTO audit VALUES (CAST(unixepoch('subsec') * 1000 AS INTEGER),
				(SELECT folded FROM videos WHERE seq = new.video), new.revision, new.kind, new.number,
				old.state, new.state, old.epoch, new.epoch, old.worker);
		END`)
	if err != nil {
		t.Fatal(err)
	}
	return &audit{db}
}

func (a *audit) count(t *testing.T, where string) (n int) {
	t.Helper()
	if err := a.db.QueryRowContext(t.Context(), "SELECT count(*) FROM audit WHERE "+where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (a *audit) steps(t *testing.T) (all []step) {
	t.Helper()
	rows, err := a.db.QueryContext(t.Context(), "SELECT at, video, revision, kind, number, was, state, was_epoch, epoch, holder FROM audit ORDER BY rowid")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err is looked at
	for rows.Next() {
		var s step
		if err := rows.Scan(&s.at, &s.Video, &s.Revision, &s.Kind, &s.Number, &s.was, &s.state, &s.wasEpoch, &s.epoch, &s.holder); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// journals are what all processes wrote down, in the order of time.
func (f *fleet) journals() (all []entry) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join(f.dir, "*.journal"))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			f.Fatal(err)
		}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			var e entry
			if json.Unmarshal(lines.Bytes(), &e) != nil {
				continue // it was killed in the middle of the line
			}
			e.Worker = filepath.Base(name)
			all = append(all, e)
		}
		_ = file.Close() // read only
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.At, b.At) })
	return all
}

func isOut(s spool.JobState) bool { return s == spool.JobSent || s == spool.JobRunning }

// hand is one time that a job was handed out.
type hand struct {
	spool.JobKey
	epoch int
}

// figures are what came of a fleet's faults.
type figures struct{ jobs, done, lost, begun, repeated int }

// judge holds what the ledger and the processes wrote down against what must
// be so, when all is over.
func (f *fleet) judge() figures {
	f.Helper()
	videos, err := f.ledger.List(f.Context(), ledger.Filter{})
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range videos {
		if v.Status != spool.Ready {
			f.Errorf("%s is %s: %+v", v.ID, v.Status, v.Failure)
		}
	}
	n := figures{jobs: f.jobs()}
	ended := f.transitions(&n)
	if n.done != n.jobs {
		f.Errorf("%d jobs are done, not %d", n.done, n.jobs)
	}
	f.executions(&n, ended)
	f.Logf("%d jobs: %d done, 0 lost; %d workers killed, %d leases lost, begun %d times, %d of them again", n.jobs, n.done, f.kills, n.lost, n.begun, n.repeated)
	return n
}

// transitions goes through what the ledger wrote down, and tells when which
// lease was lost.
func (f *fleet) transitions(n *figures) (lost map[hand]int64) {
	f.Helper()
	lost = map[hand]int64{}
	done := map[spool.JobKey]bool{}
	for _, s := range f.audit.steps(f.T) {
		switch {
		case s.was == spool.JobDone:
			f.Errorf("%s was done and became %s", s.JobKey, s.state)
		case s.state == spool.JobDone && done[s.JobKey]:
			f.Errorf("%s was done twice", s.JobKey)
		case s.state == spool.JobDone:
			done[s.JobKey] = true
			n.done++
		case isOut(s.was) && !isOut(s.state):
			lost[hand{s.JobKey, s.epoch}] = s.at
			n.lost++
		}
		if s.epoch != s.wasEpoch && (s.epoch != s.wasEpoch+1 || s.was != spool.JobReady || s.state != spool.JobSent) {
			f.Errorf("%s went from %s, epoch %d, to %s, epoch %d", s.JobKey, s.was, s.wasEpoch, s.state, s.epoch)
		}
	}
	return lost
}

// executions goes through what the workers wrote down.
func (f *fleet) executions(n *figures, lost map[hand]int64) {
	f.Helper()
	begun := map[hand]string{}
	for _, e := range f.journals() {
		if e.What != "begins" {
			continue
		}
		now := hand{e.JobKey, e.Epoch}
		if who, twice := begun[now]; twice {
			f.Errorf("%s, epoch %d, was begun by %s and by %s", e.JobKey, e.Epoch, who, e.Worker)
		}
		begun[now] = e.Worker
		n.begun++
		if e.Epoch == 1 {
			continue
		}
		n.repeated++
		if at, ok := lost[hand{e.JobKey, e.Epoch - 1}]; !ok || at > e.At {
			f.Errorf("%s, epoch %d, was begun by %s, and nobody had lost it", e.JobKey, e.Epoch, e.Worker)
		}
	}
}

// search looks for secrets in all that the engine has on its disk, and shows
// that it would find them there: one that is sent in clear.
func (f *fleet) search(open Open) {
	f.Helper()
	folder := filepath.Join(f.dir, "engine")
	if f.broker != nil {
		folder = f.broker.Dir
	}
	secrets := []string{"canary-3391", "canary-7720", "secret-path", canaryKey, base64.StdEncoding.EncodeToString([]byte(canaryKey))}
	if found := holds(f.T, folder, secrets...); len(found) > 0 {
		f.Errorf("the engine holds in clear:\n%s", strings.Join(found, "\n"))
	}
	url := f.engine.Scheme + "://" + f.address
	q, err := open(f.Context(), url, folder)
	if err != nil {
		f.Fatal(err)
	}
	defer q.Close() //nolint:errcheck // the test is over
	if err := q.Send(f.Context(), queue.ReportTopic, []byte(fmt.Sprint(secrets))); err != nil {
		f.Fatal(err)
	}
	if found := holds(f.T, folder, secrets...); len(found) < len(secrets) {
		f.Errorf("of %d secrets that were sent in clear the search found %v", len(secrets), found)
	}
}
