package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// service is a spool serve that runs, with the broker that joins it to workers.
type service struct {
	*broker
	bench   *bench
	home    string
	api     string
	token   string
	args    []string
	process *exec.Cmd
	said    bytes.Buffer
	traced  string // the syncs of the disk that it made, as strace writes them; "" when nobody counts
}

// serving is which spool serve is wanted.
type serving struct {
	engine string   // "": it has slots of its own and no workers
	listen string   // where Redis is reached; "": on this machine only
	cores  string   // the processor's that it may use, as taskset names them; "": all
	traced bool     // its syncs of the disk are noted, which slows nothing else
	flags  []string // more of them
}

// openService starts a spool serve.
func (b *bench) openService(ctx context.Context, o serving) (s *service, err error) {
	if err := b.crews(ctx); err != nil {
		return nil, err
	}
	s = &service{bench: b, broker: &broker{}}
	if s.home, err = os.MkdirTemp(b.dir, "serve-"); err != nil {
		return nil, err
	}
	if o.engine != "" {
		if s.broker, err = b.openBroker(ctx, o.engine, o.listen); err != nil {
			return nil, err
		}
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	s.api = "http://127.0.0.1:" + port
	s.args = s.arguments(o)
	return s, s.start(ctx)
}

// start starts serve, and waits until it takes videos in.
func (s *service) start(ctx context.Context) error {
	s.process = s.bench.command(ctx, s.args[0], s.args[1:]...)
	s.process.Stderr = &s.said
	if err := s.process.Start(); err != nil {
		s.broker.Close()
		return err
	}
	if err := s.ready(ctx); err != nil {
		return errors.Join(err, s.Close())
	}
	return nil
}

// restart ends serve and starts it again, and gives how long the latter takes.
func (s *service) restart(ctx context.Context) (time.Duration, error) {
	if err := s.stop(); err != nil {
		return 0, err
	}
	began := time.Now()
	err := s.start(ctx)
	return time.Since(began), err
}

// arguments are the program that is called, and what with.
func (s *service) arguments(o serving) []string {
	args := []string{
		s.bench.spool, "serve", "--http", strings.TrimPrefix(s.api, "http://"), "--to", s.to(), "--state", filepath.Join(s.home, "state"),
		"--work", filepath.Join(s.home, "work"), "--allow-private", "--encrypt", "none", "--early", "off", "--progress", "plain",
	}
	switch {
	case s.embedded:
		args = append(args, "--slots", "none", "--listen", s.address)
	case o.engine != "":
		args = append(args, "--slots", "none", "--queue", s.url)
	}
	args = append(args, o.flags...)
	if o.traced {
		s.traced = filepath.Join(s.home, "syncs")
		args = append([]string{"strace", "-D", "-f", "--seccomp-bpf", "-qq", "-y", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o", s.traced}, args...)
	}
	return pinned(o.cores, args)
}

// pinned has a command use these cores only; "" is all of them.
func pinned(cores string, args []string) []string {
	if cores == "" {
		return args
	}
	return append([]string{"taskset", "-c", cores}, args...)
}

// to is the destination.
func (s *service) to() string { return filepath.Join(s.home, "to") }

// ready waits until the service takes videos in.
func (s *service) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return s.bench.await(ctx, func() (bool, error) {
		token, err := os.ReadFile(filepath.Join(s.home, "state", "api-token"))
		if err != nil {
			return false, nil //nolint:nilerr // it is made at the first start
		}
		s.token = string(bytes.TrimSpace(token))
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api+"/readyz", http.NoBody)
		if err != nil {
			return false, err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, nil //nolint:nilerr // it does not listen yet
		}
		return answer.StatusCode == http.StatusOK, answer.Body.Close()
	})
}

// await asks again and again, until it is so.
func (b *bench) await(ctx context.Context, so func() (bool, error)) error {
	return every(ctx, 10*time.Millisecond, so)
}

// every asks that often, where asking has a price.
func every(ctx context.Context, pause time.Duration, so func() (bool, error)) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		if yes, err := so(); yes || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Close ends serve and broker, and what serve said is in the error.
func (s *service) Close() error {
	defer s.broker.Close()
	return s.stop()
}

func (s *service) stop() error {
	_ = s.process.Process.Signal(os.Interrupt) // it may have ended
	if err := s.process.Wait(); err != nil {
		return fmt.Errorf("spool serve: %w: %s", err, tail(s.said.String()))
	}
	return nil
}

// syncs is how often the ledger's files were synced, when serve is traced.
func (s *service) syncs() (int, error) {
	text, err := os.ReadFile(s.traced)
	if err != nil {
		return 0, err
	}
	count := 0
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "sync(") && strings.Contains(line, "ledger.db") {
			count++
		}
	}
	return count, nil
}

// ask is one request to the API; body and answer may be nil.
func (s *service) ask(ctx context.Context, method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, s.api+"/api/v1"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, tail(string(got)))
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(got, answer)
}

// submission is a video that is handed in.
type submission struct {
	Source   string `json:"source"`
	ID       string `json:"id"`
	Priority int    `json:"priority,omitempty"`
}

// mostAtOnce is how many videos one request may hand in.
const mostAtOnce = 1000

// add hands in as many videos as are wanted, whose sources nobody will look at.
func (s *service) add(ctx context.Context, name string, count, priority int) error {
	for from := 0; from < count; from += mostAtOnce {
		var all []submission
		for n := from; n < min(from+mostAtOnce, count); n++ {
			id := fmt.Sprintf("%s-%d", name, n)
			all = append(all, submission{Source: "http://127.0.0.1/" + id + ".mp4", ID: id, Priority: priority})
		}
		var answer struct{ Videos []struct{ Verdict string } }
		if err := s.ask(ctx, http.MethodPost, "/batch", map[string]any{"videos": all}, &answer); err != nil {
			return err
		}
		for _, v := range answer.Videos {
			if v.Verdict != "accepted" {
				return fmt.Errorf("hand in %s: a video was %s", name, v.Verdict)
			}
		}
	}
	return nil
}

// open are the videos that were handed in together and have not ended, 1000 of
// them at most.
func (s *service) open(ctx context.Context, name string) (ids []string, err error) {
	first := name + "-0"
	v, err := s.video(ctx, first)
	if err != nil || v.Status != "ready" {
		return []string{first}, err
	}
	query := url.Values{"limit": {fmt.Sprint(mostAtOnce)}, "after": {first}, "status": {"waiting", "working", "paused", "failed"}}
	var page struct{ Videos []struct{ ID string } }
	if err := s.ask(ctx, http.MethodGet, "/videos?"+query.Encode(), nil, &page); err != nil {
		return nil, err
	}
	for _, v := range page.Videos {
		if strings.HasPrefix(v.ID, name+"-") {
			ids = append(ids, v.ID)
		}
	}
	return ids, nil
}

// reach is the identity of the destination, as workers state it.
func (s *service) reach() (string, error) {
	token, err := os.ReadFile(filepath.Join(s.to(), ".spool-store"))
	if err != nil {
		return "", err
	}
	return "to:" + strings.TrimSpace(string(token)), nil
}

// ended waits until videos that were handed in together are ready. They are
// begun in their turn, so that it is enough to look at the last one for most
// of the time.
func (s *service) ended(ctx context.Context, name string, count int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.bench.limit, errStuck)
	defer cancel()
	last := fmt.Sprintf("%s-%d", name, count-1)
	return s.bench.await(ctx, func() (bool, error) {
		v, err := s.video(ctx, last)
		if err != nil || v.Status != "ready" {
			return false, err
		}
		open, err := s.open(ctx, name)
		return len(open) == 0, err
	})
}

// video is what the API tells of one.
type video struct {
	Status  string
	Changed time.Time // its status
	Jobs    []struct {
		Kind, State, Worker string
		Number              int
	}
}

func (s *service) video(ctx context.Context, id string) (v video, err error) {
	return v, s.ask(ctx, http.MethodGet, "/videos/"+id, nil, &v)
}

// running are the chunks of a video that are worked on, and by whom.
func (v video) running() map[int]string {
	at := map[int]string{}
	for _, j := range v.Jobs {
		if j.Kind == "encode" && j.State == "running" {
			at[j.Number] = j.Worker
		}
	}
	return at
}
