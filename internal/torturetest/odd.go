package torturetest

import (
	"bytes"
	"testing"
)

// What most sources have.
const (
	pictures = "-f lavfi -i testsrc2=s=160x90:r=25:d=2 "
	tone     = "-f lavfi -i sine=f=440:r=44100:d=2 "
	both     = pictures + tone
	x264     = " -c:v libx264 -preset ultrafast -pix_fmt yuv420p "
	aac      = " -c:a aac -b:a 64k "
	plain    = both + x264 + aac
	mpegts   = x264 + aac + "-muxdelay 0 -f mpegts "
	// quarters is red, green, blue and white, from the top left by rows.
	quarters = "-f lavfi -i color=red:s=80x44:r=25:d=1 -f lavfi -i color=lime:s=80x44:r=25:d=1 -f lavfi -i color=blue:s=80x44:r=25:d=1 -f lavfi -i color=white:s=80x44:r=25:d=1" +
		" -filter_complex [0][1]hstack[a];[2][3]hstack[b];[a][b]vstack "
	hdr = "log-level=none:colorprim=bt2020:colormatrix=bt2020nc:transfer="
)

// parts are what inputs are made of and are none themselves. The neighbour is
// what hostile ones want.
func parts() []Input {
	return []Input{
		{Name: "neighbour.ts", make: encoded(both + mpegts)},
		{Name: "part.ts", make: encoded(both + "-g 10" + mpegts)},
		{Name: "part-large.ts", make: encoded("-f lavfi -i testsrc2=s=192x108:r=25:d=2 " + tone + x264 + aac + "-muxdelay 0 -output_ts_offset 2 -f mpegts")},
		{Name: "part-upright.ts", make: encoded("-f lavfi -i testsrc2=s=90x160:r=25:d=2 " + tone + x264 + aac + "-muxdelay 0 -output_ts_offset 2 -f mpegts")},
		{Name: "part-mono.ts", make: encoded(tone + "-ac 1" + aac + "-muxdelay 0 -f mpegts")},
		{Name: "part-surround.ts", make: encoded("-f lavfi -i anoisesrc=r=48000:a=0.1:d=2 -ac 6 -c:a aac -muxdelay 0 -output_ts_offset 2 -f mpegts")},
		{Name: "part.srt", make: text("1\n00:00:00,200 --> 00:00:01,000\nHello <b>bold</b> & <script>alert(1)</script>\n\n2\n00:00:01,000 --> 00:00:01,900\n日本語 العربية\n")},
		{Name: "part-pcm.avi", make: encoded(both + "-c:v mpeg4 -c:a pcm_s16le")},
		{Name: "part.ttf", make: written(zeros(20_000))},
		{Name: "part-chapters.txt", make: chapters},
		{Name: "part.wav", make: encoded("-f lavfi -i anullsrc=r=8000:cl=mono:d=0.3 -c:a pcm_mulaw")},
		{Name: "part-large.png", make: encoded("-f lavfi -i color=black:s=16000x16000:r=1:d=1,format=monob -frames:v 1 -c:v png -f image2 -update 1")},
		{Name: "part-cover.jpg", make: encoded("-f lavfi -i color=red:s=64x64 -frames:v 1 -f image2 -update 1")},
		{Name: "part.png", make: encoded("-f lavfi -i color=red:s=16x16 -frames:v 1 -f image2 -update 1")},
		{Name: "part-still.jpg", make: encoded("-f lavfi -i color=blue:s=64x64 -frames:v 1 -f image2 -update 1")},
		{Name: "part-fragments.mp4", make: encoded("-i {control.mp4} -c copy -movflags frag_keyframe+empty_moov")},
	}
}

func chapters(t testing.TB, _ *Workshop, path string) {
	var b bytes.Buffer
	b.WriteString(";FFMETADATA1\n")
	for i := range 1000 {
		at := string(rune('0' + i%10))
		b.WriteString("[CHAPTER]\nTIMEBASE=1/1000\nSTART=" + at + "\nEND=9\ntitle=<b>" + at + "\n")
	}
	write(t, path, b.Bytes())
}

// odd are containers, codecs and pictures.
func odd() []Input {
	return []Input{
		{"control.mp4", Odd, film(160, 90, 50, "25"), encoded(plain + "-g 25")},
		{"faststart.mp4", Odd, film(160, 90, 50, "25"), encoded("-i {control.mp4} -c copy -movflags +faststart")},
		{"fragments.mp4", Odd, film(160, 90, 50, "25").about(1), encoded("-i {control.mp4} -c copy -movflags frag_keyframe+empty_moov+default_base_moof")},
		{"large-mdat.mp4", Odd, film(160, 90, 50, "25"), edited("control.mp4", wideMdat)},
		{"garbage-behind.mp4", Odd, film(160, 90, 50, "25"), edited("control.mp4", func(b []byte) []byte { return append(b, noise(5000)...) })},
		{"mov-no-ftyp.mov", Odd, film(160, 90, 50, "25"), edited("faststart.mp4", renamed("ftyp", "wide"))},
		{"bframes.mp4", Odd, film(160, 90, 50, "25"), encoded(both + "-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 50 -bf 3" + aac)},
		{"control.mkv", Odd, film(160, 90, 50, "25"), encoded("-i {control.mp4} -c copy")},
		{"live.mkv", Odd, film(160, 90, 50, "25"), encoded("-i {control.mp4} -c copy -f matroska -live 1")},
		{"vp9-opus.webm", Odd, film(160, 90, 50, "25"), encoded(both + "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus")},
		{"vp8-vorbis.webm", Odd, film(160, 90, 50, "25"), encoded(both + "-c:v libvpx -deadline realtime -cpu-used 8 -c:a libvorbis")},
		{"av1-opus.mp4", Odd, film(160, 90, 25, "25"), encoded(both + "-t 1 -c:v libaom-av1 -cpu-used 8 -usage realtime -c:a libopus -f mp4")},
		{"mpeg4-mp3.avi", Odd, film(160, 90, 51, "25").about(1), encoded(both + "-c:v mpeg4 -c:a libmp3lame")},
		{"rawvideo.avi", Odd, silent(160, 90, 10, "25"), encoded(pictures + "-frames:v 10 -c:v rawvideo -pix_fmt yuv420p")},
		{"h264-aac.ts", Odd, film(160, 90, 50, "25"), encoded("-i {control.mp4} -c copy -f mpegts")},
		{"mpeg2.ts", Odd, film(160, 90, 50, "25"), encoded(both + "-c:v mpeg2video -q:v 3 -c:a mp2 -f mpegts")},
		{"disc.m2ts", Odd, film(160, 90, 50, "25"), encoded("-i {control.mp4} -c copy -mpegts_m2ts_mode 1 -f mpegts")},
		{"hevc.ts", Odd, silent(160, 90, 50, "25"), encoded(pictures + "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params log-level=none -f mpegts")},
		{"mpeg2.mpg", Odd, film(160, 90, 50, "25"), encoded(both + "-c:v mpeg2video -q:v 3 -c:a mp2 -f vob")},
		{"sorenson.flv", Odd, film(160, 90, 50, "25"), encoded(both + "-c:v flv1 -ar 22050 -c:a libmp3lame")},
		{"h264.flv", Odd, film(160, 90, 50, "25"), encoded("-i {control.mp4} -c copy")},
		{"wmv.wmv", Odd, film(160, 90, 50, "25"), encoded(both + "-c:v wmv2 -c:a wmav2")},
		{"theora.ogv", Odd, film(160, 96, 50, "25"), encoded("-f lavfi -i testsrc2=s=160x96:r=25:d=2 " + tone + "-c:v libtheora -c:a libvorbis")},
		{"hevc.mp4", Odd, silent(160, 90, 50, "25"), encoded(pictures + "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -tag:v hvc1 -x265-params log-level=none")},
		{"hdr10.mp4", Odd, silent(160, 90, 25, "25"), encoded(pictures + "-t 1 -c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -tag:v hvc1 -x265-params " + hdr + "smpte2084:hdr10=1:max-cll=1000,400:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)")},
		{"hlg.mkv", Odd, silent(160, 90, 25, "25"), encoded(pictures + "-t 1 -c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params " + hdr + "arib-std-b67")},
		{"high10.mkv", Odd, silent(160, 90, 50, "25"), encoded(pictures + "-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le")},
		{"high444.mp4", Odd, silent(160, 90, 50, "25"), encoded(pictures + "-c:v libx264 -preset ultrafast -pix_fmt yuv444p")},
		{"rgb.mkv", Odd, silent(160, 90, 50, "25"), encoded(pictures + "-c:v libx264rgb -preset ultrafast -pix_fmt rgb24")},
		{"gray.mp4", Odd, silent(160, 90, 50, "25"), encoded(pictures + "-c:v libx264 -preset ultrafast -pix_fmt gray")},
		{"prores.mov", Odd, film(160, 90, 12, "25"), encoded(both + "-t 0.48 -c:v prores_ks -profile:v 3 -pix_fmt yuv422p10le -c:a pcm_s24le")},
		{"dnxhr.mxf", Odd, silent(256, 144, 10, "25"), encoded("-f lavfi -i testsrc2=s=256x144:r=25 -frames:v 10 -c:v dnxhd -profile:v dnxhr_lb -pix_fmt yuv422p")},
		{"full-range.mov", Odd, silent(160, 90, 25, "25"), encoded(pictures + "-t 1 -c:v mjpeg -pix_fmt yuvj422p -color_range pc")},
		{"png.mov", Odd, silent(160, 90, 25, "25"), encoded(pictures + "-t 1 -c:v png")},
		{"ffv1.mkv", Odd, silent(160, 90, 25, "25"), encoded(pictures + "-t 1 -c:v ffv1")},
		{"alpha.webm", Odd, silent(160, 90, 25, "25"), encoded("-f lavfi -i testsrc2=s=160x90:r=25:d=1,format=yuva420p -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuva420p")},
		{"h263.3gp", Odd, silent(192, 144, 25, "25"), encoded("-f lavfi -i testsrc2=s=176x144:r=25:d=1 -vf setsar=12/11 -c:v h263 -f 3gp")},
		{"corners.mp4", Odd, silent(160, 88, 25, "25").cornered("RGBW"), encoded(quarters + x264)},
		{"turned-left.mp4", Odd, silent(88, 160, 25, "25").cornered("GWRB"), encoded("-i {corners.mp4} -c copy -metadata:s:v:0 rotate=90")},
		{"upside-down.mp4", Odd, silent(160, 88, 25, "25").cornered("WBGR"), encoded("-i {corners.mp4} -c copy -metadata:s:v:0 rotate=180")},
		{"turned-right.mov", Odd, silent(88, 160, 25, "25").cornered("BRWG"), encoded("-i {corners.mp4} -c copy -metadata:s:v:0 rotate=270")},
		{"mirrored.mp4", Odd, silent(160, 88, 25, "25").cornered("GRWB"), edited("corners.mp4", poke("tkhd", 40, 0xff, 0xff, 0, 0))},
		{"interlaced.ts", Odd, silent(180, 144, 25, "25"), encoded("-f lavfi -i testsrc2=s=180x144:r=50:d=1 -vf interlace=scan=tff -flags +ilme+ildct -c:v mpeg2video -q:v 3 -f mpegts")},
		{"odd-size.mkv", Odd, silent(160, 120, 25, "25"), encoded("-f lavfi -i testsrc2=s=161x121:r=25:d=1 -c:v ffv1 -pix_fmt yuv420p")},
		{"anamorphic.mp4", Odd, silent(256, 144, 25, "25"), encoded("-f lavfi -i testsrc2=s=180x144:r=25:d=1 -vf setsar=64/45" + x264)},
		{"narrow.mp4", Odd, silent(2048, 4, 10, "25"), encoded("-f lavfi -i testsrc2=s=2048x4:r=25 -frames:v 10" + x264)},
		{"tiny.mkv", Odd, silent(64, 64, 25, "25"), encoded("-f lavfi -i testsrc2=s=128x96:r=25:d=1 -vf scale=2:2,setsar=1 -c:v ffv1")},
	}
}

// wideMdat gives the media data a length in 64 bits, as cameras do.
func wideMdat(b []byte) []byte {
	at := tag(b, "mdat", 0) - 4
	if string(b[at-4:at]) != "free" {
		panic("torturetest: ffmpeg leaves no room before mdat any more")
	}
	// The free box before it, of eight bytes, makes the room.
	size := uint64(b[at])<<24 | uint64(b[at+1])<<16 | uint64(b[at+2])<<8 | uint64(b[at+3])
	copy(b[at-8:], append(append(be32(1), "mdat"...), be64(size+8)...))
	return b
}
