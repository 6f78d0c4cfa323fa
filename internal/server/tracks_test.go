package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/spool-video/spool/internal/playtest"
	"github.com/spool-video/spool/internal/process"
)

// publishTracks writes a video of six seconds with two sounds and two
// subtitles, each rendition by itself.
func publishTracks(t *testing.T, dir, id string) {
	t.Helper()
	describe(t, dir, id, "Many tongues")
	write := func(name, text string) {
		path := filepath.Join(dir, id, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, args := range map[string]string{
		"r1/v0":     "-f lavfi -i testsrc2=s=320x180:r=25:d=6 -c:v libx264 -preset ultrafast -g 50 -pix_fmt yuv420p",
		"r1/a0-eng": "-f lavfi -i sine=f=440:r=48000:d=6 -c:a aac", "r1/a1-fre": "-f lavfi -i sine=f=880:r=48000:d=6 -c:a aac",
	} {
		write(name+"/.made", "")
		to := filepath.Join(dir, id, name)
		args := strings.Fields("-nostdin -v error " + args + " -avoid_negative_ts disabled -f hls -hls_time 2 -hls_playlist_type vod -hls_segment_type fmp4 index.m3u8")
		if _, err := process.Run(t.Context(), process.Command{Path: "ffmpeg", Dir: to, Args: args}); err != nil {
			t.Fatal(err)
		}
	}
	master := "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n" +
		`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="1",URI="r1/a0-eng/index.m3u8"` + "\n" +
		`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="French",LANGUAGE="fr",AUTOSELECT=YES,CHANNELS="1",URI="r1/a1-fre/index.m3u8"` + "\n"
	for n, name := range []string{"German", "<b>Klingon</b>"} {
		write(fmt.Sprintf("r1/s%d/0.vtt", n), fmt.Sprintf("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n00:00:00.000 --> 00:00:06.000\nin %d\n", n))
		write(fmt.Sprintf("r1/s%d/index.m3u8", n), "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:6.0,\n0.vtt\n#EXT-X-ENDLIST\n")
		master += fmt.Sprintf(`#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="%s",LANGUAGE="x%d",AUTOSELECT=YES,URI="r1/s%d/index.m3u8"`+"\n", name, n, n)
	}
	write("master.m3u8", master+`#EXT-X-STREAM-INF:BANDWIDTH=600000,CODECS="avc1.42c00c,mp4a.40.2",RESOLUTION=320x180,AUDIO="a",SUBTITLES="s"`+"\nr1/v0/index.m3u8\n")
}

// Sounds and subtitles are switched where there are any, by mouse or keyboard.
func TestPageSwitchesTracks(t *testing.T) {
	browser := playtest.Start(t)
	dir := t.TempDir()
	publishTracks(t, dir, "tongues")
	publish(t, dir, "plain", "One tongue", playtest.Package{Seconds: 2, Sizes: []string{"160x90"}})
	running := serve(t, Preview{Dir: dir})
	for _, window := range [][2]int64{{390, 844}, {1280, 860}} {
		tab := browser.Tab(t, 2*time.Minute)
		tab.Do(t, look(window[0], window[1], "light"), chromedp.Navigate(running.URL()+"#/v/tongues"))
		until(t, tab, `document.querySelector('#screen').currentTime > 0.2`)
		if got := text(t, tab, "#sound") + "|" + text(t, tab, "#text"); got != "EnglishFrench|OffGerman<b>Klingon</b>" {
			t.Errorf("the switches offer %q", got)
		}
		until(t, tab, `!document.querySelector('#sounds').hidden && document.querySelector('#sound').value === '0' && document.querySelector('#text').value === '-1'`)
		change := func(id, value string) chromedp.Action[chromedp.Void] {
			return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
				`{ const s = document.querySelector('#%s'); s.focus(); s.value = '%s'; s.dispatchEvent(new Event('change')); } undefined`, id, value))
		}
		tab.Do(t, change("text", "0"))
		until(t, tab, `[...document.querySelector('#screen').textTracks].some((k) => k.mode === 'showing' && k.activeCues && k.activeCues.length && k.activeCues[0].text === 'in 0')`)
		tab.Do(t, change("sound", "1"))
		until(t, tab, `performance.getEntriesByType('resource').some((r) => r.name.includes('/a1-fre/index'))`)
		until(t, tab, `document.querySelector('#sound').value === '1'`)
		fitsWindow(t, tab, fmt.Sprintf("tracks-%d", window[0]))
		tab.Do(t, change("text", "-1"))
		until(t, tab, `[...document.querySelector('#screen').textTracks].every((k) => k.mode !== 'showing')`)
		tab.Do(t, chromedp.Evaluate[chromedp.Void](`location.hash = '#/v/plain'; undefined`))
		until(t, tab, `document.querySelector('#screen').currentTime > 0.2 && document.querySelector('#sounds').hidden && document.querySelector('#texts').hidden`)
		if problems := tab.Problems(); len(problems) > 0 {
			t.Errorf("problems %q", problems)
		}
	}
}
