package natsserver

import (
	"context"
	"fmt"
	"log/slog"
)

// told is the server's log: what it says of itself in passing is left out.
type told struct {
	log   *slog.Logger
	fatal chan error // with room for one: why it does not run
}

func (t *told) Noticef(string, ...any) {}
func (t *told) Debugf(string, ...any)  {}
func (t *told) Tracef(string, ...any)  {}

func (t *told) Warnf(format string, v ...any) {
	t.log.WarnContext(context.Background(), "queue.server", "says", fmt.Sprintf(format, v...))
}

func (t *told) Errorf(format string, v ...any) {
	t.log.ErrorContext(context.Background(), "queue.server", "says", fmt.Sprintf(format, v...))
}

func (t *told) Fatalf(format string, v ...any) {
	select {
	case t.fatal <- fmt.Errorf("start NATS server: "+format, v...):
	default:
	}
}
