package rules_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/rules"
	"github.com/spool-video/spool/internal/survey/stream"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

const (
	tiny = "-f lavfi -i testsrc2=size=160x90:rate=25:duration=4 "
	hevc = "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -tag:v hvc1 -x265-params log-level=error:keyint=50:min-keyint=50:scenecut=0:"
)

// Formats that Spool does not make, as ffmpeg makes them.
func TestOtherFormats(t *testing.T) {
	for _, made := range []struct{ name, args, broken string }{
		{"HEVC", hevc + "open-gop=0 " + toHLS + fmp4 + "{}/index.m3u8", "S9"},
		{"MPEG-2 in MPEG-TS", "-c:v mpeg2video -g 50 " + toHLS + "{}/index.m3u8", "S33 S9"},
		{"HEVC in MPEG-TS", hevc + "open-gop=0 " + toHLS + "{}/index.m3u8", "M33 S9"},
		{"HEVC with open GOPs", hevc + "open-gop=1:bframes=4:b-adapt=0 " + toHLS + fmp4 + "{}/index.m3u8", "M12 M30 M90 S31 S9"},
		{"AV1", "-c:v libsvtav1 -preset 12 -g 50 -svtav1-params enable-overlays=0 " + toHLS + fmp4 + "{}/index.m3u8", "S9"},
		{"pixels that are not square", h264 + "-g 50 -vf setsar=4/3 " + toHLS + "{}/index.m3u8", "S9"},
		{"interlaced", h264 + "-g 50 -preset veryfast -flags +ilme+ildct -vf scale=160:96,interlace " + toHLS + "{}/index.m3u8", "M38 S31 S9"},
		{"120 pictures a second", h264 + "-vf fps=120 -g 240 " + toHLS + "{}/index.m3u8", "M38 S9"},
		{"H.264 High 4:4:4", strings.ReplaceAll(h264, "yuv420p", "yuv444p") + "-g 50 " + toHLS + "{}/index.m3u8", "M34 S34 S9"},
		{"key frames far apart", h264 + "-g 100 -force_key_frames 0 -hls_time 4 -f hls -hls_playlist_type vod {}/index.m3u8", "S9 S31"},
		{"MP3 in MPEG-TS", "-f lavfi -i sine=duration=4 -c:a libmp3lame " + h264 + "-g 50 " + toHLS + "{}/index.m3u8", "S44 S45 S9"},
		{"I-frames by ffmpeg", h264 + "-g 50 " + toHLS + "-hls_flags iframes_only+single_file {}/index.m3u8", ""},
		{"two streams of sound", "-f lavfi -i sine=duration=4 -map 0:v -map 1:a -map 1:a -g 50 -c:a aac " + h264 + "-g 50 " + toHLS + "{}/index.m3u8", "M46 S9 S44"},
	} {
		good(t, made.name, muxed(t, tiny, made.args), "index.m3u8", made.broken)
	}
}

// AAC in LOAS is known, and xHE-AAC in it has no place in MPEG-TS.
func TestLATM(t *testing.T) {
	t.Parallel()
	b := mediatest.FFmpeg(t, strings.Fields("-f lavfi -i sine=duration=2 -c:a aac -f mpegts -mpegts_flags latm pipe:1")...)
	if r := stream.Read(nil, b).Find(stream.Audio); r == nil || r.Track.Codec != "mp4a.40.2" {
		t.Fatalf("it is %+v", r)
	}
	at := bytes.Index(b, []byte{0x56, 0xe1})      // the first frame: its object type begins 40 bits on
	b[at+5], b[at+6] = 31<<3|1, 2<<5|b[at+6]&0x1f // 31, and 42 - 32 in six bits
	f := files{"0.ts": b, "index.m3u8": []byte("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n0.ts\n#EXT-X-ENDLIST\n")}
	if found := rules.Check(f.survey(t, "index.m3u8", false)); !told(found, "M33", "xHE-AAC") {
		t.Errorf("xHE-AAC: found %v", found)
	}
}

// packed makes packed audio of three segments of one second.
func packed(t testing.TB) files {
	t.Helper()
	return shared(t, "packed", func(t testing.TB) files {
		adts := mediatest.FFmpeg(t, strings.Fields("-f lavfi -i sine=sample_rate=48000:duration=3.2 -ac 2 -c:a aac -f adts pipe:1")...)
		f := files{}
		list := "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
		packets := 0
		for i := range 3 {
			// An ID3 tag of one PRIV frame, RFC 8216 section 3.4.
			frame := append([]byte("com.apple.streaming.transportStreamTimestamp\x00"), binary.BigEndian.AppendUint64(nil, uint64(packets*1920))...)
			tag := append([]byte{'I', 'D', '3', 4, 0, 0, 0, 0, 0, byte(len(frame) + 10)}, "PRIV"...)
			segment := append(append(tag, 0, 0, 0, byte(len(frame)), 0, 0), frame...)
			for range 47 {
				length := int(adts[3]&3)<<11 | int(adts[4])<<3 | int(adts[5])>>5
				segment, adts = append(segment, adts[:length]...), adts[length:]
				packets++
			}
			f[fmt.Sprint(i, ".aac")] = segment
			list += fmt.Sprintf("#EXTINF:%.6f,\n%d.aac\n", 47*1024/48000.0, i)
		}
		f["index.m3u8"] = []byte(list + "#EXT-X-ENDLIST\n")
		return f
	})
}

func TestPackedAudio(t *testing.T) {
	good(t, "ffmpeg reads packed audio", packed(t), "index.m3u8", "S7 S9")
	for name, change := range map[string]func([]byte) []byte{
		"no time stamp":           func(b []byte) []byte { return bytes.Replace(b, []byte("com.apple"), []byte("com.other"), 1) },
		"a time stamp of 34 bits": func(b []byte) []byte { b[10+10+45+3] = 2; return b },
		"cut within a frame":      func(b []byte) []byte { return b[:len(b)-9] },
	} {
		f := packed(t).clone()
		f.edit("1.aac", change)
		if found := names(rules.Check(f.survey(t, "index.m3u8", false))); !slices.Contains(found, "M43") {
			t.Errorf("%s: found %v", name, found)
		}
	}
	f := packed(t).clone()
	f["1.aac"], f["2.aac"] = f["2.aac"], f["1.aac"]
	if found := names(rules.Check(f.survey(t, "index.m3u8", false))); !slices.Contains(found, "M32") {
		t.Errorf("swapped: found %v", found)
	}
}

// sampled is a rendition of own whose samples are encrypted each by itself.
func sampled(t testing.TB, scheme string) files {
	t.Helper()
	f := own(t, verifytest.Options{Silent: true}).clone()
	iv := []byte("fedcba9876543210")
	kid, err := mp4.NewUUIDFromString("00112233445566778899aabbccddeeff")
	if err != nil {
		t.Fatal(err)
	}
	decode := func(name string) *mp4.File {
		file, err := mp4.DecodeFile(bytes.NewReader(f[name]))
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	encode := func(name string, file *mp4.File) {
		var b bytes.Buffer
		if err := file.Encode(&b); err != nil {
			t.Fatal(err)
		}
		f[name] = b.Bytes()
	}
	head := decode(f.init(large))
	protect, err := mp4.InitProtect(head.Init, verifytest.Key, iv, scheme, kid, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		file := decode(f.segment(large, i))
		for _, fragment := range file.Segments[0].Fragments {
			if _, err := mp4.EncryptFragment(fragment, verifytest.Key, iv, protect); err != nil {
				t.Fatal(err)
			}
		}
		encode(f.segment(large, i), file)
	}
	encode(f.init(large), head)
	f.replace(t, large, "#EXT-X-MAP", "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\",IV=0x00\n#EXT-X-MAP")
	return f
}

func TestSampleEncryption(t *testing.T) {
	t.Parallel()
	for scheme, want := range map[string]bool{"cbcs": false, "cenc": true} {
		found := rules.Check(sampled(t, scheme).survey(t, large, true))
		got := names(found)
		if slices.Contains(got, "M103") != want {
			t.Errorf("%s: found %v", scheme, got)
		}
		if !want && !slices.Equal(got, []string{"S9"}) {
			t.Errorf("%s: found %v", scheme, found)
		}
	}
}

func TestSampleIVsAreThere(t *testing.T) {
	t.Parallel()
	f := sampled(t, "cenc")
	for _, box := range []string{"senc", "saiz"} {
		f.edit(f.segment(large, 1), func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(box), []byte("free")) }) // in every fragment
	}
	if found := names(rules.Check(f.survey(t, large, false))); !slices.Contains(found, "M105") {
		t.Errorf("found %v", found)
	}
}

// HDR is told by the pictures: of what is declared, and of what is missing.
func TestHDR(t *testing.T) {
	t.Parallel()
	f := hdr(t, "bt2020")
	for kind, want := range map[string]string{"": "M67", "SDR": "M67", "HLG": "M67", "PQ": "M40"} {
		attribute := ""
		if kind != "" {
			attribute = ",VIDEO-RANGE=" + kind
		}
		f[master] = []byte("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS=\"hvc1.2.4.L30.90\"" + attribute + "\nindex.m3u8\n")
		found := rules.Check(f.survey(t, master, false))
		if !slices.Contains(names(found), want) {
			t.Errorf("%q: found %v, want %s", kind, found, want)
		}
	}
}

// hdr is HDR10, or what would be with other primaries.
func hdr(t testing.TB, primaries string) files {
	t.Helper()
	return muxed(t, tiny, "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -tag:v hvc1 -color_trc smpte2084 -color_primaries "+primaries+" -colorspace bt2020nc "+
		"-x265-params log-level=error:keyint=50:min-keyint=50:open-gop=0:hdr10=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400 "+
		toHLS+fmp4+"{}/index.m3u8").clone()
}

// HDR10 is what it says it is, and says how it was graded.
func TestHDR10(t *testing.T) {
	t.Parallel()
	good(t, "HDR10", hdr(t, "bt2020"), "index.m3u8", "S9")
	if found := names(rules.Check(hdr(t, "bt709").survey(t, "index.m3u8", false))); !slices.Contains(found, "M40") {
		t.Errorf("primaries of BT.709: found %v", found)
	}
	for what, kind := range map[string]byte{"MDCV": 137, "CLLI": 144} {
		f := hdr(t, "bt2020")
		f.edit(f.init("index.m3u8"), inBox("hvcC", func(b []byte) {
			sei := bytes.Index(b, []byte{0x4e, 0x01, kind})
			if sei < 0 {
				t.Fatalf("there is no %s", what)
			}
			b[sei+2] = 5 // user data
		}))
		if found := rules.Check(f.survey(t, "index.m3u8", false)); !told(found, "S40", what) {
			t.Errorf("no %s: found %v", what, found)
		}
	}
}

// AAC-LC at half the rate is what implicit HE-AAC looks like.
func TestImplicitHEAAC(t *testing.T) {
	t.Parallel()
	f := muxed(t, tiny+"-f lavfi -i sine=duration=4 ", "-ar 24000 -c:a aac -g 50 "+h264+"-f dash -hls_playlist 1 -seg_duration 2 {}/m.mpd").clone()
	f.replace(t, master, "mp4a.40.2", "mp4a.40.5")
	if found := names(rules.Check(f.survey(t, master, false))); !slices.Contains(found, "M47") {
		t.Errorf("found %v", found)
	}
}

// captioned has closed captions in its pictures.
func TestCaptionsAreDeclared(t *testing.T) {
	t.Parallel()
	f := own(t, verifytest.Options{Silent: true}).clone()
	name := f.segment(large, 0)
	sei := append([]byte{6, 4, 14, 0xb5, 0, 0x31}, "GA94\x03\xc1\xff\xfc\x41\x42\xff"...)
	sei = append(append([]byte{0, 0, 0, byte(len(sei) + 1)}, sei...), 0x80)
	r := cmaf.NewReader(bytes.NewReader(append(bytes.Clone(f[f.init(large)]), f[name]...)))
	if _, err := r.Init(); err != nil {
		t.Fatal(err)
	}
	fragment, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	fragment.Samples[0].Data = append(sei, fragment.Samples[0].Data...)
	var b bytes.Buffer
	if err := cmaf.WriteFragment(&b, fragment); err != nil {
		t.Fatal(err)
	}
	f[name] = b.Bytes()
	if found := names(rules.Check(f.survey(t, master, false))); !slices.Contains(found, "M51") {
		t.Errorf("captions that nothing declares: found %v", found)
	}
}

// Loudness is told of all sound or of none.
func TestLoudness(t *testing.T) {
	t.Parallel()
	f := own(t, verifytest.Options{NoVideo: true}).clone()
	loud := func(b []byte) []byte {
		file, err := mp4.DecodeFile(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		udta := &mp4.UdtaBox{}
		udta.AddChild(&mp4.LudtBox{})
		file.Init.Moov.Trak.AddChild(udta)
		var out bytes.Buffer
		if err := file.Init.Encode(&out); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	all := slices.Sorted(maps.Keys(f))
	name := all[slices.IndexFunc(all, func(n string) bool { return strings.HasSuffix(n, "index.m3u8") })]
	told := path.Join(path.Dir(name), "loud.m3u8")
	f[path.Join(path.Dir(name), "loud.mp4")] = loud(f[f.init(name)])
	f[told] = bytes.ReplaceAll(f[name], []byte(path.Base(f.init(name))), []byte("loud.mp4"))
	for root, want := range map[string]bool{name: false, told: false, master: true} {
		f[master] = []byte("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n" + name + "\n#EXT-X-STREAM-INF:BANDWIDTH=2\n" + told + "\n")
		if found := names(rules.Check(f.survey(t, root, false))); slices.Contains(found, "S50") != want {
			t.Errorf("%s: found %v", root, found)
		}
	}
}

// imsc adds subtitles of IMSC1, in fragmented MP4.
func imsc(t testing.TB) files {
	t.Helper()
	f := rich(t).clone()
	head := mp4.CreateEmptyInit()
	if err := head.AddEmptyTrack(1000, "stpp", "en").SetStppDescriptor("http://www.w3.org/ns/ttml", "", ""); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(head.Moov.Children[1:]) // mvex stands behind the track
	write := func(name string, box interface{ Encode(io.Writer) error }) {
		var b bytes.Buffer
		if err := box.Encode(&b); err != nil {
			t.Fatal(err)
		}
		f[path.Join(path.Dir(words), name)] = b.Bytes()
	}
	write("init.mp4", head)
	for i := range 4 {
		fragment, err := mp4.CreateFragment(uint32(i+1), 1)
		if err != nil {
			t.Fatal(err)
		}
		text := []byte(`<tt xmlns="http://www.w3.org/ns/ttml"/>`)
		dur := uint32(1000)
		if i == 3 {
			dur = 400
		}
		fragment.AddFullSample(mp4.FullSample{
			Sample:     mp4.Sample{Flags: mp4.SyncSampleFlags, Dur: dur, Size: uint32(len(text))},
			DecodeTime: uint64(i) * 1000, Data: text,
		})
		write(fmt.Sprint(i, ".vtt"), fragment)
	}
	f.replace(t, words, "#EXT-X-PLAYLIST-TYPE", "#EXT-X-MAP:URI=\"init.mp4\"\n#EXT-X-PLAYLIST-TYPE")
	return f
}

// Subtitles of IMSC1 are named where they are.
func TestIMSCIsNamed(t *testing.T) {
	t.Parallel()
	f := imsc(t)
	if found := names(rules.Check(f.survey(t, master, false))); !slices.Contains(found, "M89") {
		t.Errorf("found %v", found)
	}
	f.edit(master, func(b []byte) []byte {
		lines := strings.SplitAfter(string(b), "\n")
		for i, l := range lines {
			if strings.HasPrefix(l, inf) {
				lines[i] = strings.Replace(l, `CODECS="`, `CODECS="stpp.ttml.im1t,`, 1)
			}
		}
		return []byte(strings.Join(lines, ""))
	})
	if found := rules.Check(f.survey(t, master, false)); !slices.Equal(names(found), []string{"S9"}) {
		t.Errorf("named: found %v", found)
	}
}

// What one kind of player asks for is found when it is asked for.
func TestAudiences(t *testing.T) {
	t.Parallel()
	f := rich(t).clone()
	for _, test := range []struct {
		name     string
		audience rules.Audience
		master   string
		told     bool
	}{
		{"nobody", "", "BANDWIDTH=193000", false},
		{"cellular, too much", rules.Cellular, "BANDWIDTH=193000", true},
		{"cellular, little enough", rules.Cellular, "BANDWIDTH=192000", false},
		{"television, too little", rules.Television, "BANDWIDTH=192000,AVERAGE-BANDWIDTH=145000", true},
		{"television, enough", rules.Television, "BANDWIDTH=192000,AVERAGE-BANDWIDTH=146000", false},
	} {
		f[master] = []byte("#EXTM3U\n#EXT-X-STREAM-INF:" + test.master + "\n" + large + "\n")
		if found := names(rules.Check(f.survey(t, master, false), test.audience)); slices.Contains(found, "S71") != test.told {
			t.Errorf("%s: found %v", test.name, found)
		}
	}
	f[master] = []byte("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n" + sound + "\n")
	if found := names(rules.Check(f.survey(t, master, false), rules.Television)); !slices.Contains(found, "S71") {
		t.Errorf("sound alone: found %v", found)
	}
}
