package config

import (
	"strings"
	"testing"

	"github.com/spool-video/spool"
)

func TestCopySetting(t *testing.T) {
	for _, c := range []struct {
		call call
		want string
	}{
		{call{}, ""},
		{call{args: []string{"--copy=auto"}}, ""},
		{call{args: []string{"--copy=never"}}, spool.CopyNever},
		{call{env: []string{"SPOOL_COPY=never"}}, spool.CopyNever},
		{call{args: []string{"--copy=auto"}, env: []string{"SPOOL_COPY=never"}}, ""},
	} {
		cfg, _, err := c.call.load(t)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := cfg.VideoSettings(); err != nil || s.Copy != c.want {
			t.Errorf("%+v: %+v, %v", c.call, s, err)
		}
	}
	if _, _, err := (call{args: []string{"--copy=always"}}).load(t); err == nil || !strings.Contains(err.Error(), "auto, never") {
		t.Errorf("always: %v", err)
	}
}
