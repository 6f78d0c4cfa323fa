package torturetest

import "bytes"

// broken are damaged, or no media at all.
func broken() []Input {
	return []Input{
		{"empty.mp4", Broken, fails("empty-file"), written(nil)},
		{"one-byte.mp4", Broken, fails("not-media"), written([]byte{0})},
		{"no-index.mp4", Broken, fails("incomplete-file"), edited("control.mp4", cutAt(60))},
		{"cut-faststart.mp4", Broken, film(160, 90, 30, "25").about(15).noted("only"), edited("faststart.mp4", cutAt(60))},
		{"cut.mkv", Broken, film(160, 90, 30, "25").about(15).noted("only"), edited("control.mkv", cutAt(60))},
		{"cut.ts", Broken, film(160, 90, 26, "25").about(15), edited("part.ts", func(b []byte) []byte { return b[:len(b)/2+77] })},
		{"cut.avi", Broken, film(160, 90, 30, "25").about(15), edited("mpeg4-mp3.avi", cutAt(60))},
		{"cut.flv", Broken, film(160, 90, 30, "25").about(15), edited("h264.flv", cutAt(60))},
		{"cut-fragments.mp4", Broken, film(160, 90, 30, "25").about(26), edited("fragments.mp4", cutAt(60))},
		{"damaged-a-little.mkv", Broken, film(160, 90, 50, "25").about(4), edited("control.mkv", noisy(9000, 4000))},
		{"damaged.mp4", Broken, fails("damaged"), edited("faststart.mp4", noisy(15, 6000))},
		{"hole.mp4", Broken, film(160, 90, 50, "25").about(20), edited("faststart.mp4", func(b []byte) []byte {
			clear(b[len(b)/2 : len(b)/2+3000])
			return b
		})},
		{"noise.mp4", Broken, fails("not-media"), written(noise(50_000))},
		{"zeros.mp4", Broken, fails("not-media"), written(zeros(1_000_000))},
		{"page.mp4", Broken, fails("not-a-video"), text("<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>Sign in to continue</body></html>")},
		{"page-later.mp4", Broken, fails("not-a-video"), text("\n\n  <!-- nothing -->\n<html><body>Sign in</body></html>")},
		{"page-wide.mp4", Broken, fails("not-a-video"), written(append([]byte{0xff, 0xfe}, bytes.ReplaceAll([]byte("<html>sign in to continue</html>"), nil, []byte{0})...))},
		{"answer.mp4", Broken, fails("not-a-video"), text(`{"error":{"code":403,"message":"expired token"}}`)},
		{"denied.mp4", Broken, fails("not-a-video"), text(`<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>`)},
		{"words.mp4", Broken, fails("not-a-video"), text("Too many requests. Try again later.\n")},
		{"archive.mp4", Broken, fails("not-a-video"), written(append([]byte("PK\x03\x04\x14\x00\x00\x00\x08\x00"), noise(2000)...))},
		{"packed.mp4", Broken, fails("not-a-video"), written(append([]byte("\x1f\x8b\x08\x00"), noise(2000)...))},
		{"paper.mp4", Broken, fails("not-a-video"), text("%PDF-1.4\n1 0 obj<<>>endobj\n%%EOF\n")},
		{"program.mp4", Broken, fails("not-media"), written(append([]byte("\x7fELF\x02\x01\x01"), noise(2000)...))},
		{"still.mp4", Broken, fails("not-media"), copied("part-still.jpg")},
		{"still.png", Broken, fails("not-media"), copied("part.png")},
		{"unknown-codec.mp4", Broken, fails("unknown-codec"), edited("control.mp4", renamed("avc1", "zzzz"))},
		{"protected.mp4", Broken, fails("encrypted"), encoded("-i {control.mp4} -c copy -encryption_scheme cenc-aes-ctr -encryption_key 76a6c65c5ea762046bd749a2e632ccbb -encryption_kid a7e61c373e219033c21091fa607bf3b8")},
		{"no-fragments.mp4", Broken, fails("no-pictures"), edited("part-fragments.mp4", cutBehind("moof", 0))},
		{"no-media-data.mp4", Broken, fails("no-pictures"), edited("faststart.mp4", cutBehind("mdat", 8))},
		{"head-only.mp4", Broken, fails("incomplete-file"), edited("control.mp4", func(b []byte) []byte { return b[:400] })},
		{"type-only.mp4", Broken, fails("incomplete-file"), written(ftyp)},
		{"subtitles.srt", Broken, fails("not-a-video"), copied("part.srt")},
		{"tag-only.mp3", Broken, fails("not-media"), written(append([]byte("ID3\x03\x00\x00\x00\x00\x00\x0a"), zeros(10)...))},
		{"head-only.wav", Broken, fails("not-media"), edited("part.wav", func(b []byte) []byte { return b[:44] })},
		{"head-only.flv", Broken, fails("not-media"), written([]byte("FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"))},
		{"head-only.mkv", Broken, fails("not-media"), edited("control.mkv", func(b []byte) []byte { return b[:60] })},
		{"times-lie.mp4", Broken, film(160, 90, 50, "25"), edited("control.mp4", poke("stts", 8, 0x7f, 0xff, 0xff, 0xff))},
		{"offsets-lie.mp4", Broken, fails("no-pictures"), edited("silent.mp4", func(b []byte) []byte {
			at := tag(b, "stco", 0) + 12
			for ; string(b[at+4:at+8]) != "udta"; at += 4 {
				copy(b[at:], be32(0x7f00_0000))
			}
			return b
		})},
		{"no-clock.mp4", Broken, silent(160, 90, 2, "1").about(2), edited("silent.mp4", poke("mdhd", 12, 0, 0, 0, 0))},
		{"two-indexes.mp4", Broken, film(160, 90, 50, "25"), edited("faststart.mp4", func(b []byte) []byte {
			return append(b, b[tag(b, "moov", 0)-4:tag(b, "mdat", 0)-4]...)
		})},
	}
}
