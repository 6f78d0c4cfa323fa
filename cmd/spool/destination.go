package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/store/folder"
)

// sight is how the destination was found last: its token, and where the file
// system was mounted that holds it. A mount point whose bucket is not mounted
// is a folder without that token, and not the destination.
type sight struct {
	token, mount string
}

func sightPath(cfg config.Config) string { return filepath.Join(cfg.State, "destination") }

// lastSight reads what keepSight wrote; the zero value when nothing was.
func lastSight(cfg config.Config) (sight, error) {
	b, err := os.ReadFile(sightPath(cfg))
	if errors.Is(err, os.ErrNotExist) {
		return sight{}, nil
	}
	if err != nil {
		return sight{}, fmt.Errorf("read how the destination was found: %w", err)
	}
	token, mount, _ := strings.Cut(strings.TrimRight(string(b), "\n"), "\n")
	return sight{token, mount}, nil
}

func keepSight(cfg config.Config, s sight) error {
	if err := os.WriteFile(sightPath(cfg), []byte(s.token+"\n"+s.mount+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep how the destination was found: %w", err)
	}
	return nil
}

// destination opens the destination for writing. One that is missing though
// its file system is mounted was deleted: it is made anew, and fresh is true.
func destination(ctx context.Context, cfg config.Config) (s opened, fresh bool, err error) {
	last, err := lastSight(cfg)
	if err != nil {
		return nil, false, err
	}
	now := sight{}
	_, far := cfg.RemoteTo()
	if !far {
		now.mount = folder.MountPoint(cfg.To)
	}
	s, err = toWrite(ctx, cfg, last.token)
	var e *spool.Error
	if errors.As(err, &e) && e.Code == "dest-away" && now.mount != "" && now.mount == last.mount {
		fresh = true
		s, err = toWrite(ctx, cfg, "")
	}
	if errors.As(err, &e) && (e.Code == "dest-away" && !far || e.Code == "dest-another") {
		away := *e
		away.Hint = "mount or connect it, and run this again; if it was deleted on purpose, delete " + sightPath(cfg) + ", too"
		err = &away
	}
	if err != nil {
		return nil, false, err
	}
	now.token = s.Token()
	// A store that answers and has no token any more was emptied.
	fresh = fresh || last.token != "" && now.token != last.token
	if now != last {
		if err := keepSight(cfg, now); err != nil {
			return nil, false, errors.Join(err, s.Close())
		}
	}
	return s, fresh, nil
}

// checkKeysOutside refuses a folder of keys from which players could read them.
func checkKeysOutside(cfg config.Config, dir string) error {
	if _, far := cfg.RemoteTo(); far {
		return nil // no folder of this machine lies in a store
	}
	return keys.CheckOutside(dir, cfg.To)
}
