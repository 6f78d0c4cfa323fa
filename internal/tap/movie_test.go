package tap_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/tap"
)

// film is a file of the corpus; the arguments are split at spaces.
type film struct {
	name string
	args string
	from string // a film that is made first and is input "SRC"
	// whole is set when the moov box does not tell all that planning wants.
	whole bool
	// guessed is by how many ticks at most ffprobe guesses the end too early: it
	// takes a tick for the last picture where a second has less than a thousand.
	guessed int64
}

const (
	pictures = "-f lavfi -i testsrc2=s=64x36:r=25:d=2 "
	sound    = "-f lavfi -i sine=r=48000:d=2 "
	quick    = "-c:v libx264 -preset ultrafast -bf 2 -g 12 -sc_threshold 0 "
	open     = "-c:v libx264 -preset ultrafast -bf 3 -g 12 -x264-params open-gop=1:scenecut=0 "
	both     = pictures + sound + quick + "-c:a aac "
	vfr      = "-vf setpts='if(lt(N,20),N*2,40+(N-20)*3)' -fps_mode passthrough "
)

// corpus are progressive files of all sorts that are read exactly.
var corpus = []film{
	{name: "last.mp4", args: both},
	{name: "first.mp4", args: both + "-movflags +faststart"},
	{name: "silent.mp4", args: pictures + quick},
	{name: "plain.mp4", args: pictures + "-c:v libx264 -preset ultrafast -bf 0 -g 12"},
	{name: "deep.mp4", args: pictures + "-c:v libx264 -preset veryfast -bf 8 -b_strategy 2 -g 30 -refs 4 -x264-params b-pyramid=normal"},
	{name: "open.mp4", args: pictures + open},
	{name: "negative.mp4", args: both + "-movflags +negative_cts_offsets"},
	{name: "noedits.mp4", args: both + "-use_editlist 0"},
	{name: "negative-noedits.mp4", args: both + "-movflags +negative_cts_offsets -use_editlist 0"},
	{name: "late.mp4", args: pictures + "-itsoffset 0.45 " + sound + quick + "-c:a aac"},
	{name: "early.mp4", args: "-itsoffset 0.3 " + pictures + sound + quick + "-c:a aac"},
	{name: "vfr.mp4", args: pictures + quick + vfr},
	{name: "vfr-plain.mp4", args: pictures + "-c:v libx264 -preset ultrafast -bf 0 -g 12 " + vfr},
	{name: "ntsc.mp4", args: "-f lavfi -i testsrc2=s=64x36:r=30000/1001:d=2 " + sound + quick + "-c:a aac"},
	{name: "odd.mp4", args: both + "-video_track_timescale 12347"},
	{name: "milli.mp4", args: pictures + quick + "-video_track_timescale 1000"},
	{name: "hevc.mp4", args: pictures + sound + "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=12:open-gop=0 -c:a aac"},
	{name: "hevc-open.mp4", args: pictures + "-c:v libx265 -preset ultrafast -tag:v hvc1 -x265-params log-level=none:keyint=12:open-gop=1"},
	{name: "many.mov", args: pictures + sound + "-f lavfi -i sine=r=44100:d=2:f=600 -map 0 -map 1 -map 2 " + quick + "-c:a aac -timecode 01:00:00:00"},
	{name: "turned.mov", args: both + "-metadata:s:v rotate=90"},
	{name: "mpeg4.mp4", args: pictures + "-c:v mpeg4 -bf 2 -g 12"},
	{name: "vp9.mp4", args: pictures + "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 12"},
	{name: "av1.mp4", args: "-f lavfi -i testsrc2=s=128x128:r=25:d=1 -c:v libsvtav1 -preset 12 -g 12"},
	{name: "mjpeg.mov", args: pictures + "-c:v mjpeg"},
	{name: "late-mp3.mp4", args: pictures + "-itsoffset 0.45 " + sound + quick + "-c:a libmp3lame"},
	{name: "late-plain.mp4", args: pictures + "-itsoffset 0.45 " + sound + "-c:v libx264 -bf 0 -preset ultrafast -g 12 -c:a ac3"},
	{name: "lone.mp4", args: pictures + quick + "-frames:v 1"},
	{name: "two.mp4", args: pictures + quick + "-frames:v 2"},
	{name: "remux-24.mp4", args: "-i SRC -c copy", from: "MKV -f lavfi -i testsrc2=s=64x36:r=24:d=2 " + quick},
	{name: "remux-vfr.mp4", args: "-i SRC -c copy", from: "MKV " + pictures + quick + vfr},
	{name: "pcm.mov", args: pictures + sound + quick + "-c:a pcm_s16le"},
	{name: "pcm24.mov", args: pictures + "-itsoffset 0.45 " + sound + quick + "-ac 2 -c:a pcm_s24le"},
	{name: "pcm-float.mov", args: pictures + sound + quick + "-ac 6 -c:a pcm_f32le -movflags +faststart"},
	{name: "pcm-mulaw.mov", args: pictures + "-f lavfi -i sine=r=8000:d=2 " + quick + "-c:a pcm_mulaw"},
	{name: "pcm-big.mov", args: pictures + sound + quick + "-c:a pcm_s16be"},
	{name: "pcm-8.mov", args: pictures + sound + quick + "-c:a pcm_u8"},
	{name: "pcm-middle.mov", args: "-ss 0.7 -i SRC -map 0 -c copy", from: "MOV " + pictures + sound + quick + "-c:a pcm_s16le"},
	{name: "camera.mp4", args: camera("20.013") + quick + "-video_track_timescale 600", guessed: 20},
	{name: "camera-fast.mp4", args: camera("19.97") + quick + "-video_track_timescale 600", guessed: 20},
	{name: "camera-hevc.mov", args: camera("10.004") + "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=24:open-gop=0 -video_track_timescale 600", guessed: 20},
	{name: "prores.mov", args: pictures + "-c:v prores_ks -profile:v 0"},
	{name: "mp3.mp4", args: pictures + sound + quick + "-c:a libmp3lame"},
	{name: "ac3.mp4", args: pictures + sound + quick + "-c:a ac3"},
	{name: "alac.mov", args: pictures + sound + quick + "-c:a alac"},
	{name: "flac.mp4", args: pictures + sound + quick + "-c:a flac -strict -2"},
	{name: "opus.mp4", args: pictures + sound + quick + "-c:a libopus -strict -2"},
	{name: "mono44.mp4", args: pictures + "-f lavfi -i sine=r=44100:d=2 " + quick + "-c:a aac"},
	{name: "only.m4a", args: sound + "-c:a aac"},
	{name: "subtitles.mp4", args: pictures + sound + "-i SUB -map 0 -map 1 -map 2 " + quick + "-c:a aac -c:s mov_text"},
	{name: "middle.mp4", args: "-ss 0.7 -i SRC -map 0 -c copy", from: both},
	{name: "middle-open.mp4", args: "-ss 0.7 -i SRC -c copy", from: pictures + open, whole: true},
	{name: "middle-plain.mp4", args: "-ss 0.7 -i SRC -c copy", from: pictures + "-c:v libx264 -preset ultrafast -bf 0 -g 12"},
	{name: "short.mp4", args: "-i SRC -t 1.1 -map 0 -c copy", from: both},
	{name: "long-audio.mp4", args: pictures + "-f lavfi -i sine=r=48000:d=3 " + quick + "-c:a aac"},
	{name: "remux.mp4", args: "-i SRC -c copy", from: "MKV " + both},
	{name: "remux-ntsc.mp4", args: "-i SRC -c copy", from: "MKV -f lavfi -i testsrc2=s=64x36:r=30000/1001:d=2 " + sound + quick + "-c:a aac"},
}

// made are the paths of films that were made, by name; removed by TestMain.
var made = map[string]string{}

// camera is pictures whose clock is off, with so many ticks of 1/600 s each on
// average.
func camera(ticks string) string {
	return "-f lavfi -i testsrc2=s=64x36:r=30:d=4 -vf settb=1/600,setpts='floor(N*" + ticks + "+random(0)*0.9)' -enc_time_base 1/600 -fps_mode passthrough "
}

// make makes the film, once, and gives its path.
func (f film) make(t testing.TB) string {
	t.Helper()
	if made[f.name] == "" {
		made[f.name] = f.write(t)
	}
	return made[f.name]
}

func (f film) write(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(studio, "")
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Fields(f.args)
	source := filepath.Join(dir, "source.mp4")
	from, isMatroska := strings.CutPrefix(f.from, "MKV ")
	if isMatroska {
		source = filepath.Join(dir, "source.mkv")
	}
	if rest, isQuickTime := strings.CutPrefix(from, "MOV "); isQuickTime {
		from, source = rest, filepath.Join(dir, "source.mov")
	}
	if f.from != "" {
		mediatest.FFmpeg(t, append(strings.Fields(from), source)...)
	}
	subtitles := filepath.Join(dir, "s.srt")
	if err := os.WriteFile(subtitles, []byte("1\n00:00:00,300 --> 00:00:01,200\nHello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range args {
		args[i] = strings.NewReplacer("SRC", source, "SUB", subtitles).Replace(args[i])
	}
	path := filepath.Join(dir, f.name)
	mediatest.FFmpeg(t, append(args, path)...)
	return path
}

// moov cuts the moov box out of a file.
func moov(t testing.TB, file []byte) []byte {
	t.Helper()
	for at := 0; at+8 <= len(file); {
		size := int(binary.BigEndian.Uint32(file[at:]))
		if size < 8 {
			break
		}
		if string(file[at+4:at+8]) == "moov" {
			return file[at : at+size]
		}
		at += size
	}
	t.Fatal("no moov box")
	return nil
}

// readMovie reads a film's moov box.
func readMovie(t testing.TB, path string) *tap.Movie {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := tap.ReadMovie(moov(t, file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// packets are the lines of ffprobe on each stream's packets.
func packets(t testing.TB, path string) map[int][]string {
	t.Helper()
	out := mediatest.FFprobe(t, "-show_entries", "packet=stream_index,pts,dts,size,pos,flags", "-of", "compact=p=0", "-i", path)
	all := map[int][]string{}
	for line := range bytes.Lines(out) {
		text := strings.TrimSpace(string(line))
		index, rest, _ := strings.Cut(strings.TrimPrefix(text, "stream_index="), "|")
		if n, err := strconv.Atoi(index); err == nil && strings.HasPrefix(rest, "pts=") {
			rest, _, _ = strings.Cut(rest, "|side_data")
			all[n] = append(all[n], strings.TrimSuffix(rest, "|"))
		}
	}
	return all
}

func line(s tap.Sample) string {
	flags := []byte("__")
	if s.Key {
		flags[0] = 'K'
	}
	if s.Hidden {
		flags[1] = 'D'
	}
	return fmt.Sprintf("pts=%d|dts=%d|size=%d|pos=%d|flags=%s", s.PTS, s.DTS, s.Size, s.Pos, flags)
}

// TestSamplesAreThoseOfFFprobe: what the moov box tells is what ffprobe finds
// in the whole file.
func TestSamplesAreThoseOfFFprobe(t *testing.T) {
	for _, f := range corpus {
		t.Run(f.name, func(t *testing.T) {
			path := f.make(t)
			m, want := readMovie(t, path), packets(t, path)
			for i := range m.Tracks {
				track := &m.Tracks[i]
				if track.Err != nil {
					t.Errorf("track %d (%s): %v", i, track.Codec, track.Err)
					continue
				}
				sameLines(t, i, track.Samples, want[i])
			}
		})
	}
}

func sameLines(t *testing.T, track int, got []tap.Sample, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("track %d: %d samples, want %d", track, len(got), len(want))
	}
	wrong := 0
	for i := range min(len(got), len(want)) {
		if line(got[i]) != want[i] && wrong < 5 {
			t.Errorf("track %d, sample %d: %s, want %s", track, i, line(got[i]), want[i])
			wrong++
		}
	}
}
