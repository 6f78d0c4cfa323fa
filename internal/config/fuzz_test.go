package config

import (
	"testing"

	"github.com/spf13/pflag"
)

// FuzzValues: whatever a value accepts, it writes so that it reads the same.
func FuzzValues(f *testing.F) {
	for _, text := range []string{"80%", "20GB", "1.5 TiB", "360,720p", "1h30m", "yes", "12", "aes-128", "NaN%", "1e9"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range settings {
			var once, again Config
			value := s.value(&once)
			if value.Set(text) != nil {
				continue
			}
			written := value.String()
			second := s.value(&again)
			if err := second.Set(written); err != nil || second.String() != written {
				t.Errorf("%s: %q becomes %q, then %q (%v)", s.key, text, written, second.String(), err)
			}
		}
	})
}

// TestFlagsHoldWhatTheTableSays: a flag of the right name for every row, whose
// default reads back.
func TestFlagsHoldWhatTheTableSays(t *testing.T) {
	flags := pflag.NewFlagSet("spool", pflag.ContinueOnError)
	Bind(flags)
	for _, s := range settings {
		f := flags.Lookup(s.key)
		if f == nil {
			t.Errorf("no flag --%s", s.key)
			continue
		}
		if f.DefValue != "" && f.Value.Set(f.DefValue) != nil {
			t.Errorf("--%s does not take its own default %q", s.key, f.DefValue)
		}
	}
}
