package progress

import (
	"context"
	"log/slog"
	"time"
)

// logged writes events into a log: no line for what moves, one for each change.
type logged struct{ log *slog.Logger }

// names are what the log calls the events that have a name of their own.
var names = map[Type]string{
	Accepted: "video.accepted", Known: "video.known", Bad: "video.refused", Paused: "video.paused", Resumed: "video.resumed",
	Ready: "video.ready", Failed: "video.failed", Removed: "video.removed", Watchable: "video.watchable", Noted: "note", Logged: "note",
}

func (l logged) show(ev Event) {
	name := ev.Name
	if name == "" {
		name = names[ev.Type]
	}
	if name == "" {
		return
	}
	level := slog.LevelInfo
	if ev.Type == Failed || ev.Type == Bad || ev.Type == Paused || ev.Warns {
		level = slog.LevelWarn
	}
	var attrs []slog.Attr
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	text("video", ev.Video)
	text("title", ev.Title)
	text("source", ev.Source)
	if ev.Line > 0 {
		attrs = append(attrs, slog.Int("line", ev.Line))
	}
	text("status", string(ev.Status))
	if f := ev.Failure; f != nil {
		text("class", string(f.Class))
		text("code", f.Code)
		text("reason", f.Reason)
		text("hint", f.Hint)
	}
	if len(ev.Sizes) > 0 {
		attrs = append(attrs, slog.Any("sizes", ev.Sizes))
	}
	text("path", ev.Path)
	if ev.Took > 0 {
		attrs = append(attrs, slog.Duration("took", ev.Took))
	}
	text("text", ev.Text)
	l.log.LogAttrs(context.Background(), level, name, attrs...)
}

func (l logged) tick(time.Time) {}

func (l logged) close(Summary) {}
