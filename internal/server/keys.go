package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// KeysIn looks for keys in a folder that holds them as <video>/<key>.key. The
// template of the key URIs need not be known: the key is the one that is
// named in the URI, or by the request.
func KeysIn(dir string) func(context.Context, KeyRequest) ([]byte, error) {
	return func(_ context.Context, ask KeyRequest) ([]byte, error) {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, missing(err)
		}
		defer root.Close()
		entries, err := fs.ReadDir(root.FS(), ask.Video)
		if err != nil {
			return nil, missing(err)
		}
		best := ""
		for _, entry := range entries {
			name, ok := strings.CutSuffix(entry.Name(), ".key")
			if ok && len(name) > len(best) && (name == ask.Name || strings.Contains(ask.URI, name)) {
				best = name
			}
		}
		if best == "" {
			return nil, fmt.Errorf("key of %s: %w", ask.Video, ErrNoKey)
		}
		return root.ReadFile(filepath.Join(ask.Video, best+".key"))
	}
}

// FirstKey asks one source of keys after the other until one has the key.
func FirstKey(sources ...func(context.Context, KeyRequest) ([]byte, error)) func(context.Context, KeyRequest) ([]byte, error) {
	return func(ctx context.Context, ask KeyRequest) ([]byte, error) {
		for _, source := range sources {
			key, err := source(ctx, ask)
			if err == nil || !errors.Is(err, ErrNoKey) && !errors.Is(err, fs.ErrNotExist) {
				return key, err
			}
		}
		return nil, fmt.Errorf("key of %s: %w", ask.Video, ErrNoKey)
	}
}
