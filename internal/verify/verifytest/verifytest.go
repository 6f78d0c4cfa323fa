// Package verifytest makes the segments of small real videos, as encode and
// audio jobs would have published them, for tests of what comes after.
package verifytest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/cmaf"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/verify"
	"github.com/spool-video/spool/internal/wrap"
)

// Options say what to make. The zero value is two clear rungs of 25 frames per
// second with sound, 3.4 seconds in four segments.
type Options struct {
	Rate      spool.Ratio
	Encrypted bool
	TS        bool // in MPEG-TS
	Silent    bool // no sound
	NoVideo   bool // sound alone
	Language  string
	KeyURI    string // of encrypted ones; KeyURI when empty
}

// The names that the job has.
const (
	Video    = "vid"
	Revision = "r1"
	KeyID    = "k1"
	KeyURI   = "https://keys.example.com/vid/k1.key"
)

// Key is the content key of encrypted packages.
var Key = []byte("0123456789abcdef")

const (
	sampleRate = 48000
	seconds    = 3.4
)

// raw is one encoded rendition in pieces, kept for the tests of a process.
type raw struct {
	config    []byte
	fragments []cmaf.Fragment // one a segment
}

// endings are those of segments' names, by content type.
var endings = map[string]string{"video/iso.segment": "m4s", "video/mp2t": "ts", "audio/aac": "aac"}

var encoded struct {
	sync.Mutex
	raw map[string]raw // owned by the mutex
}

// Job puts the segments into s and gives the finish job for them.
func Job(t testing.TB, s store.Store, o Options) spool.Job {
	t.Helper()
	if !o.Rate.Known() {
		o.Rate = spool.Ratio{Num: 25, Den: 1}
	}
	job := spool.Job{
		JobKey: spool.JobKey{Video: Video, Revision: Revision, Kind: spool.Finish},
		Source: "https://user:secret@example.com/a/clip.mp4?token=secret", Canonical: "https://example.com/a/clip.mp4",
		Title: "A clip", Settings: spool.Settings{Ladder: "default", Preset: "ultrafast", Encrypt: o.Encrypted},
		Fetched: &spool.Fetched{}, Plan: &spool.Plan{Grid: spool.Grid{Target: 1}}, Made: &spool.Made{},
	}
	if o.Encrypted {
		job.Keys = spool.ContentKeys{{ID: KeyID, Bytes: Key, URI: cmp.Or(o.KeyURI, KeyURI)}}
	}
	if o.TS {
		job.Settings.Container = spool.TS
	}
	if !o.NoVideo {
		pictures(t, s, &job, o.Rate)
	}
	if !o.Silent {
		sound(t, s, &job, o)
	}
	return job
}

func pictures(t testing.TB, s store.Store, job *spool.Job, rate spool.Ratio) {
	t.Helper()
	plan := job.Plan
	gop := int(rate.Float() + 0.5)
	frames := int(seconds * rate.Float())
	plan.Timeline = spool.Timeline{Rate: rate, Frames: frames, SourceFrames: frames}
	plan.Grid.GOP = gop
	for left := frames; left > 0; left -= gop {
		plan.Grid.Frames = append(plan.Grid.Frames, min(gop, left))
	}
	for i, height := range []int{180, 90} {
		name := fmt.Sprintf("v%d-%dp", 1-i, height)
		width := height * 16 / 9
		plan.Rungs = append(plan.Rungs, spool.Rung{Name: name, ShortSide: height, Width: width, Height: height, Action: spool.EncodeRung})
		r := once(fmt.Sprintf("%s %v", name, rate), func() raw { return video(t, rate, gop, width, height) })
		codec, err := cmaf.VideoCodec(r.config)
		if err != nil {
			t.Fatal(err)
		}
		timescale, _, err := cmaf.Timescale(rate)
		if err != nil {
			t.Fatal(err)
		}
		add(t, s, job, r, spool.InitSection{
			Rendition: name, Codec: codec, Width: width, Height: height, Timescale: timescale, Config: r.config,
		})
	}
}

func sound(t testing.TB, s store.Store, job *spool.Job, o Options) {
	t.Helper()
	plan := job.Plan
	ends := []float64{1, 2, 3, seconds}
	if frames := plan.Grid.Frames; len(frames) > 0 {
		ends = nil
		total := 0
		for _, n := range frames {
			total += n
			ends = append(ends, float64(total)/o.Rate.Float())
		}
	}
	before := 0
	for _, end := range ends {
		packets := int(end*sampleRate/cmaf.PacketSamples+0.5) + 1
		plan.Grid.Packets = append(plan.Grid.Packets, packets-before)
		before = packets
	}
	plan.Grid.PrimingSamples = cmaf.PacketSamples
	plan.Timeline.Samples = int64(before-1) * cmaf.PacketSamples
	name := "a0-und"
	if o.Language != "" {
		name = "a0-" + o.Language
	}
	plan.Sounds = []spool.Sound{{Name: name, Language: o.Language, SampleRate: sampleRate, Channels: 2, BitRate: 128000}}
	r := once(fmt.Sprint("sound", plan.Grid.Packets), func() raw { return audio(t, plan.Grid.Packets) })
	codec, err := cmaf.AudioCodec(r.config)
	if err != nil {
		t.Fatal(err)
	}
	add(t, s, job, r, spool.InitSection{Rendition: name, Codec: codec, Timescale: sampleRate, Config: r.config})
}

// add publishes a rendition and says so in the job.
func add(t testing.TB, s store.Store, job *spool.Job, r raw, init spool.InitSection) {
	t.Helper()
	folder := job.Revision + "/" + init.Rendition
	track := wrap.Track{
		Container: job.Settings.Container, Video: init.Width > 0, Config: r.config, Timescale: init.Timescale, Priming: cmaf.PacketSamples,
	}
	section, err := track.Init()
	if err != nil {
		t.Fatal(err)
	}
	if section != nil {
		init.Object = put(t, s, folder+"/init-%s.mp4", "video/mp4", section)
	}
	job.Made.Inits = append(job.Made.Inits, init)
	for i, f := range r.fragments {
		plain, err := track.Segment(f)
		if err != nil {
			t.Fatal(err)
		}
		body := plain
		if key := job.Keys.Of(i); key != nil {
			if body, err = keys.Encrypt(key.Bytes, init.Rendition, i, plain); err != nil {
				t.Fatal(err)
			}
		}
		segment := spool.Segment{
			Object:    put(t, s, fmt.Sprintf("%s/%05d-%%s.%s", folder, i, endings[track.Type()]), track.Type(), body),
			Rendition: init.Rendition, Number: i, Units: len(f.Samples), Plain: verify.Sum(plain),
		}
		if init.Width > 0 {
			segment.KeyFrames = 1
			segment.IFrames = stills(t, s, job, segment, plain)
		}
		job.Made.Segments = append(job.Made.Segments, segment)
	}
}

// stills are the I-frames of a segment: ranges, or objects of the smallest rung.
func stills(t testing.TB, s store.Store, job *spool.Job, segment spool.Segment, plain []byte) []spool.IFrame {
	t.Helper()
	all, err := wrap.Track{Container: job.Settings.Container, Video: true}.IFrames(plain)
	if err != nil {
		t.Fatal(err)
	}
	key := job.Keys.Of(segment.Number)
	if key == nil {
		return all
	}
	if !strings.HasPrefix(segment.Rendition, "v0-") {
		return nil
	}
	for n := range all {
		body, err := wrap.Track{Container: job.Settings.Container, Video: true}.Still(plain, all[n])
		if err == nil {
			body, err = keys.Encrypt(key.Bytes, keys.Still(segment.Rendition, n), segment.Number, body)
		}
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%s/%s/iframe-%05d-%d-%%s.m4s", job.Revision, segment.Rendition, segment.Number, n)
		o := put(t, s, name, "video/iso.segment", body)
		all[n].Object = &o
	}
	return all
}

func put(t testing.TB, s store.Store, name, kind string, content []byte) spool.Object {
	t.Helper()
	sum := verify.Sum(content)
	o := spool.Object{Name: fmt.Sprintf(name, sum[:8]), Size: int64(len(content)), SHA256: sum, Type: kind}
	if err := s.Put(context.Background(), Video+"/"+o.Name, bytes.NewReader(content), store.PutOptions{ContentType: kind}); err != nil {
		t.Fatal(err)
	}
	return o
}

func once(name string, encode func() raw) raw {
	encoded.Lock()
	defer encoded.Unlock()
	if r, ok := encoded.raw[name]; ok {
		return r
	}
	if encoded.raw == nil {
		encoded.raw = map[string]raw{}
	}
	encoded.raw[name] = encode()
	return encoded.raw[name]
}

func video(t testing.TB, rate spool.Ratio, gop, width, height int) raw {
	t.Helper()
	timescale, frame, err := cmaf.Timescale(rate)
	if err != nil {
		t.Fatal(err)
	}
	args := "-f lavfi -i testsrc2=size=%dx%d:rate=%d/%d -frames:v %d -c:v libx264 -preset veryfast -bf 2 -pix_fmt yuv420p " +
		"-x264-params keyint=%d:min-keyint=%d:scenecut=0:open-gop=0 -video_track_timescale %d " +
		"-movflags +frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets -f mp4 pipe:1"
	frames := int(seconds * rate.Float())
	args = fmt.Sprintf(args, width, height, rate.Num, rate.Den, frames, gop, gop, timescale)
	in := cmaf.NewReader(bytes.NewReader(mediatest.FFmpeg(t, strings.Fields(args)...)))
	track, err := in.Init()
	if err != nil {
		t.Fatal(err)
	}
	r := raw{config: track.Config}
	decode := uint64(0)
	for {
		f, err := in.Next()
		if errors.Is(err, io.EOF) {
			return r
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range f.Samples {
			f.Samples[i].Duration = uint32(frame)
		}
		f.Sequence, f.Decode = uint32(2*len(r.fragments)+1), decode
		decode += uint64(len(f.Samples) * frame)
		r.fragments = append(r.fragments, f)
	}
}

func audio(t testing.TB, packets []int) raw {
	t.Helper()
	args := "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=5 -ac 2 -c:a aac -b:a 128k -f adts pipe:1"
	in := cmaf.NewADTS(bytes.NewReader(mediatest.FFmpeg(t, strings.Fields(args)...)))
	var r raw
	at := 0
	for i, n := range packets {
		f := cmaf.Fragment{Sequence: uint32(i + 1), Decode: uint64(at * cmaf.PacketSamples)}
		for range n {
			packet, err := in.Next()
			if err != nil {
				t.Fatal(err)
			}
			f.Samples = append(f.Samples, cmaf.Sample{Duration: cmaf.PacketSamples, Sync: true, Data: bytes.Clone(packet)})
		}
		at += n
		r.fragments = append(r.fragments, f)
	}
	r.config = in.Config()
	return r
}
