package sqliteledger

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ledger"
)

// No query that is asked often reads a whole table or sorts it: a list of
// 100,000 videos must not make handing out slow.
func TestQueriesUseIndexes(t *testing.T) {
	l := crowded(t, 0)
	for name, query := range map[string]string{
		"find": queryFind, "ready": queryReady, "ready at a place": queryReadyAt, "place": queryPlace, "stock": queryStock, "next place": queryPlaceAfter, "out": queryOut, "results": queryResults, "jobs": queryJobs,
		"due notices": queryDue, "notices of a video": queryNoticesOf,
	} {
		args := make([]any, strings.Count(query, "?"))
		plan, err := gather(t.Context(), l.read, "EXPLAIN QUERY PLAN "+query, args, func(rows *sql.Rows) (string, error) {
			var id, parent, unused int
			var detail string
			err := rows.Scan(&id, &parent, &unused, &detail)
			return detail, err
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text := strings.Join(plan, "\n")
		for line := range strings.Lines(text) {
			whole := strings.Contains(line, "SCAN") && !strings.Contains(line, "jobs_out") && // that index holds only what is out
				!strings.Contains(line, "jobs_stock") && // that one only what waits for an encoder, which is bounded
				!strings.Contains(line, "json_each") // and that is what was asked with
			if whole || strings.Contains(line, "TEMP B-TREE") {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
}

// The first jobs of 5,000 videos, behind 5,000 that failed with ready jobs left,
// come quickly; the benchmark asks for them among 100,000.
func TestReadyIsFast(t *testing.T) {
	l := crowded(t, 5_000)
	for _, kind := range []spool.Kind{spool.Fetch, spool.Encode} {
		start := time.Now()
		jobs, err := l.Ready(t.Context(), ledger.Ask{Kind: kind, Now: start, Limit: 50})
		took := time.Since(start)
		t.Logf("%s: %d jobs in %v", kind, len(jobs), took)
		if err != nil || took > time.Second { // far above the usual millisecond: the plan is what is tested
			t.Errorf("%s: %v, %v", kind, took, err)
		}
	}
}

// BenchmarkReady is handing out 50 of 100,000.
func BenchmarkReady(b *testing.B) {
	l := crowded(b, 100_000)
	for b.Loop() {
		if jobs, err := l.Ready(b.Context(), ledger.Ask{Kind: spool.Fetch, Now: time.Now(), Limit: 50}); err != nil || len(jobs) != 50 {
			b.Fatal(len(jobs), err)
		}
	}
}

// crowded is a ledger with n videos that failed with a ready encode, and n
// behind them that wait with a ready fetch.
func crowded(t testing.TB, n int) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	for i, kind := range []struct {
		status, kind string
		rank, live   int
	}{{"failed", "encode", 2, 0}, {"waiting", "fetch", 0, 1}} {
		for _, statement := range []string{
			`WITH RECURSIVE n(i) AS (SELECT %[1]d + 1 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d + %[2]d)
			 INSERT INTO videos (seq, folded, canonical, status, revision, record)
			 SELECT i, 'v' || i, 'c/' || i, '%[3]s', 'r1', json_object('id', 'v' || i) FROM n WHERE %[2]d > 0 -- %[4]s %[5]d %[6]d`,
			`INSERT INTO jobs (video, revision, kind, rank, number, live, state, epoch, attempts, deaths, not_before, worker, failure)
			 SELECT seq, 'r1', '%[4]s', %[5]d, 0, %[6]d, 'ready', 0, 0, 0, 0, '', '' FROM videos WHERE seq > %[1]d -- %[2]d %[3]s`,
		} {
			statement = fmt.Sprintf(statement, i*n, n, kind.status, kind.kind, kind.rank, kind.live)
			if _, err := l.write.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	return l
}

// BenchmarkList is a page of 100 among 100,000 that wait, from the middle, and
// the failures of a cause that none of 100,000 has.
func BenchmarkList(b *testing.B) {
	l := crowded(b, 100_000)
	for name, filter := range map[string]ledger.Filter{
		"all":     {After: "v150000", Limit: 100},
		"waiting": {Statuses: []spool.Status{spool.Waiting, spool.Working, spool.Paused}, After: "v150000", Limit: 100},
		"poison":  {Statuses: []spool.Status{spool.Failed}, Causes: []string{"poison"}, Limit: 100},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := l.List(b.Context(), filter); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAccept is one durable video, by one caller.
func BenchmarkAccept(b *testing.B) {
	l := crowded(b, 0)
	n := 0
	for b.Loop() {
		n++
		if err := l.Accept(b.Context(), ledger.Record{Video: spool.Video{ID: fmt.Sprint("b", n)}}); err != nil {
			b.Fatal(err)
		}
	}
}
