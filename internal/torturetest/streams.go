package torturetest

import "strings"

// streams are times, sounds and what else a file may hold.
func streams() []Input {
	return []Input{
		{"film-rate.mp4", Odd, silent(160, 90, 48, "24000/1001"), encoded("-f lavfi -i testsrc2=s=160x90:r=24000/1001 -frames:v 48" + x264)},
		{"ntsc.mkv", Odd, silent(160, 90, 60, "30000/1001"), encoded("-f lavfi -i testsrc2=s=160x90:r=30000/1001 -frames:v 60" + x264)},
		{"slow.mp4", Odd, silent(160, 90, 8, "1"), encoded("-f lavfi -i testsrc2=s=160x90:r=1 -frames:v 8" + x264)},
		{"fast.mp4", Odd, silent(160, 90, 30, "60"), encoded("-f lavfi -i testsrc2=s=160x90:r=240 -frames:v 120" + x264)},
		{"variable.mp4", Odd, silent(160, 90, 44, "15").about(2), encoded("-f lavfi -i testsrc2=s=160x90:r=30:d=3 -vf select=not(mod(n\\,3))+lt(n\\,8),setpts=PTS+0.013/TB*random(1) -fps_mode vfr" + x264)},
		{"one-frame.mp4", Odd, silent(160, 90, 1, "25"), encoded(pictures + "-frames:v 1" + x264)},
		{"tenth.mp4", Odd, film(160, 90, 3, "25"), encoded(both + x264 + aac + "-t 0.12")},
		{"one-gop.mp4", Odd, silent(128, 96, 400, "20"), encoded("-f lavfi -i testsrc2=s=128x96:r=20:d=20" + x264 + "-g 10000 -keyint_min 10000 -sc_threshold 0")},
		{"all-intra.mp4", Odd, silent(160, 90, 50, "25"), encoded(pictures + x264 + "-g 1")},
		{"open-gop.mkv", Odd, silent(160, 90, 50, "25"), encoded(pictures + "-c:v libx264 -preset veryfast -pix_fmt yuv420p -x264-params open-gop=1:keyint=20:bframes=3")},
		{"preroll.mp4", Odd, film(160, 90, 36, "25").about(2), encoded("-ss 0.55 -i {bframes.mp4} -c copy")},
		{"wrapped.ts", Odd, film(160, 90, 50, "25"), encoded("-i {control.mp4} -c copy -muxdelay 0 -output_ts_offset 95442.7 -f mpegts")},
		{"late-clock.ts", Odd, film(160, 90, 50, "25"), encoded("-i {control.mp4} -c copy -muxdelay 0 -output_ts_offset 40000 -f mpegts")},
		{"frozen.mp4", Odd, silent(160, 90, 300, "25").about(1), encoded(pictures + `-vf setpts=if(gte(N\,25)\,PTS+10/TB\,PTS) -fps_mode vfr` + x264)},
		{"restarted.ts", Odd, fails("clock-restarts"), joined("part.ts", "part.ts")},
		{"larger-later.ts", Odd, film(160, 90, 100, "").about(2), joined("part.ts", "part-large.ts")},
		{"turned-later.ts", Odd, film(160, 90, 100, "").about(2), joined("part.ts", "part-upright.ts")},
		{"sound-changes.ts", Odd, Want{Sound: true}, joined("part-mono.ts", "part-surround.ts")},
		{"midstream.ts", Odd, film(160, 90, 40, "25").about(20), edited("part.ts", func(b []byte) []byte { return b[5000:] })},
		{"sound-only.m4a", Odd, Want{Sound: true}, encoded(tone + aac)},
		{"cover.mp3", Odd, Want{Sound: true}, encoded(tone + "-i {part-cover.jpg} -map 0 -map 1 -c:a libmp3lame -c:v copy -id3v2_version 3 -disposition:v attached_pic")},
		{"silent.mp4", Odd, silent(160, 90, 50, "25"), encoded("-i {control.mp4} -an -c copy")},
		{"eight-tracks.mp4", Odd, film(160, 90, 50, "25"), encoded("-i {control.mp4} -map 0:v" + strings.Repeat(" -map 0:a", 8) + " -c copy -metadata:s:a:0 language=eng -metadata:s:a:1 language=ger -metadata:s:a:2 language=eng")},
		{"seven-one.mkv", Odd, film(160, 90, 50, "25"), encoded(pictures + "-f lavfi -i anoisesrc=r=48000:a=0.1:d=2 -af pan=7.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0|c6=c0|c7=c0" + x264 + "-c:a pcm_s16le")},
		{"surround.mkv", Odd, film(160, 90, 50, "25"), encoded(pictures + "-f lavfi -i anoisesrc=r=48000:a=0.1:d=2" + x264 + "-c:a ac3 -ac 6")},
		{"telephone.mov", Odd, film(160, 90, 50, "25"), encoded(pictures + "-f lavfi -i sine=f=300:r=8000:d=2" + x264 + "-c:a pcm_mulaw -ac 1")},
		{"alac.mov", Odd, film(160, 90, 50, "25"), encoded(both + x264 + "-c:a alac")},
		{"sound-longer.mp4", Odd, film(160, 90, 75, "25"), encoded("-f lavfi -i testsrc2=s=160x90:r=25:d=1 -f lavfi -i sine=f=440:r=44100:d=3" + x264 + aac)},
		{"pictures-longer.mp4", Odd, film(160, 90, 75, "25"), encoded("-f lavfi -i testsrc2=s=160x90:r=25:d=3 -f lavfi -i sine=f=440:r=44100:d=1" + x264 + aac)},
		{"sound-late.mp4", Odd, film(160, 90, 75, "25"), encoded("-f lavfi -i testsrc2=s=160x90:r=25:d=3 -itsoffset 1.5 -f lavfi -i sine=f=440:r=44100:d=1" + x264 + aac)},
		{"pictures-late.mkv", Odd, film(160, 90, 50, "25").about(26), encoded("-itsoffset 1 " + both + x264 + aac)},
		{"subtitles.mkv", Odd, film(160, 90, 50, "25"), encoded("-i {control.mp4} -i {part.srt} -i {part.srt} -map 0 -map 1 -map 2 -c copy -c:s:0 srt -c:s:1 ass -disposition:s:1 forced")},
		{"painted-subtitles.mkv", Odd, film(160, 90, 50, "25").noted("pictures (PGS)"), edited("subtitles.mkv", renamed("S_TEXT/UTF8", "S_HDMV/PGS\x00"))},
		{"subtitles.mp4", Odd, film(160, 90, 50, "25"), encoded("-i {control.mp4} -i {part.srt} -map 0 -map 1 -c copy -c:s mov_text")},
		{"timecode.mov", Odd, silent(160, 90, 50, "25"), encoded(pictures + x264 + "-timecode 10:00:00:00")},
		{"two-pictures.mkv", Odd, silent(160, 90, 25, "25"), encoded(pictures + "-f lavfi -i testsrc=s=64x48:r=25 -t 1 -map 0 -map 1" + x264)},
		{"chapters.mkv", Odd, film(160, 90, 50, "25"), encoded("-i {control.mp4} -i {part-chapters.txt} -map_metadata 1 -map_chapters 1 -c copy")},
		{"lying-length.mp4", Odd, film(160, 90, 50, "25"), edited("control.mp4", func(b []byte) []byte {
			return poke("tkhd", 20, 0x7f, 0xff, 0xff, 0xff)(poke("mvhd", 16, 0x7f, 0xff, 0xff, 0xff)(b))
		})},
	}
}

// named are names that something on the way might read as something else.
func named() []Input {
	return []Input{
		{"picture.jpg", Named, film(160, 90, 50, "25"), copied("control.mp4")},
		{`b la "nk" 'q' ; $(id) & | #?.mp4`, Named, film(160, 90, 50, "25"), copied("control.mp4")},
		{"日本語 é \u202egpm.4pm", Named, film(160, 90, 50, "25"), copied("control.mp4")},
		{"new\nline\ttab\x1b[31m.mp4", Named, fails("source-control"), copied("control.mp4")},
		{"-i -dash.mp4", Named, film(160, 90, 50, "25"), copied("control.mp4")},
		{"pipe:0.mp4", Named, film(160, 90, 50, "25"), copied("control.mp4")},
		{"concat:control.mp4|neighbour.ts.mp4", Named, film(160, 90, 50, "25"), copied("control.mp4")},
		{"%03d%s%n.mp4", Named, film(160, 90, 50, "25"), copied("control.mp4")},
		{strings.Repeat("x", 251) + ".mp4", Named, film(160, 90, 50, "25"), copied("control.mp4")},
		{"bad-utf8-\xff\xfe.mp4", Named, fails("source-control"), copied("control.mp4")},
	}
}
