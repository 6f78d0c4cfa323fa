package tap

import (
	"encoding/binary"
	"math"

	"github.com/spool-video/spool"
)

// samples puts the tables of an stbl box together (ISO/IEC 14496-12, 8.6 and
// 8.7): each says one thing of all samples, most of them run-length coded.
type samples struct {
	audio  bool
	size   int64 // of the file, bytes; -1: not known
	length int64 // of the media, ticks
	all    []Sample

	offsets []int32 // of showing to decoding, by sample; nil when there are none
	shift   int64   // DTS lie so much before where the tables have them: no PTS is before its DTS
	regular int64   // as in Track
	common  int64   // as in Track
}

// boxes finds the tables. Of the groupings of samples only that of random
// access points is one, and is called rap.
func (s *samples) boxes(stbl []byte) (map[string][]byte, error) {
	found, err := one(stbl, "stsd", "stts", "ctts", "stss", "stps", "stsz", "stz2", "stsc", "stco", "co64")
	if err != nil {
		return nil, err
	}
	all, err := children(stbl)
	if err != nil {
		return nil, err
	}
	for _, b := range all {
		if b.kind == "sbgp" && len(b.body) >= 8 && string(b.body[4:8]) == "rap " {
			if _, twice := found["rap"]; twice {
				return nil, unsupported("two groupings of random access points")
			}
			found["rap"] = b.body
		}
	}
	return found, nil
}

// read reads the tables; at most limit samples.
func (s *samples) read(tables map[string][]byte, limit int) error {
	if s.inBlocks(tables["stts"]) {
		return s.blocks(tables, limit)
	}
	steps := []func() error{
		func() error { return s.sizes(tables, limit) },
		func() error { return s.positions(tables) },
		func() error { return s.times(tables["stts"]) },
		func() error { return s.compositions(tables["ctts"]) },
		func() error { return s.keys(tables) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// table reads a full box that holds a count and entries of width bytes, all of
// which must be there.
func table(name string, b []byte, width int) (entries []byte, err error) {
	if len(b) < 8 {
		return nil, unsupported("%s: cut", name)
	}
	n := uint64(binary.BigEndian.Uint32(b[4:]))
	if n*uint64(width) > uint64(len(b)-8) {
		return nil, unsupported("%s: %d entries in %d bytes", name, n, len(b))
	}
	return b[8 : 8+int(n)*width], nil
}

func u32(b []byte, at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }

// sizes makes the samples and gives them their sizes.
func (s *samples) sizes(tables map[string][]byte, limit int) error {
	b, listed := tables["stsz"]
	if !listed {
		return s.compactSizes(tables["stz2"], limit)
	}
	if len(b) < 12 {
		return unsupported("stsz: cut")
	}
	equal := u32(b, 4)
	if equal != 0 {
		n := u32(b, 8)
		if n > maxEqual || int(n) > limit {
			return unsupported("stsz: %d samples of one size", n)
		}
		s.all = make([]Sample, n)
		for i := range s.all {
			s.all[i].Size = equal
		}
		return nil
	}
	entries, err := table("stsz", b[4:], 4)
	if err != nil {
		return err
	}
	if len(entries)/4 > limit {
		return unsupported("stsz: %d samples", len(entries)/4)
	}
	s.all = make([]Sample, len(entries)/4)
	for i := range s.all {
		s.all[i].Size = u32(entries, 4*i)
	}
	return nil
}

// compactSizes reads sizes of 4, 8 or 16 bits.
func (s *samples) compactSizes(b []byte, limit int) error {
	if len(b) < 12 {
		return unsupported("no sizes of samples")
	}
	bits, n := uint64(b[7]), uint64(u32(b, 8))
	if bits != 4 && bits != 8 && bits != 16 || (n*bits+7)/8 > uint64(len(b)-12) || n > uint64(limit) {
		return unsupported("stz2: %d samples of %d bits in %d bytes", n, bits, len(b))
	}
	s.all = make([]Sample, n)
	for i := range s.all {
		switch bits {
		case 4:
			s.all[i].Size = uint32(b[12+i/2] >> (4 * (1 - i%2)) & 15)
		case 8:
			s.all[i].Size = uint32(b[12+i])
		case 16:
			s.all[i].Size = uint32(binary.BigEndian.Uint16(b[12+2*i:]))
		}
	}
	return nil
}

// chunks are where runs of samples lie (stco, co64).
type chunks struct {
	entries []byte
	width   int
}

func (c chunks) count() int { return len(c.entries) / c.width }

func (c chunks) offset(i int) uint64 {
	if c.width == 8 {
		return binary.BigEndian.Uint64(c.entries[8*i:])
	}
	return uint64(u32(c.entries, 4*i))
}

// positions says where each sample lies.
func (s *samples) positions(tables map[string][]byte) error {
	done := 0
	err := eachChunk(tables, func(at uint64, per int64) error {
		if per > int64(len(s.all)-done) {
			return unsupported("stsc: more samples than sizes")
		}
		if !run(s.all[done:done+int(per)], at) {
			return unsupported("a chunk at %d", at)
		}
		done += int(per)
		return nil
	})
	if err == nil && done != len(s.all) {
		err = unsupported("stsc: %d samples of %d", done, len(s.all))
	}
	return err
}

// eachChunk goes through the chunks: where each begins, and how many samples
// it holds, which stsc says from one chunk on until it says otherwise.
func eachChunk(tables map[string][]byte, visit func(at uint64, per int64) error) error {
	name, c := "stco", chunks{width: 4}
	if _, wide := tables["co64"]; wide {
		name, c = "co64", chunks{width: 8}
	}
	var err error
	if c.entries, err = table(name, tables[name], c.width); err != nil {
		return err
	}
	runs, err := table("stsc", tables["stsc"], 12)
	if err != nil {
		return err
	}
	for at := 0; at < len(runs); at += 12 {
		first, per := int64(u32(runs, at))-1, int64(u32(runs, at+4))
		next := int64(c.count())
		if at+12 < len(runs) {
			next = int64(u32(runs, at+12)) - 1
		}
		if at == 0 && first != 0 || next <= first || next > int64(c.count()) || per == 0 || u32(runs, at+8) != 1 {
			return unsupported("stsc: entry %d", at/12)
		}
		for chunk := first; chunk < next; chunk++ {
			if err := visit(c.offset(int(chunk)), per); err != nil {
				return err
			}
		}
	}
	return nil
}

// run lays samples one after the other.
func run(part []Sample, at uint64) bool {
	for i := range part {
		if at > math.MaxInt64/4 {
			return false
		}
		part[i].Pos = int64(at)
		at += uint64(part[i].Size)
	}
	return true
}

// times gives the samples their decoding times and durations.
func (s *samples) times(stts []byte) error {
	entries, err := table("stts", stts, 8)
	if err != nil {
		return err
	}
	at, now := 0, int64(0)
	for e := 0; e < len(entries); e += 8 {
		count, step := int64(u32(entries, e)), int64(u32(entries, e+4))
		if count == 0 || count > int64(len(s.all)-at) || step > math.MaxInt32 || step == 0 && at+1 < len(s.all) {
			return unsupported("stts: entry %d", e/8)
		}
		for i := range s.all[at : at+int(count)] {
			s.all[at+i].DTS, s.all[at+i].Duration = now, uint32(step)
			now += step
		}
		at += int(count)
	}
	if at != len(s.all) {
		return unsupported("stts: %d samples of %d", at, len(s.all))
	}
	if s.length <= 0 {
		return unsupported("mdhd: no duration")
	}
	if now > 0 {
		s.length = min(s.length, now)
	}
	if n := len(entries) / 8; n == 1 || n == 2 && u32(entries, 8) == 1 {
		s.regular = int64(u32(entries, 4))
	}
	s.common = common(s.all)
	return nil
}

// judged is how many samples ffmpeg judges the frame rate by, when it takes it
// from the tables; the first distances do not count.
const judged, jitter = 99, 3

// common is the largest number of ticks that the first distances are multiples
// of; 0 when it depends on whether the very first ones count.
func common(all []Sample) int64 {
	var some, every int64
	for i := 0; i+1 < min(len(all), judged); i++ {
		every = spool.GCD(every, int64(all[i].Duration))
		if i >= jitter {
			some = spool.GCD(some, int64(all[i].Duration))
		}
	}
	if some != every || len(all) < 20 {
		return 0
	}
	return some
}

// compositions reads how long after its decoding each sample is shown.
func (s *samples) compositions(ctts []byte) error {
	if ctts == nil {
		return nil
	}
	entries, err := table("ctts", ctts, 8)
	if err != nil || len(entries) == 0 {
		return err
	}
	s.offsets = make([]int32, 0, len(s.all))
	for e := 0; e < len(entries); e += 8 {
		count, offset := int64(u32(entries, e)), int32(u32(entries, e+4))
		if count == 0 || count > int64(len(s.all)-len(s.offsets)) || offset > 1<<28 || offset < -1<<28 {
			return unsupported("ctts: entry %d", e/8)
		}
		for range count {
			s.offsets = append(s.offsets, offset)
		}
		// The last two entries do not count in ffmpeg: some writers have
		// nonsense there.
		if e+16 < len(entries) {
			s.shift = max(s.shift, -int64(offset))
		}
	}
	if len(s.offsets) != len(s.all) {
		return unsupported("ctts: %d samples of %d", len(s.offsets), len(s.all))
	}
	return nil
}

// keys marks the samples that decoding can begin at: all when none is listed.
func (s *samples) keys(tables map[string][]byte) error {
	listed := false
	for _, name := range []string{"stss", "stps"} {
		b, ok := tables[name]
		if !ok {
			continue
		}
		entries, err := table(name, b, 4)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return unsupported("%s: empty", name)
		}
		last := uint32(0)
		for at := 0; at < len(entries); at += 4 {
			n := u32(entries, at)
			if n <= last || uint64(n) > uint64(len(s.all)) {
				return unsupported("%s: sample %d", name, n)
			}
			s.all[n-1].Key, last = true, n
		}
		listed = listed || name == "stss"
	}
	for i := range s.all {
		s.all[i].Key = s.all[i].Key || !listed
	}
	return s.groups(tables["rap"])
}

// groups marks the random access points that are not sync samples: pictures of
// open GOPs (ISO/IEC 14496-12, 8.9.2 and 10.4).
func (s *samples) groups(sbgp []byte) error {
	if sbgp == nil {
		return nil
	}
	skip := 4
	if sbgp[0] == 1 {
		skip = 8 // with a parameter
	}
	if len(sbgp) < skip {
		return unsupported("sbgp: cut")
	}
	entries, err := table("sbgp", sbgp[skip:], 8)
	if err != nil {
		return err
	}
	at := uint64(0)
	for e := 0; e < len(entries); e += 8 {
		count, member := uint64(u32(entries, e)), u32(entries, e+4) > 0
		if count == 0 || at+count > uint64(len(s.all)) {
			return unsupported("sbgp: entry %d", e/8)
		}
		for i := at; i < at+count; i++ {
			s.all[i].Key = s.all[i].Key || member
		}
		at += count
	}
	return nil
}

// check finds samples that the file does not hold.
func (s *samples) check() error {
	for i := range s.all {
		sample := &s.all[i]
		if s.size >= 0 && sample.Bytes().To > s.size {
			return unsupported("sample %d ends at %d, beyond the end of the file", i, sample.Bytes().To)
		}
		if sample.Size == 0 || sample.Size > 1<<29 {
			return unsupported("sample %d has %d bytes", i, sample.Size)
		}
	}
	return nil
}
