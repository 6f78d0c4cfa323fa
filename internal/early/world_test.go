package early

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/grid"
	"github.com/spool-video/spool/internal/hls"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/verify/verifytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	video    = "vid"
	target   = 6 * time.Second
	rate     = 25
	segment  = 6 * rate // frames
	sounding = 48000
)

// world is a store with a reader that looks at it after every write, and what
// is made in it.
type world struct {
	*verifytest.Memory
	t *testing.T

	mu       sync.Mutex
	lists    map[string]seen // growing lists by name; mu guards it
	offers   []string        // revisions that early.m3u8 led to; mu guards it
	notes    []Note          // mu guards it
	exported bool            // mu guards it
	flawed   bool            // AtomicPut is false
	key      *spool.ContentKey
	dead     bool  // mu guards it: the process was killed
	killAt   int   // writes until then, when above 0; mu guards it
	refusal  error // of the store; mu guards it
	// starving says whether segment n was not there before now. Nil: all are.
	// mu guards it.
	starving func(n int) bool
}

// seen is a growing list as the reader saw it last.
type seen struct {
	hls.Media
	changed time.Time
}

func newWorld(t *testing.T) *world {
	w := &world{Memory: verifytest.NewMemory(), t: t, lists: map[string]seen{}}
	w.Refuse = func(string, string) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.refusal
	}
	return w
}

// refuse makes the store give an error, nil for none, to everything. Nobody
// blames the keeper then for a list that stands still.
func (w *world) refuse(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusal = err
	w.starving = func(int) bool { return true }
}

func (w *world) Properties() store.Properties {
	return store.Properties{Address: "/out", AtomicPut: !w.flawed}
}

var errDead = errors.New("the process was killed")

// alive counts writes, and refuses everything after the last one.
func (w *world) alive(write bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return errDead
	}
	if write && w.killAt > 0 {
		if w.killAt--; w.killAt == 0 {
			w.dead = true
		}
	}
	return nil
}

func (w *world) Put(ctx context.Context, name string, body io.ReadSeeker, o store.PutOptions) error {
	if err := w.alive(true); err != nil {
		return err
	}
	if err := w.Memory.Put(ctx, name, body, o); err != nil {
		return err
	}
	w.look(name, o)
	return nil
}

func (w *world) Delete(ctx context.Context, name string) error {
	if err := w.alive(true); err != nil {
		return err
	}
	return w.Memory.Delete(ctx, name)
}

func (w *world) Open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	if err := w.alive(false); err != nil {
		return nil, err
	}
	return w.Memory.Open(ctx, name, offset, length)
}

func (w *world) List(ctx context.Context, prefix string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if err := w.alive(false); err != nil {
			yield(store.Info{}, err)
			return
		}
		w.Memory.List(ctx, prefix)(yield)
	}
}

// look is the reader's.
func (w *world) look(name string, o store.PutOptions) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := w.Bytes(name)
	if o.ContentType != hls.ContentType || !strings.Contains(o.CacheControl, "max-age=") {
		w.t.Errorf("%s is put with %+v", name, o)
	}
	if name == video+"/"+Name {
		w.lookAtMaster(text)
		return
	}
	list, err := hls.ParseMedia(text)
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	for _, uri := range append([]string{list.Map}, uris(list)...) {
		if object := path.Join(path.Dir(name), uri); w.Bytes(object) == nil {
			w.t.Errorf("%s names %s, which is not there", name, object)
		}
	}
	if len(list.Segments) > 0 && list.Segments[0].Key != nil && !w.exported {
		w.t.Errorf("%s names a key that players cannot get", name)
	}
	before, known := w.lists[name]
	w.lists[name] = seen{list, time.Now()}
	if !known {
		if !list.Ended && (!list.Event || !list.FromStart || list.Sequence != 0) {
			w.t.Errorf("%s begins as %+v", name, list)
		}
		return
	}
	w.compare(name, before, list)
}

// compare is what a player expects of a list that it loads again.
func (w *world) compare(name string, before seen, list hls.Media) {
	n := len(before.Segments)
	if before.Ended {
		w.t.Errorf("%s changes after its end", name)
	}
	if len(list.Segments) < n || !reflect.DeepEqual(list.Segments[:n], before.Segments) {
		w.t.Errorf("%s: what stood is changed:\n%+v\n%+v", name, before.Segments, list.Segments)
	}
	list.Segments, list.Ended = before.Segments, before.Ended
	if !reflect.DeepEqual(list, before.Media) {
		w.t.Errorf("%s: its head is changed: %+v, was %+v", name, list, before.Media)
	}
	limit := time.Duration(list.Target) * time.Second * 3 / 2
	if still := time.Since(before.changed); still > limit && (w.starving == nil || !w.starving(n)) {
		w.t.Errorf("%s stood still for %v with %d segments", name, still, n)
	}
}

func (w *world) lookAtMaster(text []byte) {
	master, err := hls.ParseMaster(text)
	if err != nil {
		w.t.Fatalf("%s: %v", Name, err)
	}
	revision, ok := Leads(text)
	if !ok {
		w.t.Errorf("%s does not lead to one revision:\n%s", Name, text)
	}
	w.offers = append(w.offers, revision)
	for _, uri := range append(variants(master), renditionURIs(master)...) {
		if _, there := w.lists[video+"/"+uri]; !there {
			w.t.Errorf("%s names %s, which is not there", Name, uri)
		}
	}
}

func uris(m hls.Media) []string {
	var all []string
	for _, s := range m.Segments {
		all = append(all, s.URI)
	}
	return all
}

func variants(m hls.Master) []string {
	var all []string
	for _, v := range m.Variants {
		all = append(all, v.URI)
	}
	return all
}

func renditionURIs(m hls.Master) []string {
	var all []string
	for _, a := range m.Audio {
		all = append(all, a.URI)
	}
	return all
}

// list is what the reader sees of a rendition.
func (w *world) list(revision, rendition string) seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lists[path.Join(video, listName(revision, rendition))]
}

func (w *world) say(_ string, n Note) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, n)
}

func (w *world) said(words string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.notes {
		if strings.Contains(n.Text, words) {
			return true
		}
	}
	return false
}

func (w *world) offered() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.offers)
}

func (w *world) there(name string) bool { return w.Bytes(video+"/"+name) != nil }

// keeper starts a keeper, and gives what stops it.
func (w *world) keeper(mode Mode) (*Keeper, func()) {
	k := &Keeper{Store: w, Mode: mode, Say: w.say, Export: func(string, spool.ContentKey) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.exported = true
		return nil
	}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.Run(ctx)
	}()
	return k, sync.OnceFunc(func() {
		cancel()
		<-done
	})
}

// plan is one of n segments; the last is shorter.
func plan(n int) *spool.Plan {
	p := &spool.Plan{
		Timeline: spool.Timeline{Rate: spool.Ratio{Num: rate, Den: 1}},
		Grid:     spool.Grid{GOP: 2 * rate, Target: 6, PrimingSamples: 1024},
		Rungs: []spool.Rung{
			{Name: "v1-720p", Width: 1280, Height: 720, MaxRate: 3_000_000, Action: spool.EncodeRung},
			{Name: "v0-360p", Width: 640, Height: 360, MaxRate: 800_000, Action: spool.EncodeRung},
		},
		Sounds: []spool.Sound{{Name: "a0-eng", Language: "eng", SampleRate: sounding, Channels: 2, BitRate: 128_000}},
	}
	for i := range n {
		frames := segment
		if i == n-1 {
			frames = segment * 2 / 3
		}
		p.Timeline.Frames += frames
		p.Grid.Frames = append(p.Grid.Frames, frames)
		p.Grid.Packets = append(p.Grid.Packets, frames*sounding/rate/1024)
	}
	p.Grid.Packets[0]++ // the priming
	p.Chunks = grid.Chunks(p.Grid)
	return p
}

func making(revision string) spool.Video {
	return spool.Video{ID: video, Revision: revision, Status: spool.Working}
}

// make puts segment n of the renditions into the store and says so.
func (w *world) make(revision string, p *spool.Plan, n int, renditions ...string) spool.Made {
	var m spool.Made
	put := func(name string) spool.Object {
		w.Set(path.Join(video, name), []byte(name))
		return spool.Object{Name: name, Size: 1000}
	}
	for _, r := range renditions {
		init := spool.InitSection{Rendition: r, Codec: "avc1.64001f", Width: 640, Height: 360}
		units := p.Grid.Frames
		if strings.HasPrefix(r, "a") {
			init = spool.InitSection{Rendition: r, Codec: "mp4a.40.2"}
			units = p.Grid.Packets
		}
		init.Object = put(fmt.Sprintf("%s/%s/init-00000000.mp4", revision, r))
		m.Inits = append(m.Inits, init)
		m.Segments = append(m.Segments, spool.Segment{
			Object:    put(fmt.Sprintf("%s/%s/%05d-0123abcd.m4s", revision, r, n)),
			Rendition: r, Number: n, Units: units[n],
		})
	}
	return m
}

// whole makes segment n of all renditions.
func (w *world) whole(revision string, p *spool.Plan, n int) spool.Made {
	return w.make(revision, p, n, renditionsOf(p)...)
}

func renditionsOf(p *spool.Plan) []string {
	var all []string
	for _, l := range newLists(p, "") {
		all = append(all, l.rendition)
	}
	return all
}

// finish makes what is left of a revision and puts its final playlists.
func (w *world) finish(revision string, p *spool.Plan) spool.Video {
	var made []spool.Made
	for n := range p.Grid.Segments() {
		made = append(made, w.whole(revision, p, n))
	}
	return w.publish(revision, p, made)
}

// publish puts the final playlists of what was made; of what was made twice,
// the last counts.
func (w *world) publish(revision string, p *spool.Plan, made []spool.Made) spool.Video {
	files := map[string]string{} // by rendition and number
	for _, m := range made {
		for _, s := range m.Segments {
			files[fmt.Sprint(s.Rendition, s.Number)] = path.Base(s.Name)
		}
	}
	for _, l := range newLists(p, "") {
		m := hls.Media{Version: hls.Version, Target: p.Grid.Target, VOD: true, Ended: true, Map: "init-00000000.mp4"}
		for i, d := range l.durations(p.Grid.Segments(), p) {
			s := hls.Segment{URI: files[fmt.Sprint(l.rendition, i)], Duration: d}
			if w.key != nil {
				iv := keys.IV(w.key.Bytes, l.rendition, i)
				s.Key = &hls.Key{URI: w.key.URI, IV: &iv}
			}
			m.Segments = append(m.Segments, s)
		}
		text, err := m.Encode()
		if err != nil {
			w.t.Fatal(err)
		}
		w.Set(path.Join(video, revision, l.rendition, "index.m3u8"), text)
	}
	w.Set(video+"/master.m3u8", []byte("#EXTM3U\n"))
	return spool.Video{ID: video, Revision: revision, Published: revision, Status: spool.Ready}
}
