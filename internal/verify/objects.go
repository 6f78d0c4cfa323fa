package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/store"
)

// readers is how many objects are read at a time: a bucket answers late, not
// slowly.
const readers = 24

// list asks the store what it has of the revision.
func (c *checker) list(ctx context.Context) error {
	prefix := c.video + "/"
	for info, err := range c.store.List(ctx, prefix+c.report.Revision+"/") {
		if err != nil {
			return fmt.Errorf("list %s: %w", c.report.Revision, err)
		}
		c.sizes[strings.TrimPrefix(info.Name, prefix)] = info.Size
	}
	return nil
}

// presence compares the store's list with the manifest: every object is there
// with its size.
func (c *checker) presence(ctx context.Context) error {
	known := map[string]bool{c.report.Revision + "/" + ManifestName: true}
	for _, o := range c.manifest.Objects() {
		known[o.Name] = true
		c.report.Objects++
		c.report.Bytes += o.Size
		if err := c.present(ctx, o); err != nil {
			return err
		}
	}
	for name := range c.sizes {
		if !known[name] {
			c.add(Finding{Object: name, Rule: "stray", Level: Warning, Text: "the manifest does not know this object"})
		}
	}
	return nil
}

func (c *checker) present(ctx context.Context, o spool.Object) error {
	if pending, ok := c.o.Pending[o.Name]; ok {
		c.sizes[o.Name] = int64(len(pending))
	}
	size, listed := c.sizes[o.Name]
	if !listed {
		info, err := c.store.Stat(ctx, c.video+"/"+o.Name)
		if errors.Is(err, store.ErrNotFound) {
			c.fail(o.Name, "missing", "the object is not there", "", "")
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for %s: %w", o.Name, err)
		}
		size = info.Size
		c.sizes[o.Name] = size
	}
	if size != o.Size {
		c.fail(o.Name, "size", "the object has another size", fmt.Sprint(o.Size), fmt.Sprint(size))
	}
	return nil
}

// smallObjects reads everything but segments, and compares it byte for byte by
// its hash. In the same go it reads the segments that are looked at later.
func (c *checker) smallObjects(ctx context.Context) error {
	small := append(c.manifest.glance(), c.manifest.Beside...)
	for _, r := range c.manifest.Renditions {
		if r.Init.Name != "" {
			small = append(small, r.Init.Object)
		}
		small = append(small, r.Playlist)
		if r.IFrames != nil {
			small = append(small, *r.IFrames)
		}
	}
	for _, r := range c.manifest.Subtitles {
		small = append(small, r.Playlist)
	}
	// Those that are not there were reported.
	small = slices.DeleteFunc(small, func(o spool.Object) bool {
		_, there := c.sizes[o.Name]
		return !there && c.texts[o.Name] == nil
	})
	samples := c.samples()
	all := slices.Concat(samples, small)
	contents := make([][]byte, len(all))
	problems := make([]error, len(all))
	err := c.several(ctx, len(all), readers, func(ctx context.Context, i int) error {
		if contents[i] = c.texts[all[i].Name]; contents[i] == nil {
			contents[i], problems[i] = c.read(ctx, all[i].Name, maxText)
		}
		if errors.Is(problems[i], store.ErrNotFound) {
			return nil
		}
		return problems[i]
	})
	if err != nil {
		return err
	}
	for i, o := range samples {
		c.ahead[o.Name] = found{contents[i], problems[i]}
	}
	contents, problems = contents[len(samples):], problems[len(samples):]
	for i, o := range small {
		text, err := c.judge(o.Name, contents[i], problems[i])
		if err != nil {
			return err
		}
		c.texts[o.Name] = text
		if text != nil {
			c.hash(o, text)
		}
	}
	return nil
}

// found is what came of reading an object.
type found struct {
	content []byte
	err     error
}

// samples are the objects that are looked at of all segments, when that is not
// all of them.
func (c *checker) samples() (all []spool.Object) {
	if c.o.Deep {
		return nil
	}
	for _, r := range slices.Concat(c.manifest.Renditions, c.manifest.Subtitles) {
		if len(r.Segments) == 0 {
			continue
		}
		s := r.Segments[c.sample(r)]
		all = append(all, s.Object)
		for _, i := range s.IFrames {
			if i.Object != nil {
				all = append(all, *i.Object)
			}
		}
	}
	return slices.DeleteFunc(all, func(o spool.Object) bool {
		_, there := c.sizes[o.Name]
		return !there || o.Size < 0 || o.Size > maxText || c.sizes[o.Name] > o.Size
	})
}

// several does n things, some at a time. The first error ends it.
func (c *checker) several(ctx context.Context, n, atOnce int, do func(ctx context.Context, i int) error) error {
	return flow.Run(ctx, func(g *flow.Group) { //nolint:wrapcheck // each says what it was about
		queue := flow.NewQueue[int](atOnce)
		flow.Produce(g, 1, queue, func(_ context.Context, put func(int) error) error {
			for i := range n {
				if err := put(i); err != nil {
					return err
				}
			}
			return nil
		})
		flow.Consume(g, min(n, atOnce), queue, do)
	})
}

// hash compares an object's bytes with the manifest.
func (c *checker) hash(o spool.Object, content []byte) bool {
	sum := Sum(content)
	if sum == o.SHA256 {
		return true
	}
	c.fail(o.Name, "sha256", "the object is not what was published", o.SHA256, sum)
	return false
}
