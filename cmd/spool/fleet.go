package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/natsserver"
	"github.com/spool-video/spool/internal/schedule"
	"github.com/spool-video/spool/internal/store"
)

// sharedKey reads the key that serve and its workers share; nil when none is
// named.
func sharedKey(cfg config.Config) (*keys.Fleet, error) {
	if cfg.FleetKey == "" {
		return nil, nil //nolint:nilnil // none is named, which is decided about later
	}
	return keys.OpenFleet(cfg.FleetKey)
}

// fleet is how a serve is joined to its workers.
type fleet struct {
	key    *keys.Fleet
	server *natsserver.Server // the queue in this process, or nil
}

// gather opens what joins a serve to others; nil when nothing does. Close must
// be called. log, which may be nil, is told what the queue of this process says.
func gather(ctx context.Context, cfg config.Config, log *slog.Logger) (*fleet, error) {
	if cfg.Queue == "" && cfg.Listen == "" {
		return nil, nil //nolint:nilnil // it works alone
	}
	key, err := sharedKey(cfg)
	if err != nil {
		return nil, err
	}
	f := &fleet{key: key}
	if cfg.Listen == "" {
		return f, nil
	}
	c := natsserver.Config{Dir: filepath.Join(cfg.State, "queue"), Listen: cfg.Listen, Log: log}
	if key != nil {
		c.Tokens = key.Tokens()
	}
	if f.server, err = natsserver.Start(ctx, c); err != nil {
		var e *spool.Error
		if errors.As(err, &e) && e.Code == "listen-open" {
			e.Hint = "spool keys fleet FILE makes a key; give the same file to serve and to every worker with --fleet-key FILE"
		}
		return nil, err
	}
	return f, nil
}

// Close ends the queue of this process, if there is one.
func (f *fleet) Close() error {
	if f == nil || f.server == nil {
		return nil
	}
	return f.server.Close()
}

// hookup connects to the queue, and waits for it as long as ctx lets it. says
// is told in words what is wrong, and "" when that is over; warns, of what goes
// on all the same.
func (f *fleet) hookup(ctx context.Context, cfg config.Config, says, warns func(string)) (hookup, error) {
	if f == nil {
		return hookup{}, nil
	}
	q, err := openQueue(ctx, cfg.Queue, queueOptions{Fleet: f.key, Server: f.server, Says: inWords(says), Warns: warned(warns)})
	if err != nil {
		return hookup{}, err
	}
	return hookup{queue: q, fleet: true, idle: cfg.Slots == "none"}, nil
}

// inWords tells why the queue is away, and "" when it is back.
func inWords(says func(string)) func(*spool.Error) {
	return func(e *spool.Error) {
		if e == nil {
			says("")
			return
		}
		says(reasoned(e))
	}
}

// warned tells what could be better about a queue that can be used.
func warned(warns func(string)) func(*spool.Error) {
	return func(e *spool.Error) { warns(reasoned(e)) }
}

// reasoned is an error as one line.
func reasoned(e *spool.Error) string {
	if e.Hint == "" {
		return plaintext.Sanitize(e.Reason)
	}
	return plaintext.Sanitize(e.Reason + " (" + e.Hint + ")")
}

// identity is the destination as scheduler and workers name it to each other:
// the same wherever it is reached from.
func identity(s store.Store) string {
	if o, ok := s.(opened); ok && o.Token() != "" {
		return "to:" + o.Token()
	}
	return ""
}

var noName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// hostName is this machine's name, as a worker may be called.
func hostName() string {
	host, _ := os.Hostname()
	host, _, _ = strings.Cut(host, ".")
	if host = strings.Trim(noName.ReplaceAllString(host, "-"), "-"); host == "" {
		host = "worker"
	}
	return plaintext.Cut(host, 40)
}

// ownName is that of the worker inside a serve.
func ownName(cfg config.Config) string {
	return hostName() + "-serve-" + filepath.Base(cfg.State)[:min(20, len(filepath.Base(cfg.State)))]
}

// tidyEvery is how often workers are told which videos have ended that they
// keep the source of.
const tidyEvery = 10 * time.Second

// tidy tells workers which videos have ended: all of them when it happens, and
// those that still hold a source of it again and again, for a message may be
// lost.
func (e *engine) tidy(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-e.over:
			for _, w := range e.scheduler.Workers() {
				e.tellEnded(ctx, w, id)
			}
		case <-tick.C:
			for _, w := range e.scheduler.Workers() {
				e.tellEnded(ctx, w, e.needless(ctx, w)...)
			}
		}
	}
}

// note keeps a video that has ended for tidy. When there are too many at once,
// workers find out later.
func (e *engine) note(v spool.Video) {
	if !v.Status.Ended() || goesOn(v) {
		return
	}
	select {
	case e.over <- v.ID:
	default:
	}
}

// needless are the videos that a worker holds the source of for nothing.
func (e *engine) needless(ctx context.Context, w schedule.Attendance) []string {
	var ended []string
	for _, held := range w.Holds {
		id, _, _ := strings.Cut(held, "/")
		rec, err := e.ledger.Get(ctx, id)
		if errors.Is(err, ledger.ErrNotFound) || err == nil && rec.Video.Status.Ended() && !goesOn(rec.Video) {
			ended = append(ended, id)
		}
	}
	return ended
}

func (e *engine) tellEnded(ctx context.Context, w schedule.Attendance, ended ...string) {
	if len(ended) == 0 || w.Lost || w.Refused != "" {
		return
	}
	body, err := json.Marshal(queue.Message{Ended: ended})
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, tidyEvery/2)
		defer cancel()
		_ = e.queue.Send(ctx, queue.WorkTopic(w.Worker), body) // else the next time
	}
}

// exporting is a keyring of a fleet: workers have no folder for keys, so that
// they are exported before anybody gets one.
type exporting struct {
	*keyring
	dir string
}

// Content gives keys that are exported.
func (x exporting) Content(ctx context.Context, v spool.Video, from, to int) (spool.ContentKeys, error) {
	content, err := x.keyring.Content(ctx, v, from, to)
	if err != nil {
		return content, err
	}
	for _, key := range content {
		if err := keys.Export(x.dir, v.ID, key.ID, key.Bytes); err != nil {
			return content, fmt.Errorf("export key of %s: %w", v.ID, err)
		}
	}
	return content, nil
}

// handedKeys are the keys as jobs get them.
func (h *house) handedKeys(fleet bool) schedule.Keys {
	if fleet && h.cfg.Keys != "" {
		return exporting{h.keys, h.cfg.Keys}
	}
	return h.keys
}
