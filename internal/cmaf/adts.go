package cmaf

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/Eyevinn/mp4ff/aac"
)

// PacketSamples is how many samples of a channel an AAC-LC packet holds.
const PacketSamples = 1024

// ADTS reads AAC packets from a stream in ADTS framing as it arrives. It is
// for one goroutine.
type ADTS struct {
	r      io.Reader
	config []byte
}

// NewADTS reads from r.
func NewADTS(r io.Reader) *ADTS { return &ADTS{r: r} }

// Config is the AudioSpecificConfig that fits the packets read so far; nil
// before the first.
func (a *ADTS) Config() []byte { return a.config }

// Next reads one packet, without its ADTS header. It returns io.EOF only when
// the stream ends between two packets.
func (a *ADTS) Next() ([]byte, error) {
	// Fixed and variable header, ISO/IEC 13818-7 §6.2.
	var head [7]byte
	if _, err := io.ReadFull(a.r, head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, malformed("ADTS is cut within a header")
		}
		return nil, err //nolint:wrapcheck // io.EOF must arrive as it is
	}
	if head[0] != 0xff || head[1]&0xf6 != 0xf0 {
		return nil, malformed("no ADTS sync word, but % x", head[:2])
	}
	length := int(head[3]&3)<<11 | int(head[4])<<3 | int(head[5])>>5
	header := 7
	if head[1]&1 == 0 {
		header = 9 // a CRC follows
	}
	if length <= header {
		return nil, malformed("ADTS packet of %d bytes", length)
	}
	if head[6]&3 != 0 {
		return nil, malformed("ADTS packet of several AAC frames")
	}
	body := make([]byte, length-7)
	if _, err := io.ReadFull(a.r, body); err != nil {
		return nil, malformed("ADTS packet is cut: %v", err)
	}
	return body[header-7:], a.configure(head)
}

// configure makes the AudioSpecificConfig of the first header and holds all
// others against it.
func (a *ADTS) configure(head [7]byte) error {
	object := head[2]>>6 + 1
	index := head[2] >> 2 & 0xf
	channels := head[2]&1<<2 | head[3]>>6
	frequency, ok := aac.FrequencyTable[index]
	if !ok || channels == 0 || object != aac.AAClc {
		return malformed("ADTS with object type %d, frequency index %d, %d channels", object, index, channels)
	}
	var conf bytes.Buffer
	asc := aac.AudioSpecificConfig{
		ObjectType: object, ChannelConfiguration: channels, SamplingFrequency: frequency,
	}
	if err := asc.Encode(&conf); err != nil {
		return fmt.Errorf("write audio configuration: %w", err)
	}
	if a.config != nil && !bytes.Equal(a.config, conf.Bytes()) {
		return malformed("ADTS changes its configuration within the stream")
	}
	a.config = conf.Bytes()
	return nil
}
