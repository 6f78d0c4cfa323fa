package rules_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/rules"
	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

func TestLevels(t *testing.T) {
	t.Parallel()
	for want, made := range map[string]struct {
		args   string
		change func([]byte) []byte
	}{
		"M35": {hevc + "open-gop=0 " + toHLS + fmp4 + "{}/index.m3u8", inBox("hvcC", func(b []byte) {
			sps := bytes.Index(b, []byte{0x42, 0x01})
			level := bytes.IndexByte(b[sps:], 30)
			b[sps+level] = 186 // 6.2
		})},
		"S35": {hevc + "open-gop=0 " + toHLS + fmp4 + "{}/index.m3u8", inBox("hvcC", func(b []byte) {
			sps := bytes.Index(b, []byte{0x42, 0x01})
			level := bytes.IndexByte(b[sps:], 30)
			b[sps+level] = 150 // 5.0
		})},
		"M36": {"-c:v libsvtav1 -preset 12 -g 50 -svtav1-params enable-overlays=0 " + toHLS + fmp4 + "{}/index.m3u8", inBox("av1C", func(b []byte) {
			b[5] = b[5]&^0x1f | 19 // 6.3
		})},
	} {
		f := muxed(t, tiny, made.args).clone()
		f.edit(f.init("index.m3u8"), made.change)
		if found := names(rules.Check(f.survey(t, "index.m3u8", false))); !slices.Contains(found, want) {
			t.Errorf("found %v, want %s", found, want)
		}
	}
}

func TestColoursAreOne(t *testing.T) {
	t.Parallel()
	const tagged = "-color_primaries bt709 -color_trc bt709 -colorspace bt709 "
	f := muxed(t, tiny, h264+"-g 50 "+toHLS+"{}/plain.m3u8").clone()
	for name, b := range muxed(t, tiny, h264+"-g 50 "+tagged+toHLS+"{}/tagged.m3u8") {
		f[name] = b
	}
	f[master] = []byte("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nplain.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\ntagged.m3u8\n")
	if found := names(rules.Check(f.survey(t, master, false))); !slices.Contains(found, "S39") {
		t.Errorf("found %v", found)
	}
}

// What a server adds is told; a server that does all of it is not.
func TestDelivery(t *testing.T) {
	t.Parallel()
	f := own(t, verifytest.Options{Encrypted: true, Silent: true})
	types := map[string]string{".m3u8": "application/vnd.apple.mpegurl; charset=utf-8", ".m4s": "video/iso.segment", ".mp4": "video/mp4"}
	good := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", types[path.Ext(r.URL.Path)])
		_, _ = w.Write(f[strings.TrimPrefix(r.URL.Path, "/")])
	}
	for name, test := range map[string]struct {
		serve http.HandlerFunc
		told  bool
	}{
		"good": {good, false},
		"types": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(f[strings.TrimPrefix(r.URL.Path, "/")])
		}, true},
		"redirects": {func(w http.ResponseWriter, r *http.Request) {
			if path.Ext(r.URL.Path) == ".m4s" && r.URL.RawQuery == "" {
				http.Redirect(w, r, r.URL.Path+"?elsewhere", http.StatusFound)
				return
			}
			good(w, r)
		}, true},
	} {
		server := httptest.NewServer(test.serve)
		defer server.Close()
		o := survey.Options{Keys: f.keys}
		p, err := survey.Read(t.Context(), survey.Places{Web: survey.NewWeb(server.Client().Transport)}, server.URL+"/"+master, o)
		if err != nil {
			t.Fatal(err)
		}
		if found := names(rules.Check(p)); slices.Contains(found, "S109") != test.told {
			t.Errorf("%s: found %v", name, found)
		}
	}
}

// Every row of the table is wanted by some test of this package.
func TestEveryRuleHasAFault(t *testing.T) {
	t.Parallel()
	var text []byte
	tests, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range tests {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, b...)
	}
	for _, r := range rules.Table {
		name := fmt.Sprintf("%c%d", r.Level[0], r.Number)
		if !regexp.MustCompile(`\b` + name + `\b`).Match(text) {
			t.Errorf("no test breaks %s: %s", name, r.Says)
		}
	}
}
