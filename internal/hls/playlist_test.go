package hls

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

var update = flag.Bool("update", false, "write the golden files")

func repeat(n int64, times int, tail ...int64) []int64 {
	out := make([]int64, 0, times+len(tail))
	for range times {
		out = append(out, n)
	}
	return append(out, tail...)
}

func vod(prefix string, durations []time.Duration, key bool) Media {
	m := Media{Version: Version, Target: 6, VOD: true, Ended: true, Map: "init-0a1b2c3d.mp4"}
	for i, d := range durations {
		s := Segment{URI: fmt.Sprintf("%05d-%s.m4s", i, prefix), Duration: d}
		if key {
			iv := [16]byte{15: byte(i), 0: 0xab}
			s.Key = &Key{URI: "https://keys.example.com/vid/k1.key", IV: &iv}
		}
		m.Segments = append(m.Segments, s)
	}
	return m
}

func goldenMedia() map[string]Media {
	ntsc := Durations(repeat(180, 4, 97), spool.Ratio{Num: 1001, Den: 30000})
	audio := Durations(repeat(282*1024, 3, 100*1024), spool.Ratio{Num: 1, Den: 48000})
	independent := vod("00000000", ntsc, true)
	independent.Independent = true
	independent.Sequence = 12
	growing := vod("1a2b3c4d", ntsc[:3], true)
	growing.VOD, growing.Event, growing.FromStart, growing.Ended = false, true, true, false
	grown := vod("1a2b3c4d", ntsc, false)
	grown.VOD, grown.Event, grown.FromStart = false, true, true
	return map[string]Media{
		"growing": growing, "grown": grown,
		"video-clear":     vod("1a2b3c4d", ntsc, false),
		"video-encrypted": vod("1a2b3c4d", ntsc, true),
		"audio":           vod("99aabbcc", audio, true),
		"independent":     independent,
	}
}

func goldenMasters() map[string]Master {
	video := func(name string, average, width, height int, codec string) Variant {
		return Variant{
			URI: "r1/" + name + "/index.m3u8", Bandwidth: average * 3 / 2, Average: average,
			Codecs: []string{codec, "mp4a.40.2"}, Width: width, Height: height, FrameRate: 29.97,
			VideoRange: "SDR", Audio: "audio", NoCaptions: true,
		}
	}
	full := Master{
		Version: Version, Independent: true,
		Audio: []Rendition{{Group: "audio", Name: "English", Language: "en", Default: true, Autoselect: true, Channels: 2, URI: "r1/a0-eng/index.m3u8"}},
		Variants: []Variant{
			video("v0-360p", 700_000, 640, 360, "avc1.64001e"),
			video("v1-720p", 2_300_000, 1280, 720, "avc1.64001f"),
			video("v2-1080p", 5_000_000, 1920, 1080, "avc1.640028"),
		},
	}
	Order(full.Variants)
	silent := Master{Version: Version, Independent: true, Variants: []Variant{video("v0-360p", 700_000, 640, 360, "avc1.64001e")}}
	silent.NameKey("https://keys.example.com/v/k.key")
	silent.Variants[0].Audio, silent.Variants[0].Codecs = "", []string{"avc1.64001e"}
	return map[string]Master{
		"master": full, "master-silent": silent,
		"master-audio-only": {Version: Version, Independent: true, Variants: []Variant{
			{URI: "r1/a0-und/index.m3u8", Bandwidth: 133_000, Average: 130_000, Codecs: []string{"mp4a.40.2"}},
		}},
	}
}

func golden(t *testing.T, name string, text []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".m3u8")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, want) {
		t.Errorf("%s differs from its golden file; got\n%s", name, text)
	}
}

func TestGoldenMedia(t *testing.T) {
	for name, m := range goldenMedia() {
		text, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, text)
		back, err := ParseMedia(text)
		if err != nil || !reflect.DeepEqual(back, m) {
			t.Errorf("%s does not come back: %+v, %v", name, back, err)
		}
	}
}

func TestGoldenMasters(t *testing.T) {
	for name, m := range goldenMasters() {
		text, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, text)
		back, err := ParseMaster(text)
		if err != nil || !reflect.DeepEqual(back, m) {
			t.Errorf("%s does not come back: %+v, %v", name, back, err)
		}
	}
}

// A parser that shares nothing with ours reads every golden file strictly.
func TestGoldenFilesByHLSParser(t *testing.T) {
	dir := jsParser(t)
	paths, err := filepath.Glob("testdata/*.m3u8")
	if err != nil || len(paths) < 7 {
		t.Fatalf("golden files: %v, %v", paths, err)
	}
	args := []string{"check.mjs"}
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, abs)
	}
	cmd := exec.Command("node", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("hls-parser refuses: %v\n%s", err, stderr.Bytes())
	}
	for l := range strings.Lines(string(out)) {
		checkFound(t, l)
	}
}

func checkFound(t *testing.T, text string) {
	t.Helper()
	var found struct {
		Path                                  string
		Variants, Audio, Segments, Keys, Maps int
		Ended                                 bool
		Type                                  string
		Start                                 *float64
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSuffix(filepath.Base(found.Path), ".m3u8")
	if m, ok := goldenMasters()[name]; ok {
		if found.Variants != len(m.Variants) || (len(m.Audio) > 0 && found.Audio != len(m.Variants)) {
			t.Errorf("%s: hls-parser found %+v", name, found)
		}
		return
	}
	m := goldenMedia()[name]
	keys := 0
	if m.Segments[0].Key != nil {
		keys = len(m.Segments)
	}
	if found.Segments != len(m.Segments) || found.Ended != m.Ended || found.Keys != keys || found.Maps == 0 {
		t.Errorf("%s: hls-parser found %+v", name, found)
	}
	if (found.Type == "VOD") != m.VOD || (found.Type == "EVENT") != m.Event || (found.Start != nil && *found.Start == 0) != m.FromStart {
		t.Errorf("%s: hls-parser found %+v", name, found)
	}
}

// jsParser makes hls-parser ready in a folder and gives it, or skips the test
// when there is no node.
func jsParser(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	if _, err := os.Stat("jstest/node_modules/hls-parser/index.js"); err == nil {
		return "jstest"
	}
	cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	cmd.Dir = "jstest"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return "jstest"
}

// Every prefix of the durations is within half a microsecond of exact, at all
// the usual rates, over more than a day.
func TestDurationsDoNotDrift(t *testing.T) {
	for _, c := range []struct {
		base  spool.Ratio
		ticks []int64
	}{
		{spool.Ratio{Num: 1001, Den: 24000}, repeat(144, 15000, 71)},
		{spool.Ratio{Num: 1, Den: 25}, repeat(150, 15000)},
		{spool.Ratio{Num: 1001, Den: 30000}, repeat(180, 15000, 95)},
		{spool.Ratio{Num: 1001, Den: 60000}, repeat(360, 15000, 181)},
		{spool.Ratio{Num: 1, Den: 48000}, repeat(281*1024, 15000, 5)},
	} {
		total, sum := int64(0), time.Duration(0)
		for i, d := range Durations(c.ticks, c.base) {
			total += c.ticks[i]
			sum += d
			exact := new(big.Rat).SetFrac64(total*c.base.Num, c.base.Den)
			off := exact.Sub(exact, new(big.Rat).SetFrac64(int64(sum), int64(time.Second)))
			if off.Abs(off).Cmp(big.NewRat(1, 2_000_000)) > 0 {
				t.Fatalf("%v: after segment %d the sum is off by %s s", c.base, i, off.FloatString(9))
			}
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	long := vod("x", []time.Duration{6500 * time.Millisecond}, false)
	fits := vod("x", []time.Duration{6499999 * time.Microsecond}, false)
	if _, err := long.Encode(); err == nil {
		t.Error("6.5 s is taken for a target of 6")
	}
	if _, err := fits.Encode(); err != nil {
		t.Errorf("6.499999 s: %v", err)
	}
	for _, uri := range []string{"", "#x", "a\nb", " a", "a\r"} {
		m := fits
		m.Segments = []Segment{{URI: uri}}
		if _, err := m.Encode(); err == nil {
			t.Errorf("segment URI %q is taken", uri)
		}
	}
	fits.Segments[0].Key = &Key{URI: "a\"b"}
	if _, err := fits.Encode(); err == nil {
		t.Error("a quote in a key URI is taken")
	}
	both := vod("x", nil, false)
	both.Event = true
	if _, err := both.Encode(); err == nil {
		t.Error("a playlist of two types is taken")
	}
	master := goldenMasters()["master"]
	master.Audio[0].Name = "A\nB"
	if _, err := master.Encode(); err == nil {
		t.Error("a line break in a name is taken")
	}
	if _, err := (Master{Variants: []Variant{{URI: "x", Codecs: []string{"a"}}}}).Encode(); err == nil {
		t.Error("a variant without rates is taken")
	}
}

func TestOrder(t *testing.T) {
	for _, c := range []struct{ in, want []int }{
		{[]int{700, 2300, 5000}, []int{2300, 5000, 700}},
		{[]int{700}, []int{700}},
		{[]int{300, 900}, []int{900, 300}},
		{[]int{2000, 9000, 8000, 100}, []int{2000, 9000, 8000, 100}},
		{nil, nil},
	} {
		var variants []Variant
		for _, kbps := range c.in {
			variants = append(variants, Variant{Average: kbps * 1000})
		}
		Order(variants)
		var got []int
		for _, v := range variants {
			got = append(got, v.Average/1000)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("Order(%v) = %v, want %v", c.in, got, c.want)
		}
	}
}

func TestRates(t *testing.T) {
	s := func(bytes int64, seconds float64) Weight {
		return Weight{bytes, time.Duration(seconds * float64(time.Second))}
	}
	for _, c := range []struct {
		name          string
		in            []Weight
		peak, average int
	}{
		{"even", []Weight{s(6000, 6), s(6000, 6)}, 8000, 8000},
		{"one heavy", []Weight{s(6000, 6), s(12000, 6), s(6000, 6)}, 16000, 10667},
		{"a short heavy tail never counts alone", []Weight{s(6000, 6), s(4000, 1)}, 11429, 11429},
		{"half a target counts alone", []Weight{s(6000, 6), s(6000, 3)}, 16000, 10667},
		{"shorter than any window", []Weight{s(1000, 1)}, 8000, 8000},
		{"short ones count together", []Weight{s(100, 2), s(900, 2), s(900, 2), s(100, 2)}, 3600, 2000},
		{"nothing", nil, 0, 0},
	} {
		if peak, average := Rates(c.in, 6); peak != c.peak || average != c.average {
			t.Errorf("%s: Rates = %d, %d, want %d, %d", c.name, peak, average, c.peak, c.average)
		}
	}
}
