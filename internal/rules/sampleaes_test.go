package rules_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/asticode/go-astits"

	"github.com/spool-video/spool/internal/mediatest"
	"github.com/spool-video/spool/internal/rules"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

const sampleKey = "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k.key\",IV=0x" + "00112233445566778899aabbccddeeff" + "\n"

var sampleIV = []byte{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}

// encrypter encrypts the samples of MPEG-TS as Apple describes it, and as
// ffmpeg and players undo it.
type encrypter struct {
	out   bytes.Buffer
	muxer *astits.Muxer
	known map[uint16]astits.StreamType
}

// sampleTypes are the stream types of what is encrypted.
var sampleTypes = map[astits.StreamType]astits.StreamType{astits.StreamTypeH264Video: 0xdb, astits.StreamTypeAACAudio: 0xcf}

func chain() cipher.BlockMode {
	block, err := aes.NewCipher(verifytest.Key)
	if err != nil {
		panic(err)
	}
	return cipher.NewCBCEncrypter(block, sampleIV)
}

// picture encrypts the slices of a picture.
func encryptPicture(b []byte) []byte {
	var out []byte
	for _, n := range bytes.Split(bytes.ReplaceAll(b, []byte{0, 0, 0, 1}, []byte{0, 0, 1}), []byte{0, 0, 1})[1:] {
		n = bytes.Clone(n)
		if kind := n[0] & 0x1f; (kind == 1 || kind == 5) && len(n) > 48 {
			blocks := chain()
			for rest := n[32:]; len(rest) > 16; rest = rest[min(144, len(rest)):] {
				blocks.CryptBlocks(rest[:16], rest[:16])
				rest = rest[16:]
			}
			n = escaped(n)
		}
		out = append(append(out, 0, 0, 0, 1), n...)
	}
	return out
}

// escaped applies emulation prevention.
func escaped(n []byte) (out []byte) {
	zeros := 0
	for _, b := range n {
		if zeros == 2 && b <= 3 {
			out, zeros = append(out, 3), 0
		}
		if zeros++; b != 0 {
			zeros = 0
		}
		out = append(out, b)
	}
	return out
}

func encryptSound(b []byte) []byte {
	b = bytes.Clone(b)
	for rest := b; len(rest) > 7; {
		length := int(rest[3]&3)<<11 | int(rest[4])<<3 | int(rest[5])>>5
		if whole := (length - 7 - 16) / 16 * 16; whole > 0 {
			chain().CryptBlocks(rest[23:23+whole], rest[23:23+whole])
		}
		rest = rest[length:]
	}
	return b
}

// segment wraps a segment anew, encrypted.
func (e *encrypter) segment(t *testing.T, b []byte) []byte {
	t.Helper()
	from := astits.NewDemuxer(t.Context(), bytes.NewReader(b))
	for {
		d, err := from.NextData()
		if errors.Is(err, astits.ErrNoMorePackets) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if d.PMT != nil {
			e.program(t, d.PMT)
		}
		if d.PES == nil {
			continue
		}
		if e.known[d.PID] == astits.StreamTypeH264Video {
			d.PES.Data = encryptPicture(d.PES.Data)
		} else {
			d.PES.Data = encryptSound(d.PES.Data)
		}
		if _, err := e.muxer.WriteData(&astits.MuxerData{PID: d.PID, AdaptationField: d.FirstPacket.AdaptationField, PES: d.PES}); err != nil {
			t.Fatal(err)
		}
	}
	out := bytes.Clone(e.out.Bytes())
	e.out.Reset()
	return out
}

func (e *encrypter) program(t *testing.T, p *astits.PMTData) {
	t.Helper()
	for _, s := range p.ElementaryStreams {
		if e.known[s.ElementaryPID] != 0 {
			continue
		}
		e.known[s.ElementaryPID] = s.StreamType
		if err := e.muxer.AddElementaryStream(astits.PMTElementaryStream{ElementaryPID: s.ElementaryPID, StreamType: sampleTypes[s.StreamType]}); err != nil {
			t.Fatal(err)
		}
	}
	e.muxer.SetPCRPID(p.PCRPID)
	if _, err := e.muxer.WriteTables(); err != nil {
		t.Fatal(err)
	}
}

// sampledTransport is MPEG-TS of ffmpeg's whose samples are encrypted.
func sampledTransport(t *testing.T) files {
	t.Helper()
	f := muxed(t, clip, h264+aac+toHLS+"{}/index.m3u8").clone()
	e := &encrypter{known: map[uint16]astits.StreamType{}}
	e.muxer = astits.NewMuxer(context.Background(), &e.out, astits.MuxerOptTablesRetransmitPeriod(1<<30))
	for i := range 3 {
		f[f.segment(transport, i)] = e.segment(t, f[f.segment(transport, i)])
	}
	f.replace(t, transport, "#EXT-X-VERSION:3\n", "#EXT-X-VERSION:6\n")
	onLine(transport, "#EXTINF", before(strings.TrimSuffix(sampleKey, "\n")))(t, f)
	return f
}

// Samples of MPEG-TS that are encrypted each by itself are decrypted and
// decoded. That they are encrypted as they should be, ffmpeg says.
func TestSamplesOfTransportStreams(t *testing.T) {
	t.Parallel()
	whole := sampledTransport(t)
	if found := rules.Check(whole.survey(t, transport, true)); !slices.Equal(names(found), []string{"S44", "S9"}) {
		t.Fatalf("found %v", found)
	}
	clear := muxed(t, clip, h264+aac+toHLS+"{}/index.m3u8")
	// At the end of a list ffmpeg 5.1 does not decrypt the pictures that it still holds.
	got, want := whole.played(t), clear.played(t)
	if at := bytes.Index(want, []byte("\n0,        178,")); at < 0 || !bytes.HasPrefix(got, want[:at]) {
		t.Fatal("ffmpeg does not decode what was encrypted")
	}
	for name, fault := range map[string]func(*testing.T, files){
		"another key": func(_ *testing.T, f files) { f["k.key"] = []byte("fedcba9876543210") },
		"a short key": func(_ *testing.T, f files) { f["k.key"] = []byte("short") },
		"another IV":  onLine(transport, "#EXT-X-KEY", instead("IV=0x00", "IV=0x01")),
		"not said":    onLine(transport, "#EXT-X-KEY", dropped),
		"not marked": func(t *testing.T, f files) {
			f[f.segment(transport, 1)] = muxed(t, clip, h264+aac+toHLS+"{}/index.m3u8")[f.segment(transport, 1)]
		},
		"emulation prevention left out": inFile(segmentOf(transport, 1), func(b []byte) []byte {
			at := bytes.Index(b, []byte{0, 0, 0, 1, 0x65}) + 5 + 31 // within an encrypted block
			copy(b[at+4:], []byte{0, 0, 2})
			return b
		}),
	} {
		f := whole.clone()
		fault(t, f)
		if found := rules.Check(f.survey(t, transport, name == "another key" || name == "another IV")); !slices.Contains(names(found), "M104") {
			t.Errorf("%s: found %v", name, found)
		}
	}
}

// played is what ffmpeg's own HLS makes of it: a checksum for each picture.
func (f files) played(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	for name, b := range f {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return mediatest.FFmpeg(t, "-allowed_extensions", "ALL", "-i", filepath.Join(dir, transport), "-map", "0:v", "-f", "framecrc", "pipe:1")
}
