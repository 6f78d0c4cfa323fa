package ffmpeg

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// box makes a box around what it holds.
func box(kind string, inside ...[]byte) []byte {
	body := bytes.Join(inside, nil)
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return append(append(b, kind...), body...)
}

func trackOf(entry string) []byte {
	stsd := box("stsd", make([]byte, 8), box(entry, make([]byte, 70)))
	return box("trak", box("mdia", box("minf", box("stbl", stsd))))
}

func inspectBytes(file []byte) movie { return inspect(bytes.NewReader(file), int64(len(file))) }

func TestInspect(t *testing.T) {
	head := box("ftyp", []byte("isom"))
	moov := box("moov", box("mvhd", make([]byte, 100)), trackOf("avc1"), trackOf("mp4a"))
	large := append(binary.BigEndian.AppendUint32(nil, 1), "mdat"...)
	large = append(binary.BigEndian.AppendUint64(large, 24), make([]byte, 8)...)
	toEnd := append(binary.BigEndian.AppendUint32(nil, 0), "mdat"...)
	for _, c := range []struct {
		name string
		file []byte
		want movie
	}{
		{"plain", bytes.Join([][]byte{head, moov, box("mdat", []byte("x"))}, nil), movie{moov: true, tracks: 2}},
		{"64-bit size before", bytes.Join([][]byte{head, large, moov}, nil), movie{moov: true, tracks: 2}},
		{"to the end", bytes.Join([][]byte{head, moov, toEnd, {1, 2, 3}}, nil), movie{moov: true, tracks: 2}},
		{"encrypted", bytes.Join([][]byte{head, box("moov", trackOf("encv"))}, nil), movie{moov: true, tracks: 1, encrypted: true}},
		{"no index", bytes.Join([][]byte{head, box("mdat", []byte("x"))}, nil), movie{}},
		{"index cut", bytes.Join([][]byte{head, moov[:40]}, nil), movie{cut: true}},
		{"data cut", bytes.Join([][]byte{head, moov, box("mdat", make([]byte, 99))[:50]}, nil), movie{moov: true, tracks: 2, cut: true}},
		{"not boxes", []byte("nothing of the kind, at all"), movie{cut: true}},
		{"a size below its header", append(head, 0, 0, 0, 4, 'm', 'o', 'o', 'v'), movie{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := inspectBytes(c.file); got != c.want {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(bytes.Join([][]byte{box("ftyp"), box("moov", trackOf("encv"))}, nil))
	f.Fuzz(func(t *testing.T, file []byte) {
		if m := inspectBytes(file); m.tracks > maxBoxes {
			t.Errorf("%d tracks", m.tracks)
		}
	})
}
