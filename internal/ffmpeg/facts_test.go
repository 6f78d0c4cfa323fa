package ffmpeg

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
)

const videoJSON = `{"index":0,"codec_name":"h264","codec_type":"video","width":640,"height":360,"pix_fmt":"yuv420p10le",
"sample_aspect_ratio":"0:1","field_order":"tt","avg_frame_rate":"0/0","r_frame_rate":"30000/1001","time_base":"1/90000",
"color_transfer":"smpte2084","side_data_list":[{"side_data_type":"Display Matrix","rotation":-90}]%s}`

func answerOf(streams ...string) []byte {
	return fmt.Appendf(nil, `{"streams":[%s],"format":{"format_name":"mpegts","duration":"1e99","size":"7"}}`, strings.Join(streams, ","))
}

func TestParseFacts(t *testing.T) {
	facts, err := parse(answerOf(fmt.Sprintf(videoJSON, ""),
		`{"index":1,"codec_type":"video","codec_name":"mjpeg","disposition":{"attached_pic":1}}`,
		`{"index":2,"codec_type":"audio","codec_name":"aac","sample_rate":"44100","channels":2,"time_base":"1/44100","tags":{"language":"ENG","title":"a\u001b[31m\nb"}}`,
		`{"index":3,"codec_type":"audio","codec_name":"aac","sample_rate":"x","tags":{"language":"../../x"},"disposition":{"default":1}}`,
		`{"index":4,"codec_type":"subtitle","codec_name":"subrip","tags":{"language":"pt-br"}}`))
	if err != nil {
		t.Fatal(err)
	}
	v := facts.Video
	if v == nil || v.SAR != (spool.Ratio{Num: 1, Den: 1}) || v.FrameRate.Num != 30000 || !v.Interlaced || v.BitDepth != 10 || v.Rotation != 90 || !v.HDR() {
		t.Errorf("video %+v", v)
	}
	if facts.Cover != 1 || facts.Duration > 400_000*time.Hour || facts.Size != 7 {
		t.Errorf("facts %+v", facts)
	}
	if a := facts.Audio; len(a) != 2 || a[0].Language != "eng" || a[0].Title != "a[31mb" || a[1].Language != "" || a[1].SampleRate != 0 {
		t.Errorf("audio %+v", a)
	}
	if main := MainAudio(facts); main.Index != 3 {
		t.Errorf("the default track is %+v", main)
	}
	if s := facts.Subtitles; len(s) != 1 || s[0].Language != "pt-br" {
		t.Errorf("subtitles %+v", s)
	}
}

func TestParseRefuses(t *testing.T) {
	sized := func(w, h int) string {
		return fmt.Sprintf(`{"index":0,"codec_type":"video","codec_name":"h264","time_base":"1/25","width":%d,"height":%d}`, w, h)
	}
	for code, streams := range map[string][]string{
		"no-media":         {`{"index":0,"codec_type":"data"}`},
		"unknown-codec":    {`{"index":0,"codec_type":"video","codec_tag_string":"zzzz","width":2,"height":2}`, `{"index":1,"codec_type":"audio","codec_name":"aac"}`},
		"no-picture-size":  {sized(0, 0)},
		"too-many-pixels":  {sized(16384, 8704)},
		"too-many-streams": strings.Split(strings.Repeat("{},", 99)+"{}", ","),
		"encrypted":        {fmt.Sprintf(videoJSON, "") + `,{"index":1,"side_data_list":[{"side_data_type":"Encryption initialization data"}]}`},
		"not-media":        {`{"index":0,"codec_type":"video","codec_name":"h264","width":2,"height":2,"time_base":"0/1"}`},
	} {
		_, err := parse(answerOf(streams...))
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != code || e.Class != spool.Permanent || e.Hint == "" {
			t.Errorf("%s: got %v", code, err)
		}
	}
	if _, err := parse(answerOf(`{"index":0,"codec_type":"audio","codec_name":"qdm2"}`)); err == nil {
		t.Error("sound of an unknown codec passed")
	}
}

func TestBitDepth(t *testing.T) {
	for name, want := range map[string]int{"yuv420p": 8, "yuv420p10le": 10, "yuv422p12be": 12, "gray10le": 10, "gbrp16le": 16, "p010le": 10, "rgb24": 8, "nv12": 8, "": 8} {
		if got := bitDepth(name); got != want {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func FuzzParseFacts(f *testing.F) {
	f.Add(answerOf(fmt.Sprintf(videoJSON, "")))
	f.Add([]byte(`{"streams":[{"side_data_list":[{"rotation":1e300}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		facts, err := parse(text)
		if err != nil {
			return
		}
		if v := facts.Video; v != nil {
			w, h := v.Display()
			if w <= 0 || h <= 0 || v.Width*v.Height > MaxPixels || !v.TimeBase.Known() || !v.SAR.Known() {
				t.Errorf("video %+v", v)
			}
		} else if len(facts.Audio) == 0 {
			t.Error("neither pictures nor sound passed")
		}
	})
}

func TestParsePacket(t *testing.T) {
	for line, want := range map[string]packet{
		"stream_index=0|pts=512|dts=-512|duration=512|flags=K_":       {pts: 512, dts: -512, duration: 512, pos: -1, timed: true, sorted: true, key: true},
		"stream_index=1|pts=N/A|dts=7|duration=N/A|pos=564|flags=_D|": {stream: 1, dts: 7, pos: 564, sorted: true, hidden: true},
		"stream_index=2|pts=9223372036854775807|pos=N/A|flags=__":     {stream: 2, pos: -1},
	} {
		if got, ok := parsePacket([]byte(line)); !ok || got != want {
			t.Errorf("%s: got %+v, %v", line, got, ok)
		}
	}
	for _, line := range []string{"", "|", "side_data|", "index=0|start_pts=7", "stream_index=x"} {
		if got, ok := parsePacket([]byte(line)); ok {
			t.Errorf("%q is %+v", line, got)
		}
	}
}

func FuzzPacketLines(f *testing.F) {
	f.Add([]byte("stream_index=0|pts=512|dts=0|duration=1|flags=K_\nindex=0|start_pts=1\n"), 3)
	f.Fuzz(func(t *testing.T, text []byte, at int) {
		var whole, parts [][]byte
		keep := func(into *[][]byte) *lines {
			return &lines{each: func(line []byte) {
				parsePacket(line)
				frameTime(line)
				*into = append(*into, append([]byte(nil), line...))
			}}
		}
		_, _ = keep(&whole).Write(text)
		at = max(0, min(at, len(text)))
		if len(text) > maxLine {
			return // what is too long for a line may be dropped at one cut and not at another
		}
		w := keep(&parts)
		_, _ = w.Write(text[:at])
		_, _ = w.Write(text[at:])
		if len(whole) != len(parts) {
			t.Errorf("%d lines whole, %d in parts", len(whole), len(parts))
		}
	})
}
