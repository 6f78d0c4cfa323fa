package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/early"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/server"
)

func newPreview() *cobra.Command {
	var open bool
	var port int
	cmd := &cobra.Command{
		Use: "preview", Short: "watch what is published, on a page of this machine", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			return preview(cmd.Context(), cfg, port, open, cmd.OutOrStdout())
		},
	}
	config.Bind(cmd.Flags(), "to", "state", "keys", "rclone-config", "config")
	cmd.Flags().BoolVar(&open, "open", false, "open it in the browser")
	cmd.Flags().IntVar(&port, "port", 0, "port on 127.0.0.1; 0 is any free one")
	return cmd
}

// preview serves the page until the user has seen enough.
func preview(ctx context.Context, cfg config.Config, port int, open bool, out io.Writer) (err error) {
	_, far := cfg.RemoteTo()
	if _, err := os.Stat(cfg.To); !far && errors.Is(err, os.ErrNotExist) {
		return usage("nothing-published", "there is no folder "+cfg.To+", so that nothing is published in it", "--to chooses another destination")
	}
	p := server.Preview{Dir: cfg.To, Port: port, Command: "spool run SOURCE" + toFlag(cfg)}
	var sources []keySource
	var places []string
	if cfg.Keys != "" {
		sources, places = append(sources, server.KeysIn(cfg.Keys)), append(places, "the folder "+cfg.Keys)
	}
	switch h, herr := enter(ctx, cfg); {
	case herr != nil && far:
		return herr // only the ledger knows what is in a store
	case herr == nil:
		defer func() { err = errors.Join(err, h.close()) }()
		if far {
			p.Store = h.store
		}
		sources, places = append(sources, h.keySource()), append(places, "the ledger "+ledgerPath(cfg))
		p.Videos = h.listings
	}
	if len(sources) > 0 {
		p.Keys, p.KeysAt = server.FirstKey(sources...), strings.Join(places, " and ")
	}
	running, err := server.Start(ctx, p)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n", running.URL())
	if open {
		if err := server.Open(ctx, running.URL()); err != nil {
			fmt.Fprintln(out, "open the address above in a browser")
		}
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return running.Stop(end)
}

// listings are the videos that can be watched, newest first.
func (h *house) listings(ctx context.Context) ([]server.Listing, error) {
	videos, err := h.ledger.List(ctx, ledger.Filter{})
	if err != nil {
		return nil, err
	}
	var all []server.Listing
	for _, v := range slices.Backward(videos) {
		if v.Published != "" || !v.Status.Ended() && h.offered(ctx, v.ID) {
			all = append(all, server.Listing{ID: v.ID, Title: v.Title, Sizes: v.Sizes, Encrypted: v.Settings.Encrypt, Published: v.Changed})
		}
	}
	return all, nil
}

// offered reports whether a video can be watched although it is not ready.
func (h *house) offered(ctx context.Context, id string) bool {
	_, err := h.store.Stat(ctx, id+"/"+early.Name)
	return err == nil
}

// keySource gives keys out of the ledger, to programs on this machine.
func (h *house) keySource() keySource {
	return func(ctx context.Context, ask server.KeyRequest) ([]byte, error) {
		key, err := h.keys.Bytes(ctx, ask.Video, keys.Named(ask.URI, ask.Name))
		if errors.Is(err, ledger.ErrNotFound) {
			return nil, fmt.Errorf("%w: %w", server.ErrNoKey, err)
		}
		return key, err
	}
}
