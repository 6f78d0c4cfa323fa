package cmaf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
)

// Limits on what a stream may claim of itself. Payloads are read as they
// come, so a lying size costs no memory before it is caught.
const (
	maxHeaderBox = 16 << 20  // moov, moof
	maxMediaBox  = 512 << 20 // one fragment's mdat
)

// ErrMalformed is wrapped by all errors that mean "these bytes are not the
// fragmented MP4 that they should be", a stream that is cut short included.
var ErrMalformed = errors.New("malformed fragmented MP4")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Sample is one coded picture or audio packet, in decode order.
type Sample struct {
	Duration uint32 // ticks
	Offset   int32  // presentation minus decode time, ticks
	Sync     bool
	Data     []byte
}

// Fragment is one moof with its mdat.
type Fragment struct {
	Sequence uint32
	Decode   uint64 // decode time of the first sample, ticks
	Samples  []Sample
}

// Reader reads a fragmented MP4 of one track as it arrives. It is for one
// goroutine.
type Reader struct {
	r     io.Reader
	trex  *mp4.TrexBox
	track Track
	init  bool
}

// NewReader reads from r, which need not seek.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Init reads up to the end of the moov box and tells what the track is.
func (d *Reader) Init() (Track, error) {
	if d.init {
		return d.track, nil
	}
	for {
		name, body, err := d.box()
		if errors.Is(err, io.EOF) {
			return Track{}, malformed("it ends before a moov box")
		}
		if err != nil {
			return Track{}, err
		}
		switch name {
		case "moov":
			return d.track, d.open(body)
		case "moof", "mdat":
			return Track{}, malformed("%s before moov", name)
		}
	}
}

func (d *Reader) open(body []byte) error {
	box, err := decodeBox("moov", body)
	if err != nil {
		return err
	}
	moov, ok := box.(*mp4.MoovBox)
	if !ok {
		return malformed("no moov")
	}
	track, err := trackOf(moov)
	if err != nil {
		return err
	}
	if moov.Mvex == nil || moov.Mvex.Trex == nil {
		return malformed("moov without mvex and trex")
	}
	d.trex, d.track, d.init = moov.Mvex.Trex, track, true
	return nil
}

// Next reads one fragment. It returns io.EOF only when the stream ends
// between two boxes.
func (d *Reader) Next() (Fragment, error) {
	if _, err := d.Init(); err != nil {
		return Fragment{}, err
	}
	for {
		name, body, err := d.box()
		if err != nil {
			return Fragment{}, err
		}
		switch name {
		case "moof":
			return d.fragment(body)
		case "mdat":
			return Fragment{}, malformed("mdat without moof")
		case "moov":
			return Fragment{}, malformed("second moov")
		}
	}
}

func (d *Reader) fragment(body []byte) (Fragment, error) {
	box, err := decodeBox("moof", body)
	if err != nil {
		return Fragment{}, err
	}
	name, data, err := d.box()
	if errors.Is(err, io.EOF) {
		return Fragment{}, malformed("it ends between moof and mdat")
	}
	if err != nil {
		return Fragment{}, err
	}
	moof, ok := box.(*mp4.MoofBox)
	if !ok || name != "mdat" {
		return Fragment{}, malformed("moof is followed by %q, not mdat", name)
	}
	return cutSamples(moof, d.trex, data, int64(len(body))+8)
}

// cutSamples gives each sample its part of the mdat. moofSize is the size of
// the moof box, from whose start data offsets count.
func cutSamples(moof *mp4.MoofBox, trex *mp4.TrexBox, data []byte, moofSize int64) (Fragment, error) {
	if moof.Mfhd == nil || len(moof.Trafs) != 1 || moof.Traf.Tfhd == nil || moof.Traf.Tfdt == nil {
		return Fragment{}, malformed("moof needs mfhd and one traf with tfhd and tfdt")
	}
	traf := moof.Traf
	f := Fragment{Sequence: moof.Mfhd.SequenceNumber, Decode: traf.Tfdt.BaseMediaDecodeTime()}
	if traf.Tfhd.HasBaseDataOffset() {
		return Fragment{}, malformed("tfhd counts data offsets from the start of the file")
	}
	at := int64(0)
	for _, run := range traf.Truns {
		run.AddSampleDefaultValues(traf.Tfhd, trex)
		if run.HasDataOffset() {
			at = int64(run.DataOffset) - moofSize - 8
		}
		for _, s := range run.Samples {
			end := at + int64(s.Size)
			if at < 0 || end > int64(len(data)) {
				return Fragment{}, malformed("a sample lies outside of its mdat")
			}
			f.Samples = append(f.Samples, Sample{
				Duration: s.Dur, Offset: s.CompositionTimeOffset,
				Sync: s.Flags&mp4.NonSyncSampleFlags == 0, Data: data[at:end:end],
			})
			at = end
		}
	}
	if len(f.Samples) == 0 {
		return Fragment{}, malformed("fragment without samples")
	}
	return f, nil
}

// box reads one top-level box: its name and its body. io.EOF means that the
// stream ended before the box began.
func (d *Reader) box() (string, []byte, error) {
	var head [16]byte
	if _, err := io.ReadFull(d.r, head[:8]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return "", nil, malformed("it is cut within a box header")
		}
		return "", nil, err //nolint:wrapcheck // io.EOF must arrive as it is
	}
	name, size := string(head[4:8]), uint64(binary.BigEndian.Uint32(head[:4]))
	length := uint64(8)
	if size == 1 {
		if _, err := io.ReadFull(d.r, head[8:]); err != nil {
			return "", nil, malformed("it is cut within a box header")
		}
		size, length = binary.BigEndian.Uint64(head[8:]), 16
	}
	limit := uint64(maxHeaderBox)
	if name == "mdat" {
		limit = maxMediaBox
	}
	if size < length || size > limit {
		return "", nil, malformed("box %q claims %d bytes", name, size)
	}
	var body bytes.Buffer
	n, err := io.CopyN(&body, d.r, int64(size-length))
	if errors.Is(err, io.EOF) {
		return "", nil, malformed("box %q has %d of %d bytes", name, n, size-length)
	}
	if err != nil {
		return "", nil, fmt.Errorf("read box %q: %w", name, err)
	}
	return name, body.Bytes(), nil
}

func decodeBox(name string, body []byte) (box mp4.Box, err error) {
	whole := make([]byte, 8, 8+len(body))
	binary.BigEndian.PutUint32(whole, uint32(8+len(body)))
	copy(whole[4:], name)
	whole = append(whole, body...)
	// The box library is careful with hostile input, but it is not ours: a
	// panic in it must end this source, not the process.
	defer func() {
		if p := recover(); p != nil {
			box, err = nil, malformed("box %q: %v", name, p)
		}
	}()
	box, err = mp4.DecodeBoxSR(0, bits.NewFixedSliceReader(whole))
	if err != nil {
		return nil, malformed("box %q: %v", name, err)
	}
	return box, nil
}
