package main

import (
	"context"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/progress"
)

// shows makes what shows a service's work: lines for people, or a log of
// events, which is nil then when it is not wanted.
func shows(cfg config.Config, mode string, out io.Writer) (*progress.Progress, *slog.Logger, error) {
	var log *slog.Logger
	if cfg.LogFormat != "off" {
		level := slog.LevelInfo
		if cfg.Verbose {
			level = slog.LevelDebug
		}
		log = newLog(cfg.LogFormat, level, out)
	}
	show, err := progress.New(progress.Options{Mode: mode, Out: out, Log: log})
	return show, log, err
}

// newLog makes a log of events, one a line, without secrets.
func newLog(format string, level slog.Level, out io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: redacted}
	if format == "json" {
		return slog.New(&damped{Handler: slog.NewJSONHandler(out, o), told: &told{}})
	}
	return slog.New(&damped{Handler: slog.NewTextHandler(out, o), told: &told{}})
}

// redacted is an attribute as a log shows it: this is the one place where secrets
// are taken out, and where control characters of others end.
func redacted(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.MessageKey {
		a.Key = "event"
	}
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(plaintext.Show(a.Value.String()))
	case slog.KindDuration:
		a.Value = slog.Float64Value(math.Round(a.Value.Duration().Seconds()*1000) / 1000)
	case slog.KindTime:
		a.Value = slog.StringValue(a.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z"))
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error:
			a.Value = slog.StringValue(plaintext.Show(v.Error()))
		case []string:
			clean := make([]string, len(v))
			for i, s := range v {
				clean[i] = plaintext.Show(s)
			}
			a.Value = slog.AnyValue(clean)
		}
	case slog.KindBool, slog.KindFloat64, slog.KindInt64, slog.KindUint64, slog.KindGroup, slog.KindLogValuer:
	}
	return a
}

// damped keeps a warning that comes again and again, of whatever video, from
// filling the log: one a minute is written, with how many there were since.
// What becomes of a video is always written.
type damped struct {
	slog.Handler
	told *told
}

// told are the warnings of late.
type told struct {
	mu   sync.Mutex
	last map[string]*repeated // guarded by mu
}

type repeated struct {
	at    time.Time
	times int // since then
}

// tellApart are the keys whose values make one warning another.
var tellApart = []string{"code", "worker", "callback", "stage", "text"}

const (
	dampedFor  = time.Minute
	mostDamped = 1000 // different warnings that are remembered
)

// Handle writes a record, unless the same was written of late.
func (d *damped) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn || strings.HasPrefix(r.Message, "video.") {
		return d.Handler.Handle(ctx, r)
	}
	key := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if slices.Contains(tellApart, a.Key) {
			key += "\x00" + a.Value.String()
		}
		return true
	})
	n, again := d.told.again(key, r.Time)
	if again {
		return nil
	}
	if n > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("repeated", n))
	}
	return d.Handler.Handle(ctx, r)
}

// again reports whether a warning was written of late; else how often it came
// since it was written last.
func (t *told) again(key string, now time.Time) (times int, of bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.last) > mostDamped {
		t.last = nil
	}
	if t.last == nil {
		t.last = map[string]*repeated{}
	}
	r := t.last[key]
	if r == nil || now.Sub(r.at) >= dampedFor {
		if r != nil {
			times = r.times
		}
		t.last[key] = &repeated{at: now}
		return times, false
	}
	r.times++
	return 0, true
}

// WithAttrs is for slog.Handler.
func (d *damped) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &damped{d.Handler.WithAttrs(attrs), d.told}
}

// WithGroup is for slog.Handler.
func (d *damped) WithGroup(name string) slog.Handler {
	return &damped{d.Handler.WithGroup(name), d.told}
}
