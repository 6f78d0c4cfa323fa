package ffmpeg

import (
	"strconv"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/process"
)

// What a source may ask for. Larger ones are refused with a sentence.
const (
	MaxPixels  = 8192 * 4320 // of one picture
	MaxStreams = 64          // in one file
	maxAlloc   = 600_000_000 // bytes of one block in ffmpeg and ffprobe
)

// formats are the demuxers that may read a source. Those that open other
// files or addresses (hls, dash, concat, image2, sdp) are not among them: a
// protocol allow-list alone lets a playlist named .mp4 read its neighbours.
var formats = []string{
	"mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "flv",
	"mpegts", "mpeg", "mpegvideo", "asf", "ogg", "wav", "w64", "aiff", "caf", "mp3",
	"aac", "flac", "mxf", "ac3", "eac3", "dv", "amr",
}

// videoCodecs and audioCodecs are the codecs of sources, by ffmpeg's names.
var (
	videoCodecs = []string{
		"h264", "hevc", "av1", "vp8", "vp9", "mpeg1video", "mpeg2video", "mpeg4",
		"msmpeg4v2", "msmpeg4v3", "wmv1", "wmv2", "wmv3", "vc1", "flv1", "h263", "mjpeg",
		"prores", "dnxhd", "dvvideo", "ffv1", "png", "theora", "rawvideo",
	}
	audioCodecs = []string{
		"aac", "aac_latm", "mp3", "mp2", "mp1", "ac3", "eac3", "dts", "opus", "vorbis",
		"flac", "alac", "wmav1", "wmav2", "wmapro", "amr_nb", "amr_wb",
		"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be",
		"pcm_f32le", "pcm_f64le", "pcm_u8", "pcm_s8", "pcm_mulaw", "pcm_alaw",
		"pcm_bluray", "pcm_dvd", "adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt",
	}
)

// decoders are those whose names differ from their codecs', and the decoders
// of subtitles: without these ffprobe fails on files that have subtitles.
var decoders = []string{
	"libdav1d", "libaom-av1", "libvpx", "libvpx-vp9", "msmpeg4", "flv", "mp3float",
	"mp2float", "mp1float", "dca", "libopus", "libvorbis", "amrnb", "amrwb",
	"srt", "subrip", "ass", "ssa", "mov_text", "webvtt", "text", "dvdsub", "dvbsub",
	"pgssub", "cc_dec",
}

// InputArgs are the arguments with which ffmpeg opens a source: what it may
// read it with, and the source itself, which is never taken for another
// protocol or an option. It is a file, or the loopback address of one that is
// still arriving. They end with "-i" and the source.
func InputArgs(source string) []string {
	return append([]string{"-nostdin"}, guarded(source)...)
}

// PipedArgs are the arguments with which ffmpeg reads a source from its
// standard input, with the demuxer of a name and no other. They end with "-i"
// and the input.
func PipedArgs(format string) []string {
	return append(guards("pipe"), "-format_whitelist", format, "-f", format, "-i", "pipe:0")
}

// Demuxer is the name of the demuxer that read a source.
func Demuxer(facts spool.Facts) string {
	name, _, _ := strings.Cut(facts.Format, ",")
	return name
}

// loopback is how the addresses of arriving sources begin. No path does:
// those are absolute.
const loopback = "http://127.0.0.1:"

// guarded are the input options that ffmpeg and ffprobe share, and the source.
func guarded(source string) []string {
	if strings.HasPrefix(source, loopback) {
		// What is read ahead only to learn more must not wait for what has not
		// arrived: a second tells as much where a movie's index tells the rest.
		// A small receive buffer makes it seek over gaps instead of reading them.
		return append(guards("http,tcp"), "-analyzeduration", "1000000", "-recv_buffer_size", "65536", "-i", source)
	}
	return append(guards("file"), "-i", "file:"+source)
}

func guards(protocols string) []string {
	codecs := append(append(append([]string(nil), videoCodecs...), audioCodecs...), decoders...)
	return []string{
		"-max_alloc", strconv.Itoa(maxAlloc),
		"-protocol_whitelist", protocols,
		"-format_whitelist", strings.Join(formats, ","),
		"-codec_whitelist", strings.Join(codecs, ","),
		"-max_streams", strconv.Itoa(MaxStreams),
		"-max_pixels", strconv.Itoa(MaxPixels),
	}
}

// Limits are what the kernel allows an encoder: 12 GB of addresses (threads
// and reference pictures reserve more than they use), no file above 8 GB and
// twelve hours of processor time.
func Limits() process.Limits {
	return process.Limits{
		AddressSpace: 12 << 30, FileSize: 8 << 30, CPUSeconds: 12 * 3600, OpenFiles: 256,
	}
}

// probeLimits are tighter: reading facts needs no pictures in memory.
func probeLimits() process.Limits {
	return process.Limits{AddressSpace: 3 << 30, FileSize: 1, CPUSeconds: 1800, OpenFiles: 256}
}
