package rules_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/rules"
	"github.com/spool-video/spool/internal/stage/finish"
	"github.com/spool-video/spool/internal/survey"
	"github.com/spool-video/spool/internal/survey/m3u8"
	"github.com/spool-video/spool/internal/survey/stream"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

// files are a package in memory, by name below its root's folder.
type files map[string][]byte

// Read implements survey.Source.
func (f files) Read(_ context.Context, at *url.URL, part *m3u8.Range, _ int64) ([]byte, survey.File, error) {
	b, there := f[strings.TrimPrefix(at.Path, "/")]
	if !there {
		return nil, survey.File{}, &spool.Error{Code: "unreadable", Reason: "it is not there"}
	}
	if part != nil {
		if part.Offset+part.Length > int64(len(b)) {
			return nil, survey.File{}, &spool.Error{Code: "unreadable", Reason: "it ends within the byte range"}
		}
		b = b[part.Offset : part.Offset+part.Length]
	}
	return b, survey.File{Size: int64(len(b))}, nil
}

// survey reads the package; decoding is for those who need it.
func (f files) survey(t testing.TB, root string, decode bool) *survey.Package {
	t.Helper()
	o := survey.Options{Keys: f.keys}
	if decode {
		o.Decode = func(ctx context.Context, c stream.Container, media []byte) (map[stream.Kind]int, error) {
			format := map[stream.Container]string{stream.MP4: "mp4", stream.TS: "mpegts", stream.Packed: "aac", stream.AnnexB: "h264"}[c]
			counts, err := ffmpeg.Decode(ctx, ffmpeg.Tools{FFmpeg: "ffmpeg"}, format, media)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", survey.ErrUndecodable, err)
			}
			return map[stream.Kind]int{stream.Video: counts["video"], stream.Audio: counts["audio"]}, nil
		}
	}
	p, err := survey.Read(t.Context(), f, root, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// keys gives the key that lies in the package, or that of all of own's.
func (f files) keys(_ context.Context, uri string) ([]byte, error) {
	if b, there := f[uri]; there {
		return b, nil
	}
	return verifytest.Key, nil
}

// names are the rules that findings are of: "M60", "S9".
func names(found []rules.Finding) []string {
	var all []string
	for _, f := range found {
		all = append(all, fmt.Sprintf("%c%d", f.Level[0], f.Rule))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// The packages that tests share, made once each.
var (
	making sync.Mutex
	made   = map[string]files{} // owned by making
)

func shared(t testing.TB, name string, build func(testing.TB) files) files {
	t.Helper()
	making.Lock()
	defer making.Unlock()
	if made[name] == nil {
		made[name] = build(t)
	}
	return maps.Clone(made[name])
}

// own is a package as Spool publishes it, below "vid/".
func own(t testing.TB, o verifytest.Options) files {
	t.Helper()
	return shared(t, fmt.Sprint("own ", o), func(t testing.TB) files {
		m := verifytest.NewMemory()
		job := verifytest.Job(t, m, o)
		if _, err := (finish.Stage{Store: m, Version: "test"}).Run(t.Context(), job, func(spool.Progress) {}); err != nil {
			t.Fatal(err)
		}
		f := files{}
		for _, name := range m.Names() {
			f[strings.TrimPrefix(name, verifytest.Video+"/")] = m.Bytes(name)
		}
		return f
	})
}

// Names in packages of own and rich.
const (
	master = "master.m3u8"
	large  = "r1/v1-180p/index.m3u8"
	small  = "r1/v0-90p/index.m3u8"
	sound  = "r1/a0-en/index.m3u8"
	tricks = "r1/v1-180p/iframes.m3u8" // of ranges, when clear
	stills = "r1/v0-90p/iframes.m3u8"  // of objects, when encrypted
	words  = "r1/s0-en/index.m3u8"
)

// rich is a package with what HLS has and Spool does not publish yet:
// subtitles.
func rich(t testing.TB) files {
	t.Helper()
	base := own(t, verifytest.Options{Language: "en"})
	return shared(t, "rich", func(t testing.TB) files {
		f := maps.Clone(base)
		f.addSubtitles(t)
		return f
	})
}

// addSubtitles writes a cue over each segment boundary.
func (f files) addSubtitles(t testing.TB) {
	var list strings.Builder
	list.WriteString("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE:VOD\n")
	for i, d := range []float64{1, 1, 1, 0.4} {
		name := fmt.Sprintf("%d.vtt", i)
		text := "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n"
		for _, boundary := range []int{i, i + 1} {
			if boundary > 0 && boundary < 4 {
				text += fmt.Sprintf("00:00:%02d.800 --> 00:00:%02d.200\nboundary %d\n\n", boundary-1, boundary, boundary)
			}
		}
		f[path.Join(path.Dir(words), name)] = []byte(text)
		fmt.Fprintf(&list, "#EXTINF:%.6f,\n%s\n", d, name)
	}
	f[words] = []byte(list.String() + "#EXT-X-ENDLIST\n")
	f.replace(t, master, "#EXT-X-STREAM-INF:", `#EXT-X-STREAM-INF:SUBTITLES="subs",`)
	f.replace(t, master, "#EXT-X-INDEPENDENT-SEGMENTS\n", "#EXT-X-INDEPENDENT-SEGMENTS\n"+
		`#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,URI="`+words+"\"\n")
}

// replace changes a playlist, and fails when there is nothing to change.
func (f files) replace(t testing.TB, name, before, after string) {
	t.Helper()
	if !bytes.Contains(f[name], []byte(before)) {
		t.Fatalf("%s does not hold %q:\n%s", name, before, f[name])
	}
	f[name] = bytes.ReplaceAll(f[name], []byte(before), []byte(after))
}

// segment is the name of a segment of a playlist; negative ones count from the
// end.
func (f files) segment(list string, i int) string {
	segments := m3u8.Read(f[list]).Segments
	if i < 0 {
		i += len(segments)
	}
	return path.Join(path.Dir(list), segments[i].URI)
}

// init is the name of a playlist's init section.
func (f files) init(list string) string {
	return path.Join(path.Dir(list), m3u8.Read(f[list]).Segments[0].Map.URI)
}

// clone is a package whose files may be replaced, or edited.
func (f files) clone() files { return maps.Clone(f) }

// edit changes a copy of a file's bytes.
func (f files) edit(name string, change func([]byte) []byte) {
	f[name] = change(bytes.Clone(f[name]))
}

// arguments splits a command line at spaces; "{}" is the folder, and "~" a
// space within an argument.
func arguments(line, dir string) []string {
	args := strings.Fields(strings.ReplaceAll(line, "{}", dir))
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "~", " ")
	}
	return args
}

// muxed makes a package by ffmpeg.
func muxed(t testing.TB, input, args string) files {
	t.Helper()
	return shared(t, "ffmpeg "+input+args, func(t testing.TB) files {
		dir, err := os.MkdirTemp("", "spool-rules")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		if err := os.WriteFile(filepath.Join(dir, "k.key"), verifytest.Key, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "keyinfo"), []byte("k.key\n"+filepath.Join(dir, "k.key")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "cues.srt"), []byte("1\n00:00:01,000 --> 00:00:03,000\nA cue.\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		mediatest.FFmpeg(t, arguments(input+args, dir)...)
		f := files{}
		all, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if f[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
		return f
	})
}
