package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/rules"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

// What ffmpeg is given to make packages of.
const (
	clip  = "-f lavfi -i testsrc2=size=320x180:rate=30000/1001:duration=6 -f lavfi -i sine=sample_rate=48000:duration=6 "
	h264  = "-c:v libx264 -preset ultrafast -x264-params cabac=1:8x8dct=1 -pix_fmt yuv420p -g 60 -keyint_min 60 -sc_threshold 0 -threads 1 "
	aac   = "-ac 2 -c:a aac "
	toHLS = "-f hls -hls_time 2 -hls_playlist_type vod "
	fmp4  = "-hls_segment_type fmp4 "
)

// known are the rules that ffmpeg's multivariant playlists break: it writes
// neither AVERAGE-BANDWIDTH nor FRAME-RATE, CLOSED-CAPTIONS nor
// EXT-X-INDEPENDENT-SEGMENTS, no I-frame playlists and no CHANNELS.
const known = "M51 M62 M66 S68 S80 "

// Packages that are good but for what is named: nothing else is found, and
// what is named is found.
func TestGoodPackages(t *testing.T) {
	looked := 4 // those that are named one by one
	rate := func(num, den int64) verifytest.Options {
		return verifytest.Options{Rate: spool.Ratio{Num: num, Den: den}, Language: "en"}
	}
	// Those of verifytest have segments of 1 s.
	for name, o := range map[string]verifytest.Options{
		"25": rate(25, 1), "23.976": rate(24000, 1001), "24": rate(24, 1), "29.97": rate(30000, 1001), "30": rate(30, 1),
		"50": rate(50, 1), "59.94": rate(60000, 1001), "60": rate(60, 1), "encrypted": {Encrypted: true, Language: "en"},
		"silent": {Silent: true}, "silent, encrypted": {Silent: true, Encrypted: true},
	} {
		looked++
		good(t, "own "+name, own(t, o), master, "S9")
	}
	// Without pictures the last 0.4 s of sound are a tiny segment.
	for _, encrypted := range []bool{false, true} {
		o := verifytest.Options{TS: true, Encrypted: encrypted, Language: "en"}
		good(t, fmt.Sprintf("own, MPEG-TS, encrypted %v", encrypted), own(t, o), master, "S9")
	}
	good(t, "own, sound alone", own(t, verifytest.Options{NoVideo: true}), master, "S9 S49")
	good(t, "own, with subtitles", rich(t), master, "S9")

	// The muxers of ffmpeg write whole packages, and their known defects.
	for _, made := range []struct{ name, args, root, broken string }{
		{"MPEG-TS", h264 + aac + toHLS + "{}/index.m3u8", "index.m3u8", "S7 S9 S44"},
		{"MPEG-TS, one file", h264 + aac + toHLS + "-hls_flags single_file {}/index.m3u8", "index.m3u8", "S7 S9 S44"},
		{"MPEG-TS, encrypted, no IV", h264 + aac + toHLS + "-hls_key_info_file {}/keyinfo {}/index.m3u8", "index.m3u8", "S7 S9 S44"},
		{"MPEG-TS, growing", h264 + aac + "-f hls -hls_time 2 -hls_playlist_type event -hls_flags omit_endlist {}/index.m3u8", "index.m3u8", "S7 S9 S44"},
		{"MPEG-TS, pictures alone", "-an " + h264 + toHLS + "{}/index.m3u8", "index.m3u8", "S7 S9"},
		{"MPEG-TS, sound alone", "-vn " + aac + toHLS + "{}/index.m3u8", "index.m3u8", "S7 S9 S49"},
		{"MPEG-TS, AC-3", h264 + "-c:a ac3 " + toHLS + "{}/index.m3u8", "index.m3u8", "S7 S9 S44 S45"},
		{"MPEG-TS, two variants", "-map 0:v -map 1:a -map 0:v -map 1:a -b:v:0 400k -b:v:1 150k -s:v:1 160x90 " + h264 + aac + toHLS +
			"-var_stream_map v:0,a:0~v:1,a:1 -master_pl_name master.m3u8 {}/v%v.m3u8", "master.m3u8", known + "M60 M68 S7 S9 S44"},
		{"fragmented MP4", h264 + aac + toHLS + fmp4 + "{}/index.m3u8", "index.m3u8", "S9 S44 S48"},
		{"fragmented MP4, one file", h264 + aac + toHLS + fmp4 + "-hls_flags single_file {}/index.m3u8", "index.m3u8", "S9 S44 S48"},
		{"fragmented MP4, edit lists right", h264 + aac + toHLS + fmp4 + "-avoid_negative_ts disabled {}/index.m3u8", "index.m3u8", "S9 S44"},
		{"subtitles", "-i {}/cues.srt -map 0:v -map 1:a -map 2:s -b:v 400k " + h264 + aac + "-c:s webvtt " + toHLS +
			"-var_stream_map v:0,a:0,s:0,sgroup:subs -master_pl_name master.m3u8 {}/v%v.m3u8", "master.m3u8", known + "M13 M14 M60 M68 M74 M86 M87 S7 S9 S44 S69"},
		{"the dash muxer", h264 + aac + "-f dash -hls_playlist 1 -seg_duration 2 {}/m.mpd", "master.m3u8", known + "M13 M60 M68 M74 S20 S49 S69 S74 S9"},
		{"the segment muxer", h264 + aac + "-f segment -segment_time 2 -segment_list_type m3u8 -segment_list {}/index.m3u8 {}/%d.ts", "index.m3u8", "M13 M32 S9 S44"},
	} {
		looked++
		f := muxed(t, clip, made.args)
		good(t, "ffmpeg, "+made.name, f, made.root, made.broken)
	}
	if looked < 28 {
		t.Errorf("docs/rules.md says that there are 28 packages, and there are %d", looked)
	}
}

func good(t *testing.T, name string, f files, root, broken string) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		p := f.survey(t, root, !strings.HasPrefix(name, "own"))
		if len(p.Unchecked) > 0 {
			t.Errorf("not checked: %q", p.Unchecked)
		}
		found := rules.Check(p)
		want := strings.Fields(broken)
		slices.Sort(want)
		if got := names(found); !slices.Equal(got, want) {
			t.Errorf("breaks %v, want %v", got, want)
			for _, f := range found {
				t.Log(f)
			}
		}
	})
}
