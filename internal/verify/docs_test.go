package verify

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// Every field of a manifest is described.
func TestManifestIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/manifest.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{Manifest{}, Storyboard{}, Key{}, Rendition{}} {
		for f := range reflect.TypeOf(v).Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !strings.Contains(string(text), "`"+name+"`") {
				t.Errorf("docs/manifest.md does not name `%s` of %T", name, v)
			}
		}
	}
}
