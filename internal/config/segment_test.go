package config

import (
	"strings"
	"testing"
)

func TestSegmentSetting(t *testing.T) {
	for _, c := range []struct {
		call call
		want int // of Settings, which say nothing of the usual
	}{
		{call{}, 0},
		{call{args: []string{"--segment=6s"}}, 0},
		{call{args: []string{"--segment=2s"}}, 2},
		{call{args: []string{"--segment=10"}}, 10},
		{call{env: []string{"SPOOL_SEGMENT=4s"}}, 4},
		{call{args: []string{"--segment=3s"}, env: []string{"SPOOL_SEGMENT=4s"}}, 3},
	} {
		cfg, _, err := c.call.load(t)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := cfg.VideoSettings(); err != nil || s.Segment != c.want {
			t.Errorf("%+v: %+v, %v", c.call, s, err)
		}
	}
	for _, bad := range []string{"1s", "11s", "2.5s", "-4", "9999999999999999999", "six", "", "1m"} {
		if _, _, err := (call{args: []string{"--segment=" + bad}}).load(t); err == nil || !strings.Contains(err.Error(), "whole seconds from 2s to 10s") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
