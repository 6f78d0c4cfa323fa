package stream

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Cue is one cue of WebVTT.
type Cue struct {
	Start, End time.Duration
	Text       string // with the cue's settings
}

// readText reads a WebVTT segment, RFC 8216 section 3.5.
func readText(b []byte) Media {
	m := Media{Container: VTT}
	if !utf8.Valid(b) {
		m.wrong(86, "it is not UTF-8")
	}
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(string(b), "\xef\xbb\xbf"))
	blocks := strings.Split(text, "\n\n")
	for line := range strings.Lines(blocks[0]) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "X-TIMESTAMP-MAP="); ok {
			m.timestampMap(rest)
		}
	}
	for _, block := range blocks[1:] {
		lines := strings.Split(strings.Trim(block, "\n"), "\n")
		for i, line := range lines {
			if i > 1 || !strings.Contains(line, "-->") {
				continue
			}
			m.cue(line, strings.Join(lines[i+1:], "\n"))
			break
		}
	}
	return m
}

func (m *Media) timestampMap(text string) {
	named := map[string]bool{}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(part, ":")
		switch name {
		case "MPEGTS":
			_, err := strconv.ParseUint(value, 10, 33)
			named[name] = err == nil
		case "LOCAL":
			_, named[name] = cueTime(value)
		}
	}
	if m.Mapped = named["MPEGTS"] && named["LOCAL"]; !m.Mapped {
		m.wrong(86, "X-TIMESTAMP-MAP does not name MPEGTS and LOCAL times")
	}
}

func (m *Media) cue(timing, text string) {
	from, rest, _ := strings.Cut(timing, "-->")
	to, settings, _ := strings.Cut(strings.TrimSpace(rest), " ")
	start, ok := cueTime(strings.TrimSpace(from))
	end, ok2 := cueTime(strings.TrimSpace(to))
	if !ok || !ok2 || end <= start {
		m.wrong(86, "a cue's times cannot be: %q", timing)
		return
	}
	m.Cues = append(m.Cues, Cue{Start: start, End: end, Text: settings + "\n" + text})
}

// cueTime reads "[hh:]mm:ss.ttt".
func cueTime(s string) (time.Duration, bool) {
	whole, millis, ok := strings.Cut(s, ".")
	parts := strings.Split(whole, ":")
	if !ok || len(millis) != 3 || len(parts) < 2 || len(parts) > 3 {
		return 0, false
	}
	var total int64
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 31)
		if err != nil {
			return 0, false
		}
		total = total*60 + int64(n)
	}
	ms, err := strconv.ParseUint(millis, 10, 31)
	return time.Duration(total)*time.Second + time.Duration(ms)*time.Millisecond, err == nil
}
