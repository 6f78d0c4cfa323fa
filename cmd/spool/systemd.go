package main

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notify tells the service manager how a service is; where there is none, it
// is told to nobody. One that does not listen is no reason to stop.
func notify(state string) { _, _ = daemon.SdNotify(false, state) }

// guarded pets the service manager's watchdog, when it has one, until ctx
// ends: only while alive says so within the time that is left.
func guarded(ctx context.Context, alive func(context.Context) error) {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every <= 0 {
		return
	}
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		look, cancel := context.WithTimeout(ctx, every/3)
		if alive(look) == nil {
			notify(daemon.SdNotifyWatchdog)
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
