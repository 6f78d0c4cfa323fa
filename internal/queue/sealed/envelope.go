package sealed

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/spool-video/spool/internal/keys"
)

// An envelope is its magic, the length of a worker's name in one byte, the
// name, and what keys.Fleet seals: one byte that says how the body is packed,
// and the body. A refusal is another magic and the ID of the key that was
// expected, in clear: it can say no more to whoever has another key.
const (
	magic        = "SPL1"
	refusalMagic = "SPLX"
	plain        = 'p'
	deflated     = 'z'
	longestName  = 255
	packFrom     = 64 << 10 // bytes: jobs of long videos; what is shorter is not worth it
	longestBody  = 64 << 20 // bytes, unpacked
)

// refusal is what a message says that carries no body.
type refusal struct{ ID string }

func (r refusal) Error() string { return "refused: the fleet key is " + r.ID }

func (r refusal) envelope() []byte { return []byte(refusalMagic + r.ID) }

func seal(fleet *keys.Fleet, worker, topic string, body []byte) ([]byte, error) {
	if len(worker) > longestName {
		return nil, fmt.Errorf("the worker's name has %d bytes, more than %d", len(worker), longestName)
	}
	packed, err := pack(body)
	if err != nil {
		return nil, err
	}
	sealed, err := fleet.Seal(purpose(worker, topic), packed)
	if err != nil {
		return nil, err
	}
	out := append([]byte(magic), byte(len(worker)))
	return append(append(out, worker...), sealed...), nil
}

// unseal reverses seal. The worker's name is as it stands in the envelope:
// vouched for only if there is no error.
func unseal(fleet *keys.Fleet, topic string, envelope []byte) (worker string, body []byte, err error) {
	if id, ok := bytes.CutPrefix(envelope, []byte(refusalMagic)); ok {
		if raw, err := hex.DecodeString(string(id)); err != nil || len(raw) != len(fleet.ID())/2 {
			return "", nil, keys.ErrDamaged
		}
		return "", nil, refusal{string(id)}
	}
	rest, ok := bytes.CutPrefix(envelope, []byte(magic))
	if !ok || len(rest) == 0 || len(rest) < 1+int(rest[0]) {
		return "", nil, keys.ErrDamaged
	}
	n := int(rest[0])
	worker = string(rest[1 : 1+n])
	packed, err := fleet.Unseal(purpose(worker, topic), rest[1+n:])
	if err != nil {
		return worker, nil, err
	}
	body, err = unpack(packed)
	return worker, body, err
}

func purpose(worker, topic string) string { return topic + "\x00" + worker }

// pack makes long bodies smaller: the finish of a long video names thousands
// of objects.
func pack(body []byte) ([]byte, error) {
	if len(body) < packFrom {
		return append([]byte{plain}, body...), nil
	}
	out := bytes.NewBuffer([]byte{deflated})
	w, err := flate.NewWriter(out, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func unpack(packed []byte) ([]byte, error) {
	switch {
	case len(packed) > 0 && packed[0] == plain:
		return packed[1:], nil
	case len(packed) == 0 || packed[0] != deflated:
		return nil, errors.New("packed in a way that this version does not know")
	}
	body, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed[1:])), longestBody+1))
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	if len(body) > longestBody {
		return nil, errors.New("unpacked it is too long")
	}
	return body, nil
}
