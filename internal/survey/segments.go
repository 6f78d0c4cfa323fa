package survey

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/survey/m3u8"
	"github.com/spool-video/spool/internal/survey/stream"
)

// secret is a key, or why there is none.
type secret struct {
	key []byte
	err error
}

// secrets are the keys that were asked for.
type secrets struct {
	mu sync.Mutex
	of map[string]secret // by address; owned by mu
}

// initSection is a file that an EXT-X-MAP names, read once.
type initSection struct {
	once  sync.Once
	bytes []byte
	init  stream.Init
	file  File
	wrong *stream.Problem // why it could not be read
}

type inits struct {
	mu sync.Mutex
	of map[string]*initSection // by address and range; owned by mu
}

// work is one segment to be read.
type work struct {
	list *List
	part *Part
}

// segments reads all segments of all playlists, some at a time.
func (s *surveyor) segments(ctx context.Context) error {
	var all []work
	for _, l := range s.pkg.Lists {
		l.Parts = make([]Part, len(l.Segments))
		for i, seg := range l.Segments {
			l.Parts[i] = Part{Segment: seg, Number: i}
			all = append(all, work{l, &l.Parts[i]})
		}
	}
	if len(all) > maxSegments {
		s.unchecked(fmt.Sprintf("only the first %d segments were read", maxSegments))
		all = all[:maxSegments]
	}
	next := make(chan work)
	var readers sync.WaitGroup
	for range max(s.o.Readers, 2) {
		readers.Go(func() {
			for w := range next {
				if ctx.Err() == nil {
					s.part(ctx, w.list, w.part)
				}
			}
		})
	}
	for _, w := range all {
		next <- w
	}
	close(next)
	readers.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.sum(all)
	return nil
}

// sum adds up what the readers found, each for itself.
func (s *surveyor) sum(all []work) {
	counted := map[string]bool{}
	for _, w := range all {
		s.pkg.Bytes += w.part.File.Size
		if !counted[w.part.InitName] {
			counted[w.part.InitName] = true
			s.pkg.Bytes += w.part.InitSize
		}
		for _, p := range w.part.Problems {
			if p.Rule == 0 {
				s.unchecked(fmt.Sprintf("%s: %s", w.list.Name, p.Text))
			}
		}
	}
}

func (p *Part) wrong(rule int, format string, args ...any) {
	p.Problems = append(p.Problems, stream.Problem{Rule: rule, Text: fmt.Sprintf(format, args...)})
}

// part reads one segment.
func (s *surveyor) part(ctx context.Context, l *List, p *Part) {
	if p.Gap {
		return
	}
	at, err := l.url.Parse(p.URI)
	if err != nil || p.URI == "" {
		p.wrong(18, "its URI is none")
		return
	}
	b, file, err := s.source.Read(ctx, at, p.Range, maxSegment)
	p.File = file
	if err != nil {
		if ctx.Err() == nil {
			p.wrong(18, "it cannot be read: %s", spool.AsError(err).Reason)
		}
		return
	}
	init := s.initOf(ctx, l, p)
	if p.Map != nil && init == nil {
		return
	}
	plain, ok := s.decrypt(ctx, l, p, b)
	if !ok {
		return
	}
	if l.Playlist.IFrames && p.Range != nil && stream.Sniff(plain) == stream.TS {
		plain = plain[:len(plain)-len(plain)%stream.PacketSize] // a range may end anywhere behind its picture
	}
	if sampled(p, plain) {
		s.sampled(ctx, l, p, plain)
		return
	}
	var head *stream.Init
	if init != nil && len(init.init.Tracks) > 0 {
		head = &init.init
	}
	p.Media, p.Known = stream.Read(head, plain), true
	if head != nil {
		p.Init = head
	}
	if s.o.Decode != nil && !l.Playlist.IFrames && p.decodable() {
		media := plain
		if init != nil {
			media = append(append(make([]byte, 0, len(init.bytes)+len(plain)), init.bytes...), plain...)
		}
		s.decode(ctx, p, media)
	}
}

// decodable: there are pictures or sound, and no sample is encrypted by itself.
func (p *Part) decodable() bool {
	if p.Key != nil && p.Key.Method != "AES-128" || len(p.Media.Runs) == 0 {
		return false
	}
	for _, r := range p.Media.Runs {
		if p.Media.Container == stream.Packed && r.Track.Entry != "mp4a" {
			return false // the demuxer would have to be guessed
		}
		if r.Track.Protection != nil || r.Track.Sampled || r.Track.Kind != stream.Video && r.Track.Kind != stream.Audio {
			return false
		}
	}
	return true
}

func (s *surveyor) decode(ctx context.Context, p *Part, media []byte) {
	counts, err := s.o.Decode(ctx, p.Media.Container, media)
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, ErrUndecodable):
		p.wrong(90, "it does not decode")
	case err != nil:
		p.wrong(0, "it was not decoded: %s", spool.AsError(err).Reason)
	default:
		p.Decoded = counts
	}
}

// initOf reads the init section of a segment; nil when it has none, or none
// that can be read, which is told with its segment.
func (s *surveyor) initOf(ctx context.Context, l *List, p *Part) *initSection {
	if p.Map == nil {
		return nil
	}
	at, err := l.url.Parse(p.Map.URI)
	if err != nil || p.Map.URI == "" {
		p.wrong(18, "the URI of its EXT-X-MAP is none")
		return nil
	}
	name := at.String()
	if p.Map.Range != nil {
		name += fmt.Sprintf("@%d+%d", p.Map.Range.Offset, p.Map.Range.Length)
	}
	s.inits.mu.Lock()
	if s.inits.of[name] == nil {
		s.inits.of[name] = &initSection{}
	}
	i := s.inits.of[name]
	s.inits.mu.Unlock()
	i.once.Do(func() { s.readInit(ctx, l, p, i, at) })
	p.InitName, p.InitSize = s.name(at), i.file.Size
	if i.wrong != nil {
		p.Problems = append(p.Problems, *i.wrong)
		return nil
	}
	return i
}

func (s *surveyor) readInit(ctx context.Context, l *List, p *Part, i *initSection, at *url.URL) {
	b, file, err := s.source.Read(ctx, at, p.Map.Range, maxSegment)
	if err != nil {
		i.wrong = &stream.Problem{Rule: 18, Text: "its init section cannot be read: " + spool.AsError(err).Reason}
		return
	}
	i.file = file
	if k := p.Map.Key; k != nil && k.Method == "AES-128" && stream.Sniff(b) == "" {
		if k.IV == nil {
			i.wrong = &stream.Problem{Rule: 102, Text: "its init section is encrypted with a key that has no IV"}
			return
		}
		key, err := s.secretOf(ctx, l, k)
		if err != nil {
			i.wrong = &stream.Problem{Text: "a key cannot be had (" + spool.AsError(err).Reason + "), so its segments were not checked"}
			return
		}
		if b, err = keys.Decrypt(key, *k.IV, b); err != nil {
			i.wrong = &stream.Problem{Rule: 100, Text: "its init section does not decrypt: " + decryptFault(err)}
			return
		}
	}
	i.bytes, i.init = b, stream.ReadInit(b)
}

// decrypt gives the clear segment; false when it cannot, which is told.
func (s *surveyor) decrypt(ctx context.Context, l *List, p *Part, b []byte) ([]byte, bool) {
	if p.Key == nil || p.Key.Method != "AES-128" {
		return b, true
	}
	key, err := s.secretOf(ctx, l, p.Key)
	if err != nil {
		p.wrong(0, "a key cannot be had (%s), so its segments were not checked", spool.AsError(err).Reason)
		return nil, false
	}
	plain, err := keys.Decrypt(key, ivOf(l, p), b)
	if err != nil {
		p.wrong(100, "it does not decrypt: %s", decryptFault(err))
		return nil, false
	}
	if stream.Sniff(plain) == "" {
		p.wrong(101, "what decrypts is no media: the key or the IV is wrong")
		return nil, false
	}
	return plain, true
}

func decryptFault(err error) string {
	switch {
	case errors.Is(err, keys.ErrBlockSize):
		return keys.ErrBlockSize.Error()
	case errors.Is(err, keys.ErrPadding):
		return keys.ErrPadding.Error()
	}
	return "its key is not 16 bytes long"
}

// secretOf gets a key once.
func (s *surveyor) secretOf(ctx context.Context, l *List, k *m3u8.Key) ([]byte, error) {
	at, err := l.url.Parse(k.URI)
	if err != nil || k.URI == "" || k.Format != "identity" {
		return nil, unreadable("its URI or its format is of no use here", err)
	}
	s.secrets.mu.Lock()
	defer s.secrets.mu.Unlock()
	got, known := s.secrets.of[at.String()]
	if !known {
		got.key, got.err = s.ask(ctx, k.URI, at)
		s.secrets.of[at.String()] = got
	}
	return got.key, got.err
}

func (s *surveyor) ask(ctx context.Context, uri string, at *url.URL) ([]byte, error) {
	if s.o.Keys != nil {
		if key, err := s.o.Keys(ctx, uri); err == nil {
			return key, nil
		}
	}
	key, _, err := s.source.Read(ctx, at, nil, maxKey)
	return key, err
}
