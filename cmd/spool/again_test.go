package main

import (
	"strings"
	"testing"

	"github.com/spool-video/spool"
)

func TestDecide(t *testing.T) {
	medium := spool.Settings{Ladder: "default", Preset: "medium"}
	fast := spool.Settings{Ladder: "default", Preset: "fast"}
	old, newer := spool.SourceStamp{Size: 1, Modified: 1}, spool.SourceStamp{Size: 2, Modified: 2}
	tests := []struct {
		name   string
		status spool.Status
		seen   seen
		want   again
	}{
		{"ready and there", spool.Ready, seen{Settings: medium}, skip},
		{"local file unchanged", spool.Ready, seen{Settings: medium, Stamp: old}, skip},
		{"local file changed", spool.Ready, seen{Settings: medium, Stamp: newer}, remake},
		{"link, other length", spool.Ready, seen{Settings: medium, Stamp: spool.SourceStamp{Size: 3}}, remake},
		{"link, length not told", spool.Ready, seen{Settings: medium, Stamp: spool.SourceStamp{Tag: `"x"`}}, skip},
		{"gone from the destination", spool.Ready, seen{Settings: medium, Gone: true}, remake},
		{"other settings", spool.Ready, seen{Settings: fast}, otherwise},
		{"other settings, remake", spool.Ready, seen{Settings: fast, Remake: true}, remake},
		{"same settings, remake", spool.Ready, seen{Settings: medium, Remake: true}, skip},
		{"failed", spool.Failed, seen{Settings: medium}, tryAgain},
		{"failed, source changed", spool.Failed, seen{Settings: medium, Stamp: newer}, remake},
		{"cancelled", spool.Cancelled, seen{Settings: medium}, tryAgain},
		{"failed in passing, other settings", spool.Failed, seen{Settings: fast}, tryAgain},
		{"failed in passing, other settings, remake", spool.Failed, seen{Settings: fast, Remake: true}, remake},
		{"cancelled, other settings", spool.Cancelled, seen{Settings: fast}, remake},
		{"interrupted, other settings", spool.Working, seen{Settings: fast}, goOn},
		{"interrupted, other settings, remake", spool.Working, seen{Settings: fast, Remake: true}, remake},
		{"interrupted, same settings, remake", spool.Working, seen{Settings: medium, Remake: true}, goOn},
		{"interrupted", spool.Working, seen{Settings: medium}, goOn},
		{"paused", spool.Paused, seen{Settings: medium, Gone: true}, goOn},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := spool.Video{Status: tt.status, Settings: medium, Stamp: old}
			if tt.status == spool.Failed {
				v.Failure = &spool.Failure{Class: spool.Transient}
			}
			got, why := decide(v, tt.seen)
			if got != tt.want {
				t.Errorf("decide = %d (%s), want %d", got, why, tt.want)
			}
			other := !sameSettings(v.Settings, tt.seen.Settings)
			if keeps := strings.Contains(why, "settings that it began with"); keeps != (other && (got == goOn || got == tryAgain)) {
				t.Errorf("it is said: %q", why)
			}
		})
	}
}
