package config

import (
	"strings"
	"testing"

	"github.com/spool-video/spool"
)

func TestContainerSetting(t *testing.T) {
	for _, c := range []struct {
		call call
		want string
	}{
		{call{}, ""},
		{call{args: []string{"--container=cmaf"}}, ""},
		{call{args: []string{"--container=ts"}}, spool.TS},
		{call{env: []string{"SPOOL_CONTAINER=ts"}}, spool.TS},
		{call{args: []string{"--container=cmaf"}, env: []string{"SPOOL_CONTAINER=ts"}}, ""},
	} {
		cfg, _, err := c.call.load(t)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := cfg.VideoSettings(); err != nil || s.Container != c.want {
			t.Errorf("%+v: %+v, %v", c.call, s, err)
		}
	}
	if _, _, err := (call{args: []string{"--container=avi"}}).load(t); err == nil || !strings.Contains(err.Error(), "cmaf, ts") {
		t.Errorf("avi: %v", err)
	}
}
