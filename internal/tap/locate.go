package tap

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spool-video/spool"
)

// Reader reads a source: one that is arriving, or a File.
type Reader interface {
	// ReadAtContext reads at least one byte or gives an error; io.EOF at the
	// end of the source.
	ReadAtContext(ctx context.Context, p []byte, off int64) (int, error)
	// Size is how many bytes the source has; -1 when that is not known.
	Size() int64
}

// File reads a file of size bytes that is complete.
func File(r io.ReaderAt, size int64) Reader { return whole{r, size} }

type whole struct {
	io.ReaderAt
	size int64
}

// ReadAtContext reads from the file.
func (w whole) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, context.Cause(ctx)
	}
	n, err := w.ReadAt(p, off)
	if n > 0 {
		return n, nil
	}
	return 0, err //nolint:wrapcheck // io.EOF must arrive as it is
}

// Size is the size that File was given.
func (w whole) Size() int64 { return w.size }

// Read opens a source to be read: through the tap, or by its path. close is
// called when it is not read any more.
func (d *Desk) Read(f *spool.Fetched) (r Reader, close func(), err error) {
	return d.read(f, spool.Span{})
}

func (d *Desk) read(f *spool.Fetched, window spool.Span) (r Reader, close func(), err error) {
	if f.Remote != nil {
		src, err := d.open(f, window)
		if err != nil {
			return nil, nil, err
		}
		return src, src.Close, nil
	}
	if arriving := d.arriving(f.Path); arriving != nil {
		return arriving, func() {}, nil
	}
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, nil, fmt.Errorf("open source: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open source: %w", err), file.Close())
	}
	return File(file, info.Size()), func() { _ = file.Close() }, nil // it is only read
}

// ReadFull reads all of p. A source that ends before gives
// io.ErrUnexpectedEOF.
func ReadFull(ctx context.Context, r Reader, p []byte, off int64) error {
	for len(p) > 0 {
		n, err := r.ReadAtContext(ctx, p, off)
		if n <= 0 {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("read at %d: %w", off, err)
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// maxTopBoxes is how many boxes may stand before the moov box.
const maxTopBoxes = 1000

// Locate finds the moov box of an MP4 or QuickTime file and reads it. A source
// that is arriving blocks it until the headers of the boxes before it and the
// box itself are there. What is no such file, or has no whole moov box, is
// ErrUnsupported.
func Locate(ctx context.Context, r Reader) (*Movie, error) {
	at := int64(0)
	for range maxTopBoxes {
		kind, size, err := topBox(ctx, r, at)
		if err != nil {
			return nil, err
		}
		if kind != "moov" {
			at += size
			continue
		}
		if size > MaxMoov {
			return nil, unsupported("moov has %d bytes", size)
		}
		moov, err := readGrowing(ctx, r, at, size)
		if err != nil {
			return nil, short(err)
		}
		return ReadMovie(moov, r.Size())
	}
	return nil, unsupported("no moov among the first %d boxes", maxTopBoxes)
}

// topBox reads the header of the box at an offset of the file.
func topBox(ctx context.Context, r Reader, at int64) (kind string, size int64, err error) {
	var head [16]byte
	if err := ReadFull(ctx, r, head[:8], at); err != nil {
		return "", 0, short(err)
	}
	kind, size = string(head[4:8]), int64(binary.BigEndian.Uint32(head[:]))
	least := int64(8)
	if size == 1 {
		if err := ReadFull(ctx, r, head[8:], at+8); err != nil {
			return "", 0, short(err)
		}
		size, least = int64(binary.BigEndian.Uint64(head[8:])), 16
	}
	if size < least || size > 1<<50 || at > 1<<60 {
		return "", 0, unsupported("no moov behind a box %q of %d bytes", kind, size)
	}
	return kind, size, nil
}

// readGrowing reads a box whose size nobody has checked: memory grows with
// what is really there.
func readGrowing(ctx context.Context, r Reader, at, size int64) ([]byte, error) {
	const step = 4 << 20
	var b []byte
	for int64(len(b)) < size {
		n := len(b)
		b = append(b, make([]byte, min(step, size-int64(n)))...)
		if err := ReadFull(ctx, r, b[n:], at+int64(n)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// short turns the end of a source into what it means for its index.
func short(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return unsupported("no whole moov box")
	}
	return err
}
