package tap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spool-video/spool"
)

// stream opens bytes as a stream that is complete.
func stream(t *testing.T, b []byte) (*Stream, Reader) {
	t.Helper()
	r := File(bytes.NewReader(b), int64(len(b)))
	s, err := ReadStream(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// packetOf is a transport packet with a payload, filled up with 0xff.
func packetOf(pid int, start bool, payload ...byte) []byte {
	b := bytes.Repeat([]byte{0xff}, 188)
	copy(b, []byte{syncByte, byte(pid >> 8), byte(pid), 0x10})
	if start {
		b[1] |= 0x40
	}
	copy(b[4:], payload)
	return b
}

func patOf(programs ...int) []byte {
	b := []byte{0, 0, 0xb0, byte(5 + 4*len(programs) + 4), 0, 1, 0xc1, 0, 0}
	for i, pid := range programs {
		b = append(b, 0, byte(i+1), 0xe0|byte(pid>>8), byte(pid))
	}
	return packetOf(0, true, append(b, 1, 2, 3, 4)...)
}

// The head is the packets of PAT and PMT, wherever they lie; a PMT may go over
// several.
func TestHeadOfTransportStream(t *testing.T) {
	long := packetOf(0x100, true, append([]byte{0, 2, 0xb0, 200}, make([]byte, 180)...)...)
	other := packetOf(0x44, true, 1)
	end := packetOf(0x100, false, make([]byte, 50)...)
	all := bytes.Join([][]byte{end, other, patOf(0x100), other, long, other, end, other, other}, nil)
	s, r := stream(t, all)
	want := spool.Spans{{From: 2 * 188, To: 3 * 188}, {From: 4 * 188, To: 5 * 188}, {From: 6 * 188, To: 7 * 188}}
	if diff := cmp.Diff(want, s.Head); diff != "" || s.Format != mpegts {
		t.Error(s.Format, diff)
	}
	var got bytes.Buffer
	if err := (Window{s.Format, s.Head, spool.Span{From: 8 * 188, To: 9 * 188}}).Copy(t.Context(), &got, r); err != nil {
		t.Fatal(err)
	}
	if want := bytes.Join([][]byte{patOf(0x100), long, end, other}, nil); !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes, want %d", got.Len(), len(want))
	}
	if at, err := s.Units(r).Around(t.Context(), 500); err != nil || at != (spool.Span{From: 376, To: 564}) {
		t.Error(at, err)
	}
}

func TestTransportStreamsThatAreNone(t *testing.T) {
	other := packetOf(0x44, true, 1)
	for name, b := range map[string][]byte{
		"two programs": bytes.Join([][]byte{patOf(0x100, 0x200), other, other, other, other}, nil),
		"no program":   bytes.Join([][]byte{patOf(), other, other, other, other}, nil),
		"no table":     bytes.Repeat(other, 20),
		"no table map": append(patOf(0x100), bytes.Repeat(other, 20)...),
		"lost":         append(bytes.Repeat(other, 6), make([]byte, 1000)...),
	} {
		if _, err := ReadStream(t.Context(), File(bytes.NewReader(b), int64(len(b)))); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// ebmlHeader is the element that Matroska begins with.
const ebmlHeader = 0x1a45dfa3

// elementOf is an element with a size of so many bytes; unknown when that is
// negative.
func elementOf(id uint32, size int) []byte {
	b := []byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}
	for b[0] == 0 {
		b = b[1:]
	}
	if size < 0 {
		return append(b, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	}
	return append(append(b, 0x40|byte(size>>8), byte(size)), make([]byte, size)...)
}

// A window of Matroska begins with a cluster, also when clusters do not say how
// long they are.
func TestClusters(t *testing.T) {
	for _, live := range []bool{false, true} {
		t.Run(fmt.Sprint(live), func(t *testing.T) {
			head := bytes.Join([][]byte{elementOf(ebmlHeader, 20), elementOf(segment, -1), elementOf(0x1549a966, 30), elementOf(0x1654ae6b, 40)}, nil)
			one := elementOf(cluster, 100)
			if live {
				one = append(elementOf(cluster, -1), elementOf(0xa3, 93)...)
			}
			file := append(append([]byte{}, head...), bytes.Repeat(one, 3)...)
			s, r := stream(t, file)
			if diff := cmp.Diff(spool.Spans{{From: 0, To: int64(len(head))}}, s.Head); diff != "" {
				t.Fatal(diff)
			}
			units := s.Units(r)
			for _, n := range []int{2, 0, 1} {
				from := int64(len(head) + n*len(one))
				if at, err := units.Around(t.Context(), from+50); err != nil || at != (spool.Span{From: from, To: from + 50}) {
					t.Errorf("cluster %d: %+v, %v", n, at, err)
				}
			}
		})
	}
}

func boxOf(kind string, body ...byte) []byte {
	size := 8 + len(body)
	return append([]byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size), kind[0], kind[1], kind[2], kind[3]}, body...)
}

// fragmentAt is a moof and its mdat, whose samples are named by their place in
// the file.
func fragmentAt(at int64) []byte {
	base := at + 8 + 8 + 24 + 16 + 8
	tfhd := boxOf("tfhd", append([]byte{0, 0, 0, 1, 0, 0, 0, 1}, binaryOf(uint64(base))...)...)
	traf := boxOf("traf", append(tfhd, boxOf("tfdt", make([]byte, 8)...)...)...)
	return append(boxOf("moof", traf...), boxOf("mdat", 'd', 'a', 't', 'a')...)
}

func binaryOf(v uint64) []byte {
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(v >> (56 - 8*i))
	}
	return b
}

// What a fragment says of places in the file is right in its window, too, and
// indexes of the file are out of the way.
func TestFragments(t *testing.T) {
	head := bytes.Join([][]byte{boxOf("ftyp", 'i', 's', 'o', 'm'), boxOf("moov", boxOf("mvex")...), boxOf("sidx", 1, 2, 3)}, nil)
	file := append([]byte{}, head...)
	var starts []int64
	for range 3 {
		starts = append(starts, int64(len(file)))
		file = append(file, fragmentAt(int64(len(file)))...)
	}
	s, r := stream(t, file)
	last, err := s.Units(r).Around(t.Context(), int64(len(file))-1)
	if err != nil || last != (spool.Span{From: starts[2], To: int64(len(file))}) {
		t.Fatal(last, err)
	}
	var got bytes.Buffer
	if err := (Window{s.Format, s.Head, last}).Copy(t.Context(), &got, r); err != nil {
		t.Fatal(err)
	}
	want := append(bytes.Replace(head, []byte("sidx"), []byte("free"), 1), fragmentAt(int64(len(head)))...)
	if diff := cmp.Diff(want, got.Bytes()); diff != "" {
		t.Error(diff)
	}
	// The whole of it is as it was, but for its index.
	got.Reset()
	if err := (Window{s.Format, s.Head, spool.Span{To: ToEnd}}).Copy(t.Context(), &got, r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bytes.Replace(file, []byte("sidx"), []byte("free"), 1), got.Bytes()); diff != "" {
		t.Error(diff)
	}
}

// A source that is shorter than a window is not taken for one that ends there.
func TestWindowBeyondTheEnd(t *testing.T) {
	file := append(patOf(0x100), bytes.Repeat(packetOf(0x100, true, 0, 2, 0xb0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0), 9)...)
	s, r := stream(t, file)
	err := (Window{s.Format, s.Head, spool.Span{From: 376, To: 376 + 188*20}}).Copy(t.Context(), io.Discard, r)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// Nobody's file makes reading it hang or fail in another way than by an error,
// and what is copied from the start on has the length of the file.
func FuzzStream(f *testing.F) {
	head := bytes.Join([][]byte{boxOf("ftyp", 'i', 's', 'o', 'm'), boxOf("moov", boxOf("mvex")...)}, nil)
	f.Add(append(head, fragmentAt(int64(len(head)))...), int64(60))
	f.Add(bytes.Join([][]byte{elementOf(ebmlHeader, 20), elementOf(segment, -1), elementOf(0x1654ae6b, 40), elementOf(cluster, -1), elementOf(0xa3, 20), elementOf(cluster, 9)}, nil), int64(100))
	f.Add(append(patOf(0x100), bytes.Repeat(packetOf(0x100, true, 0, 2, 0xb0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0), 9)...), int64(800))
	f.Fuzz(func(t *testing.T, b []byte, pos int64) {
		ctx, r := context.Background(), File(bytes.NewReader(b), int64(len(b)))
		s, err := ReadStream(ctx, r)
		if err != nil {
			return
		}
		if pos = max(min(pos, int64(len(b))), 0); len(s.Head) == 0 || s.Head[len(s.Head)-1].To > int64(len(b)) {
			t.Fatalf("head %v of %d bytes", s.Head, len(b))
		}
		if at, err := s.Units(r).Around(ctx, pos); err == nil && (at.From > pos || at.To < pos) {
			t.Fatalf("byte %d is in %+v", pos, at)
		}
		var all bytes.Buffer
		if err := (Window{s.Format, s.Head, spool.Span{To: ToEnd}}).Copy(ctx, &all, r); err != nil || all.Len() != len(b) {
			t.Fatalf("%d bytes of %d: %v", all.Len(), len(b), err)
		}
		_ = (Window{s.Format, s.Head, spool.Span{From: pos, To: int64(len(b))}}).Copy(ctx, &all, r) // it ends
	})
}
