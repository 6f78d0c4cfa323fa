package rules_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/rules"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

// richFaults are made in the package that has everything.
var richFaults = []fault{
	// The fault matrix: what other checkers and players were found to miss.
	{"EXTINF rounds above TARGETDURATION", "M7", onLine(large, "#EXTINF", instead("1.0", "1.6"))},
	{"VOD without ENDLIST", "M13", onLine(large, "#EXT-X-ENDLIST", dropped)},
	{"segment missing", "M18", missing(segmentOf(large, 1))},
	{"segment truncated", "M41", inFile(segmentOf(large, 1), half)},
	{"wrong CODECS profile", "M64", onLine(master, inf, instead("avc1.64", "avc1.42"))},
	{"CODECS lacks the video", "M64", onLine(master, inf, func(l string) string {
		at := strings.Index(l, `CODECS="`) + len(`CODECS="`)
		return l[:at] + l[at+len("avc1.640000,"):]
	})},
	{"BANDWIDTH false", "M60", onLine(master, inf, instead("BANDWIDTH=", "BANDWIDTH=5000,X-OLD="))},
	{"no EXT-X-MAP", "M41", onLine(large, "#EXT-X-MAP", dropped)},
	{"tfdt jumps by 1 s", "M32", inFile(segmentOf(large, 1), later(12800))},
	{"AUDIO group does not exist", "M72", onLine(master, inf, instead(`AUDIO="`, `AUDIO="no`))},
	{"EXTINF 0.7 s longer", "M12", onLine(large, "#EXTINF", instead("1.0", "1.4"))},
	{"VERSION too low for MAP", "M5", onLine(large, "#EXT-X-VERSION", func(string) string { return "#EXT-X-VERSION:3\n" })},
	{"byte order mark", "M1", in(large, "#EXTM3U", "\xef\xbb\xbf#EXTM3U")},
	{"DEFAULT=YES beside AUTOSELECT=NO", "M73", onLine(master, media, instead("AUTOSELECT=YES", "AUTOSELECT=NO"))},
	{"no RESOLUTION", "M65", onLine(master, inf, without("RESOLUTION"))},

	// Playlists as text.
	{"no EXTM3U", "M1", in(small, "#EXTM3U\n", "")},
	{"not UTF-8", "M2", in(small, "#EXT-X-ENDLIST", "# \xff\n#EXT-X-ENDLIST")},
	{"white space around =", "M2", onLine(master, media, instead(`NAME=`, `NAME =`))},
	{"attribute twice", "M2", onLine(master, inf, instead("FRAME-RATE=", "FRAME-RATE=25.000,FRAME-RATE="))},
	{"quotes not closed", "M2", onLine(master, media, instead(`GROUP-ID="audio"`, `GROUP-ID="audio`))},
	{"TARGETDURATION twice", "M3", onLine(large, "#EXT-X-TARGETDURATION", twice)},
	{"ENDLIST in the multivariant playlist", "M4", onLine(master, "#EXT-X-INDEPENDENT", behind("#EXT-X-ENDLIST"))},
	{"EXT-X-MEDIA in a media playlist", "M4", onLine(large, "#EXT-X-MAP", behind(`#EXT-X-SESSION-DATA:DATA-ID="a",VALUE="b"`))},
	{"TARGETDURATION is no number", "M6", onLine(large, "#EXT-X-TARGETDURATION", instead(":1", ":1.0"))},
	{"rounded, before version 6", "S7", func(t *testing.T, f files) {
		onLine(words, "#EXTINF", instead("1.0", "1.3"))(t, f)
		onLine(words, "#EXT-X-VERSION", func(string) string { return "#EXT-X-VERSION:3\n" })(t, f)
	}},
	{"no TARGETDURATION", "M6", onLine(large, "#EXT-X-TARGETDURATION", dropped)},
	{"one playlist has another target", "M11", onLine(small, "#EXT-X-TARGETDURATION", instead(":1", ":2"))},
	{"no PLAYLIST-TYPE", "M13", onLine(large, "#EXT-X-PLAYLIST-TYPE", dropped)},
	{"one playlist is EVENT", "M14", onLine(words, "#EXT-X-PLAYLIST-TYPE", instead("VOD", "EVENT"))},
	{"the last segment is not listed", "M15", func(_ *testing.T, f files) {
		at := bytes.LastIndex(f[small], []byte("#EXTINF"))
		f[small] = append(bytes.Clone(f[small][:at]), "#EXT-X-ENDLIST\n"...)
	}},
	{"variant playlist missing", "M18", missing(func(files) string { return small })},
	{"URI without EXTINF", "M18", onLine(large, "#EXTINF", dropped)},
	{"byte range beyond the end", "M18", onLine(tricks, "#EXT-X-BYTERANGE", instead("BYTERANGE:", "BYTERANGE:9"))},
	{"segments of other lengths", "S20", func(t *testing.T, f files) {
		lines := strings.Split(string(f[small]), "\n")
		at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "#EXTINF") })
		lines[at], lines[at+2] = "#EXTINF:0.990000,", "#EXTINF:1.010000,"
		f[small] = []byte(strings.Join(lines, "\n"))
	}},
	{"dates in one playlist alone", "M21", onLine(large, "#EXTINF", before("#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z"))},
	{"dates that differ", "M21", func(t *testing.T, f files) {
		for i, l := range []string{large, small, sound, words, tricks} {
			onLine(l, "#EXTINF", before(fmt.Sprintf("#EXT-X-PROGRAM-DATE-TIME:2026-01-0%dT00:00:00Z", 1+i/4)))(t, f)
		}
	}},
	{"DATERANGE without dates", "M21", onLine(large, "#EXTINF", before(`#EXT-X-DATERANGE:ID="a",START-DATE="2026-01-01T00:00:00Z"`))},
	{"BITRATE false", "M22", onLine(large, "#EXTINF", before("#EXT-X-BITRATE:9"))},
	{"EXTINF is no number", "M18", onLine(large, "#EXTINF", instead("1.0", "1.0s"))},

	// Segments.
	{"segments swapped", "M32", swapped(segmentOf(large, 1), segmentOf(large, 2))},
	{"the same segment twice", "M32", func(_ *testing.T, f files) { f[f.segment(large, 2)] = f[f.segment(large, 1)] }},
	{"tfdt is one tick off", "M32", inFile(segmentOf(large, 2), later(1))},
	{"all of one rung later", "M16", func(_ *testing.T, f files) {
		for i := range 4 {
			f.edit(f.segment(small, i), later(1280))
		}
	}},
	{"key frame not marked", "M30", inFile(segmentOf(large, 1), inBox("trun", func(b []byte) {
		const flags = 4 + 4 + 4 + 4 + 4 + 4 // name, version and flags, count, offset, duration, size
		b[flags+1] |= 1
	}))},
	{"no IDR picture", "M30", inFile(segmentOf(large, 1), func(b []byte) []byte {
		at := bytes.Index(b, []byte("mdat")) + 4
		for {
			size := int(binary.BigEndian.Uint32(b[at:]))
			if b[at+4]&0x1f == 5 {
				b[at+4] = b[at+4]&^0x1f | 1
				return b
			}
			at += 4 + size
		}
	})},
	{"init section of another rung", "M65", swapped(initOf(large), initOf(small))},
	{"init section missing", "M18", missing(initOf(large))},
	{"init section truncated", "M41", inFile(initOf(large), half)},
	{"no ftyp", "M41", inFile(initOf(large), renamed("ftyp"))},
	{"no mvex", "M41", inFile(initOf(large), renamed("mvex"))},
	{"mvhd has a duration", "M41", inFile(initOf(large), inBox("mvhd", func(b []byte) { b[23] = 1 }))},
	{"no tfdt", "M41", inFile(segmentOf(large, 1), renamed("tfdt"))},
	{"no moof", "M41", inFile(segmentOf(large, 1), renamed("moof"))},
	{"a segment that is no media", "M33", inFile(segmentOf(large, 1), func([]byte) []byte { return []byte("<html>404</html>") })},
	{"sound in place of pictures", "M41", swapped(segmentOf(large, 1), segmentOf(sound, 1))},
	{"H.264 level too high", "M34", inFile(initOf(large), inBox("avcC", func(b []byte) {
		b[7] = 62
		at := bytes.IndexByte(b, 0x67)
		b[at+3] = 62
	}))},
	{"no edit list", "S48", inFile(initOf(sound), renamed("edts"))},

	{"media too long for the target", "M8", func(_ *testing.T, f files) {
		f[f.segment(large, 0)] = append(bytes.Clone(f[f.segment(large, 0)]), f[f.segment(large, 1)]...)
	}},
	{"sound follows pictures", "M19", func(t *testing.T, f files) {
		f.replace(t, large, path.Base(f.segment(large, 1)), "../a0-en/"+path.Base(f.segment(sound, 1)))
		lines := strings.SplitAfter(string(f[large]), "\n")
		at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "../a0-en") })
		lines[at-1] = `#EXT-X-MAP:URI="../a0-en/` + path.Base(f.init(sound)) + "\"\n" + lines[at-1]
		f[large] = []byte(strings.Join(lines, ""))
	}},
	{"a discontinuity in one playlist", "M19", onLine(large, "#EXTINF", before("#EXT-X-DISCONTINUITY"))},
	{"another rung follows", "S19", func(t *testing.T, f files) {
		other := path.Base(f.segment(small, 1))
		f.replace(t, large, path.Base(f.segment(large, 1)), "../v0-90p/"+other)
		f.replace(t, large, "#EXTINF:1.000000,\n../v0-90p/", `#EXT-X-MAP:URI="../v0-90p/`+path.Base(f.init(small))+"\"\n#EXTINF:1.000000,\n../v0-90p/")
	}},
	{"START at the end of a list that grows", "S24", func(t *testing.T, f files) {
		onLine(large, "#EXT-X-ENDLIST", dropped)(t, f)
		onLine(large, "#EXT-X-PLAYLIST-TYPE", func(string) string { return "#EXT-X-START:TIME-OFFSET=-1\n" })(t, f)
	}},
	{"avc3", "S37", inFile(initOf(large), inBox("avc1", func(b []byte) { b[3] = '3' }))},
	{"one segment far heavier", "S63", inFile(segmentOf(large, 1), func(b []byte) []byte {
		return append(append(b, 0, 16, 0, 0, 'f', 'r', 'e', 'e'), make([]byte, 1<<20-8)...)
	})},
	{"the small rung first", "S70", func(_ *testing.T, f files) {
		lines := strings.SplitAfter(string(f[master]), "\n")
		at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, inf) })
		lines[at], lines[at+1], lines[at+2], lines[at+3] = lines[at+2], lines[at+3], lines[at], lines[at+1]
		f[master] = []byte(strings.Join(lines, ""))
	}},

	// The multivariant playlist.
	{"no BANDWIDTH", "M60", onLine(master, inf, func(l string) string {
		return strings.Replace(l, `:SUBTITLES="subs",BANDWIDTH=`, `:SUBTITLES="subs",X-B=`, 1)
	})},
	{"STREAM-INF without URI", "M60", onLine(master, large, dropped)},
	{"BANDWIDTH far too high", "M61", onLine(master, inf, instead(",BANDWIDTH=", ",BANDWIDTH=9"))},
	{"no AVERAGE-BANDWIDTH", "M62", onLine(master, inf, without("AVERAGE-BANDWIDTH"))},
	{"AVERAGE-BANDWIDTH false", "M62", onLine(master, inf, instead("AVERAGE-BANDWIDTH=", "AVERAGE-BANDWIDTH=1"))},
	{"no CODECS", "M64", onLine(master, inf, without("CODECS"))},
	{"CODECS names what is not there", "M64", onLine(master, inf, instead(`CODECS="`, `CODECS="ec-3,`))},
	{"RESOLUTION false", "M65", onLine(master, inf, instead("RESOLUTION=3", "RESOLUTION=6"))},
	{"no FRAME-RATE", "M66", onLine(master, inf, without("FRAME-RATE"))},
	{"FRAME-RATE false", "M66", onLine(master, inf, instead("FRAME-RATE=25.000", "FRAME-RATE=30.000"))},
	{"VIDEO-RANGE false", "M67", onLine(master, inf, instead("VIDEO-RANGE=SDR", "VIDEO-RANGE=PQ"))},
	{"no INDEPENDENT-SEGMENTS", "S68", onLine(master, "#EXT-X-INDEPENDENT", dropped)},
	{"no INDEPENDENT-SEGMENTS anywhere", "M68", func(t *testing.T, f files) {
		f.replace(t, master, "#EXT-X-INDEPENDENT-SEGMENTS\n", "")
		for _, l := range []string{large, small} {
			f[l] = bytes.ReplaceAll(f[l], []byte("#EXT-X-INDEPENDENT-SEGMENTS\n"), nil)
		}
	}},
	{"no CLOSED-CAPTIONS=NONE", "M51", onLine(master, inf, without("CLOSED-CAPTIONS"))},
	{"one name twice in a group", "M73", onLine(master, media, twice)},
	{"groups with other members", "M73", onLine(master, media, behind(`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="other",NAME="X",LANGUAGE="fr",CHANNELS="2",URI="`+sound+`"`))},
	{"no LANGUAGE", "M74", onLine(master, media, without("LANGUAGE"))},
	{"no CHANNELS", "S74", onLine(master, media, without("CHANNELS"))},
	{"CHANNELS false", "S74", onLine(master, media, instead(`CHANNELS="2"`, `CHANNELS="6"`))},
	{"subtitles without URI", "M75", onLine(master, subs, without("URI"))},
	{"captions without INSTREAM-ID", "M75", onLine(master, media, behind(`#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC",LANGUAGE="en"`))},
	{"steered, and no ways are named", "S76", onLine(master, "#EXT-X-INDEPENDENT", behind(`#EXT-X-CONTENT-STEERING:SERVER-URI="s"`))},
	{"SCORE on one variant", "M76", onLine(master, inf, instead(",BANDWIDTH", ",SCORE=2.0,BANDWIDTH"))},
	{"forced subtitles not selected", "S77", onLine(master, subs, instead("AUTOSELECT=YES", "AUTOSELECT=NO,FORCED=YES"))},

	// I-frames and subtitles.
	{"no I-frame playlists", "S80", in(master, trick, "#EXT-X-NOTHING")},
	{"I-frames of another format alone", "S83", func(_ *testing.T, f files) {
		lines := strings.SplitAfter(string(f[master]), "\n")
		for i, l := range lines {
			if strings.HasPrefix(l, trick) {
				lines[i] = strings.Replace(l, "avc1.", "hvc1.", 1)
			}
		}
		f[master] = []byte(strings.Join(lines, ""))
	}},
	{"two image sequences", "S85", onLine(master, trick, before(images+`"`+small+`"`+"\n"+images+`"`+large+`"`))},
	{"an image sequence of another width", "S85", onLine(master, trick, before(strings.Replace(images, "400x", "640x", 1)+`"`+tricks+`"`))},
	{"an image sequence of two a second", "S85", func(t *testing.T, f files) {
		f[stills] = []byte("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-I-FRAMES-ONLY\n" + strings.Repeat("#EXTINF:0.5,\nno.jpg\n", 7) + "#EXT-X-ENDLIST\n")
		onLine(master, trick, before(images+`"`+stills+`"`))(t, f)
	}},
	{"I-frame variant without URI", "M84", onLine(master, trick, without("URI"))},
	{"I-frame variant without RESOLUTION", "M65", onLine(master, trick, without("RESOLUTION"))},
	{"I-frame variant without CODECS", "M64", onLine(master, trick, without("CODECS"))},
	{"I-frame variant with a low BANDWIDTH", "M60", onLine(master, trick, instead(":BANDWIDTH=", ":BANDWIDTH=1,X-WAS="))},
	{"I-frames end early", "M81", func(_ *testing.T, f files) {
		f.edit(tricks, func(b []byte) []byte { return append(b[:bytes.LastIndex(b, []byte("#EXTINF"))], "#EXT-X-ENDLIST\n"...) })
	}},
	{"I-frame range begins within the moof", "M82", onLine(tricks, "#EXT-X-BYTERANGE", instead("@28", "@36"))},
	{"I-frame range ends with the header", "M82", onLine(tricks, "#EXT-X-BYTERANGE", func(string) string { return "#EXT-X-BYTERANGE:200@28\n" })},
	{"I-frame of another segment", "M81", func(_ *testing.T, f files) {
		a, b := path.Base(f.segment(large, 1)), path.Base(f.segment(large, 2))
		f.edit(tricks, func(text []byte) []byte { return bytes.Replace(text, []byte(a), []byte(b), 1) })
	}},
	{"I-frame playlist without its tag", "M80", onLine(tricks, "#EXT-X-I-FRAMES-ONLY", dropped)},
	{"I-frame durations false", "M81", onLine(tricks, "#EXTINF", instead("1.0", "0.5"))},
	{"I-frame range short", "M82", onLine(tricks, "#EXT-X-BYTERANGE", func(string) string { return "#EXT-X-BYTERANGE:500@24\n" })},
	{"I-frame variant with FRAME-RATE", "M84", onLine(master, trick, instead(",CODECS", ",FRAME-RATE=1.000,CODECS"))},
	{"I-frame variant without RESOLUTION", "M65", onLine(master, trick, without("RESOLUTION"))},
	{"no X-TIMESTAMP-MAP", "M86", inFile(segmentOf(words, 1), func(b []byte) []byte { return bytes.Replace(b, []byte("X-TIMESTAMP-MAP"), []byte("X-NOTHING"), 1) })},
	{"a cue is not carried on", "M87", inFile(segmentOf(words, 1), func(b []byte) []byte { return bytes.Replace(b, []byte("boundary 1"), []byte("other"), 1) })},
	{"a cue whose times cannot be", "M86", inFile(segmentOf(words, 1), func(b []byte) []byte { return bytes.Replace(b, []byte("-->"), []byte("-->0"), 1) })},
	{"subtitles end early", "M88", func(_ *testing.T, f files) {
		at := bytes.Index(f[words], []byte("#EXTINF:1.000000,\n2.vtt"))
		f[words] = append(bytes.Clone(f[words][:at]), "#EXT-X-ENDLIST\n"...)
	}},
}

// images is an image sequence, but for its playlist.
const images = trick + `:BANDWIDTH=1000000,CODECS="mjpg",RESOLUTION=400x224,URI=`

// encryptedFaults are made in an encrypted package.
var encryptedFaults = []fault{
	{"segment truncated to whole blocks", "M100", inFile(segmentOf(large, 1), func(b []byte) []byte { return b[:len(b)-32] })},
	{"segment truncated within a block", "M100", inFile(segmentOf(large, 1), func(b []byte) []byte { return b[:len(b)-5] })},
	{"a flipped bit", "M101", inFile(segmentOf(large, 1), func(b []byte) []byte { b[4] ^= 0x80; return b })},
	{"a segment in clear", "M100", inFile(segmentOf(large, 1), func(b []byte) []byte { return append([]byte("\x00\x00\x00\x18styp"), b[:len(b)-9]...) })},
	{"IV of another segment", "M101", onLine(large, "#EXT-X-KEY", instead("IV=0x", "IV=0x1"))},
	{"IV too long", "M101", onLine(large, "#EXT-X-KEY", instead("IV=0x", "IV=0x00"))},
	{"no IV", "M101", onLine(large, "#EXT-X-KEY", without("IV"))},
	{"key without URI", "M106", onLine(large, "#EXT-X-KEY", without("URI"))},
	{"unknown method", "M106", onLine(large, "#EXT-X-KEY", instead("AES-128", "AES-256"))},
	{"I-frame of another place", "M101", swapped(segmentOf(stills, 1), segmentOf(stills, 2))},
	{"I-frame that is a segment", "M101", func(_ *testing.T, f files) { f[f.segment(stills, 1)] = f[f.segment(small, 1)] }},
	{"an I-frame is not there", "M18", missing(segmentOf(stills, 0))},
	{"METHOD=NONE with a URI", "M106", onLine(large, "#EXT-X-KEY", instead("METHOD=AES-128", "METHOD=NONE"))},
	{"MAP behind the key", "M102", func(_ *testing.T, f files) {
		lines := strings.SplitAfter(string(f[large]), "\n")
		at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "#EXT-X-MAP") })
		lines[at], lines[at+1] = without("IV")(lines[at+1]), lines[at]
		f[large] = []byte(strings.Join(lines, ""))
	}},
	{"session key of nobody", "S107", onLine(master, inf, before(`#EXT-X-SESSION-KEY:METHOD=AES-128,URI="https://keys.example.com/other"`))},
	{"no session key", "S107", onLine(master, session, dropped)},
	{"session key twice", "M107", onLine(master, session, twice)},
	{"session key that is none", "M107", onLine(master, session, instead("METHOD=AES-128", "METHOD=NONE"))},
	{"session key of another method", "M107", onLine(master, session, instead("METHOD=AES-128", "METHOD=SAMPLE-AES"))},
	{"session key of another format", "M107", onLine(master, session, instead("METHOD=AES-128", `METHOD=AES-128,KEYFORMAT="com.example"`))},
	{"session key of another version of a format", "M107", onLine(master, session, instead("METHOD=AES-128", `METHOD=AES-128,KEYFORMATVERSIONS="2"`))},
	{"one key for two levels of HDCP", "S108", onLine(master, inf, instead(":", ":HDCP-LEVEL=TYPE-0,"))},
	{"no level of HDCP", "S108", onLine(master, inf, instead(":", ":HDCP-LEVEL=TYPE-9,"))},
	{"HDCP is not what FairPlay asks for", "S108", func(t *testing.T, f files) {
		onLine(master, inf, instead("RESOLUTION=", `HDCP-LEVEL=TYPE-1,RESOLUTION=1280x720,X-WAS=`))(t, f)
		onLine(large, "#EXT-X-KEY", instead("METHOD=AES-128", `METHOD=SAMPLE-AES,KEYFORMAT="com.apple.streamingkeydelivery"`))(t, f)
	}},
	{"an encrypted image sequence", "S85", onLine(master, trick, before(images+`"`+stills+`"`))},
	{"key of another length", "M100", onLine(large, "#EXT-X-KEY", instead(verifytest.KeyURI, "short.key"))},
	{"key of somebody else", "M100", onLine(large, "#EXT-X-KEY", instead(verifytest.KeyURI, "other.key"))},
	{"VERSION too low for IV", "M5", onLine(sound, "#EXT-X-VERSION", func(string) string { return "" })},
}

const transport = "index.m3u8"

// transportFaults are made in MPEG-TS that ffmpeg wrote.
var transportFaults = []fault{
	{"a packet is lost", "M32", inFile(segmentOf(transport, 1), func(b []byte) []byte { return append(b[:188*20:188*20], b[188*21:]...) })},
	{"cut within a packet", "M32", inFile(segmentOf(transport, 1), func(b []byte) []byte { return b[:len(b)-100] })},
	{"no PAT and PMT", "M42", inFile(segmentOf(transport, 1), func(b []byte) []byte { return b[188*3:] })},
	{"segments swapped", "M32", swapped(segmentOf(transport, 1), segmentOf(transport, 2))},
	{"first packets lost", "M30", inFile(segmentOf(transport, 1), func(b []byte) []byte {
		// The start of the first picture: PAT, PMT and SDT stay.
		return append(b[:188*3:188*3], b[188*40:]...)
	})},
	{"a packet without its sync byte", "M32", inFile(segmentOf(transport, 1), func(b []byte) []byte { b[188*10] = 0; return b })},
	{"EXTINF too short", "M12", onLine(transport, "#EXTINF", func(string) string { return "#EXTINF:1.500000,\n" })},
}

func TestFaultsAreFound(t *testing.T) {
	encrypted := own(t, verifytest.Options{Encrypted: true, Language: "en"})
	encrypted["short.key"], encrypted["other.key"] = []byte("short"), []byte("fedcba9876543210")
	encrypted["r1/v1-180p/short.key"], encrypted["r1/v1-180p/other.key"] = encrypted["short.key"], encrypted["other.key"]
	clear := muxed(t, clip, h264+aac+toHLS+"{}/index.m3u8")
	n := 0
	for _, set := range []struct {
		name   string
		whole  files
		root   string
		faults []fault
	}{
		{"clear", rich(t), master, richFaults},
		{"encrypted", encrypted, master, encryptedFaults},
		{"transport", clear, transport, transportFaults},
	} {
		known := names(rules.Check(set.whole.survey(t, set.root, false)))
		for _, fault := range set.faults {
			n++
			if slices.Contains(known, fault.want) {
				t.Fatalf("%s: the whole package breaks %s", fault.name, fault.want)
			}
			t.Run(set.name+", "+fault.name, func(t *testing.T) {
				t.Parallel()
				f := set.whole.clone()
				fault.spoil(t, f)
				found := rules.Check(f.survey(t, set.root, false))
				if !slices.Contains(names(found), fault.want) {
					t.Errorf("not found as %s, but:", fault.want)
					for _, f := range found {
						t.Log(f)
					}
				}
			})
		}
	}
	if n < 130 {
		t.Errorf("docs/rules.md says that there are 130 faults, and there are %d", n)
	}
}

// What only a decoder can tell.
func TestDamagedPicturesAreFound(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, files){
		"another rung's segment": func(_ *testing.T, f files) { f[f.segment(large, 1)] = f[f.segment(small, 1)] },
		"pictures overwritten": inFile(segmentOf(large, 1), func(b []byte) []byte {
			at := bytes.Index(b, []byte("mdat")) + 2000
			copy(b[at:at+400], bytes.Repeat([]byte{0xa5}, 400))
			return b
		}),
	} {
		f := rich(t).clone()
		spoil(t, f)
		if found := names(rules.Check(f.survey(t, master, true))); !slices.Contains(found, "M90") {
			t.Errorf("%s: found %v", name, found)
		}
	}
}
