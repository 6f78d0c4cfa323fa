package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/store"
)

// presence compares the store's list with the manifest: every object is there
// with its size.
func (c *checker) presence(ctx context.Context) error {
	prefix := c.video + "/"
	for info, err := range c.store.List(ctx, prefix+c.report.Revision+"/") {
		if err != nil {
			return fmt.Errorf("list %s: %w", c.report.Revision, err)
		}
		c.sizes[strings.TrimPrefix(info.Name, prefix)] = info.Size
	}
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
// its hash.
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
	for _, o := range small {
		if _, there := c.sizes[o.Name]; !there && c.texts[o.Name] == nil {
			continue // it was reported as missing
		}
		text := c.texts[o.Name]
		if text == nil {
			var err error
			if text, err = c.text(ctx, o.Name); err != nil {
				return err
			}
		}
		c.texts[o.Name] = text
		if text != nil {
			c.hash(o, text)
		}
	}
	return nil
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
