package fleettest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/ledger/sqliteledger"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/sealed"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/worker"
)

// part is what a process is to play, as it is told in its environment.
type part struct {
	Worker string // its name; "" is the scheduler
	URL    string // of the queue
	Dir    string // of the fleet
	Slots  int
	Parts  int           // of a video
	Took   time.Duration // a job takes about that long
	Lease  time.Duration
	Thrice bool // all that it sends comes three times
	Clear  bool // nothing is sealed
}

const partVariable = "SPOOL_FLEETTEST"

// What nobody may find in an engine: the source of every video, and the bytes
// of every content key.
const (
	canarySource = "https://user:canary-3391@films.example/secret-path?token=canary-7720"
	canaryKey    = "canary-key-51788"
)

// Child plays a part of a fleet, if this process was started for that, and does
// not return then.
func Child(open Open) {
	text := os.Getenv(partVariable)
	if text == "" {
		return
	}
	fmt.Fprintln(os.Stdout, os.Getpid())
	var p part
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = p.play(context.Background(), open)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1) //nolint:forbidigo // it is the end of a program, which happens to be that of a test
}

// play lasts until it is killed.
func (p part) play(ctx context.Context, open Open) error {
	j, err := newJournal(p.Dir, p.Worker)
	if err != nil {
		return err
	}
	folder := ""
	if p.Worker == "" {
		folder = filepath.Join(p.Dir, "engine")
	}
	q, err := open(ctx, p.URL, folder)
	if err != nil {
		return err
	}
	if p.Thrice {
		q = thrice{q}
	}
	if !p.Clear {
		fleet, err := keys.OpenFleet(p.fleetKey())
		if err != nil {
			return err
		}
		q = sealed.New(q, sealed.Options{Fleet: fleet, Worker: p.Worker})
	}
	if p.Worker != "" {
		return p.work(ctx, q, j)
	}
	return p.schedule(ctx, q)
}

func (p part) fleetKey() string { return filepath.Join(p.Dir, "fleet.key") }

func (p part) ledger() string { return filepath.Join(p.Dir, "ledger.db") }

// thrice is a queue that carries everything three times.
type thrice struct{ queue.Queue }

func (q thrice) Send(ctx context.Context, topic string, body []byte) error {
	for range 3 {
		if err := q.Queue.Send(ctx, topic, body); err != nil {
			return err
		}
	}
	return nil
}

func (p part) schedule(ctx context.Context, q queue.Queue) error {
	l, err := sqliteledger.Open(ctx, p.ledger())
	if err != nil {
		return err
	}
	return schedule.New(schedule.Scheduler{
		Ledger: l, Queue: q, Keys: keyring{}, Fleet: true, Lease: p.Lease,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})),
	}).Run(ctx)
}

// keyring gives every video the same key.
type keyring struct{}

func (keyring) Content(context.Context, spool.Video, int, int) (spool.ContentKeys, error) {
	return spool.ContentKeys{{ID: "k", Bytes: []byte(canaryKey), URI: "https://keys.example/" + canaryKey}}, nil
}

func (p part) work(ctx context.Context, q queue.Queue, j *journal) error {
	s := stub{p, j}
	stages := map[spool.Kind]worker.Stage{}
	for _, kind := range []spool.Kind{spool.Fetch, spool.Draft, spool.Encode, spool.Audio, spool.Finish} {
		stages[kind] = s
	}
	cfg := worker.Config{
		Name: p.Worker, Queue: q, Stages: stages,
		Room: func(_ spool.Kind, running []spool.Progress) int { return p.Slots - len(running) },
	}
	if p.Lease > 0 {
		cfg.Every, cfg.Resend = p.Lease/4, p.Lease
	}
	return worker.New(cfg).Run(ctx)
}

// stub is a stage that notes what it is given, and takes its time.
type stub struct {
	part
	journal *journal
}

func (s stub) Run(ctx context.Context, job spool.Job, _ func(spool.Progress)) (spool.Result, error) {
	if err := s.journal.note(job, "begins"); err != nil {
		return spool.Result{}, err
	}
	if job.Source != canarySource+job.Video || job.Kind == spool.Encode && string(job.Keys[0].Bytes) != canaryKey {
		return spool.Result{}, &spool.Error{Class: spool.Permanent, Code: "incomplete", Reason: "the job came incomplete"}
	}
	if err := queue.Wait(ctx, s.length(job)); err != nil {
		return spool.Result{}, err
	}
	if err := s.journal.note(job, "ends"); err != nil {
		return spool.Result{}, err
	}
	return s.result(job)
}

// length is how long a job takes: most of them are chunks, not all alike.
func (s stub) length(job spool.Job) time.Duration {
	if job.Kind == spool.Encode {
		return s.Took * time.Duration(1+job.Number%3)
	}
	return s.Took / 10
}

func (s stub) result(job spool.Job) (spool.Result, error) {
	switch job.Kind {
	case spool.Fetch:
		return spool.Result{Fetched: &spool.Fetched{Size: 1, SHA256: "s", Remote: &spool.Remote{URL: job.Source}}}, nil
	case spool.Draft:
		p := &spool.Plan{Chunks: make([]spool.Chunk, s.Parts), Pieces: make([]spool.AudioPiece, 1)}
		for i := range p.Chunks {
			p.Chunks[i].Number = i
		}
		return spool.Result{Plan: p}, nil
	case spool.Finish:
		if n := len(job.Made.Segments); n != s.Parts+1 {
			return spool.Result{}, &spool.Error{Class: spool.Permanent, Code: "incomplete", Reason: fmt.Sprintf("the finish got %d parts of %d", n, s.Parts+1)}
		}
		return spool.Result{Finished: &spool.Finished{}}, nil
	case spool.Encode, spool.Audio, spool.Texts:
	}
	name := fmt.Sprintf("%s-%d", job.Kind, job.Number)
	return spool.Result{Made: &spool.Made{Segments: []spool.Segment{{Rendition: string(job.Kind), Number: job.Number, Plain: name}}}}, nil
}

// journal is what a process has done, a line at a time. It outlives the
// process, since the kernel has every line as soon as it is written.
type journal struct{ file *os.File }

// entry is a line of a journal.
type entry struct {
	spool.JobKey
	Epoch  int
	What   string // "begins", "ends"
	Worker string
	At     int64 // milliseconds since 1970
}

func newJournal(dir, worker string) (*journal, error) {
	name := fmt.Sprintf("%s.%d.journal", strings.ReplaceAll(worker, "/", "-"), os.Getpid())
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return &journal{f}, err
}

func (j *journal) note(job spool.Job, what string) error {
	line, err := json.Marshal(entry{job.JobKey, job.Epoch, what, "", time.Now().UnixMilli()})
	if err != nil {
		return err
	}
	_, err = j.file.Write(append(line, '\n'))
	return err
}
