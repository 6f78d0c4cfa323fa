package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const events = `{"Action":"run","Package":"example.org/m/queue","Test":"TestRedis"}
{"Action":"output","Package":"example.org/m/queue","Test":"TestRedis","Output":"=== RUN   TestRedis\n"}
{"Action":"output","Package":"example.org/m/queue","Test":"TestRedis","Output":"    redis_test.go:9: no redis-server here\n"}
{"Action":"output","Package":"example.org/m/queue","Test":"TestRedis","Output":"--- SKIP: TestRedis (0.00s)\n"}
{"Action":"skip","Package":"example.org/m/queue","Test":"TestRedis"}
{"Action":"skip","Package":"example.org/m/empty"}
{"Action":"pass","Package":"example.org/m/queue","Test":"TestMemory"}
`

func TestSkips(t *testing.T) {
	tests := []struct {
		name, list string
		ci         bool
		code       int
		out        string
	}{
		{"named and allowed", "queue TestRedis # needs a server\n", true, 0, "SKIPPED example.org/m/queue TestRedis: redis_test.go:9: no redis-server here\n"},
		{"not allowed in CI", "# nothing\n", true, 1, "(not on the list)"},
		{"told elsewhere", "", false, 0, "(not on the list)"},
		{"another package's", "other TestRedis\n", true, 1, "(not on the list)"},
		{"bad list", "TestRedis\n", true, 2, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			list, json := filepath.Join(dir, "list"), filepath.Join(dir, "json")
			for name, text := range map[string]string{list: test.list, json: events} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out, errs bytes.Buffer
			if code := run([]string{"-allow", list, json}, test.ci, &out, &errs); code != test.code {
				t.Errorf("exit code %d, want %d; %s", code, test.code, errs.String())
			}
			if !strings.Contains(out.String(), test.out) {
				t.Errorf("printed %q, want %q in it", out.String(), test.out)
			}
			if strings.Contains(out.String(), "empty") {
				t.Error("a package without tests was called skipped")
			}
		})
	}
}

func TestSkipsNeedsItsFiles(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"-allow", "nowhere", "nowhere"}, true, &out, &errs); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	if code := run(nil, true, &out, &errs); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
}
