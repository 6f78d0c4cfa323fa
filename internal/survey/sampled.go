package survey

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/survey/stream"
)

// sampled: the samples of a segment are encrypted each by itself, and it is not
// fragmented MP4, whose headers say all of it.
func sampled(p *Part, b []byte) bool {
	kind := stream.Sniff(b)
	return p.Key != nil && p.Key.Method == "SAMPLE-AES" && (kind == stream.TS || kind == stream.Packed)
}

// sampled reads a segment of which sampled is true, and decodes what its samples
// decrypt to.
func (s *surveyor) sampled(ctx context.Context, l *List, p *Part, b []byte) {
	key, err := s.secretOf(ctx, l, p.Key)
	if err != nil {
		p.Media, p.Known = stream.Read(nil, b), true
		p.wrong(0, "a key cannot be had (%s), so samples were not decrypted", spool.AsError(err).Reason)
		return
	}
	var clear stream.Sampled
	p.Media, clear = stream.ReadSampled(b, key, ivOf(l, p))
	p.Known = true
	if s.o.Decode == nil || l.Playlist.IFrames {
		return
	}
	for _, kind := range []stream.Kind{stream.Video, stream.Audio} {
		if len(clear[kind]) == 0 || ctx.Err() != nil {
			continue
		}
		container := map[stream.Kind]stream.Container{stream.Video: stream.AnnexB, stream.Audio: stream.Packed}[kind]
		counts, err := s.o.Decode(ctx, container, clear[kind])
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, ErrUndecodable):
			p.wrong(104, "its %s does not decode when it is decrypted: the key, the IV or what was encrypted is wrong", kind)
		case err != nil:
			p.wrong(0, "it was not decoded: %s", spool.AsError(err).Reason)
		default:
			if p.Decoded == nil {
				p.Decoded = map[stream.Kind]int{}
			}
			p.Decoded[kind] = counts[kind]
		}
	}
}

// ivOf is the IV of a segment that has a key.
func ivOf(l *List, p *Part) (iv [16]byte) {
	if p.Key.IV != nil {
		return *p.Key.IV
	}
	binary.BigEndian.PutUint64(iv[8:], uint64(l.Sequence+p.Number))
	return iv
}
