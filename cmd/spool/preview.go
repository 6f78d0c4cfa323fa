package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool/internal/config"
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
	config.Bind(cmd.Flags(), "to", "state", "keys", "config")
	cmd.Flags().BoolVar(&open, "open", false, "open it in the browser")
	cmd.Flags().IntVar(&port, "port", 0, "port on 127.0.0.1; 0 is any free one")
	return cmd
}

// preview serves the page until the user has seen enough.
func preview(ctx context.Context, cfg config.Config, port int, open bool, out io.Writer) (err error) {
	p := server.Preview{Dir: cfg.To, Port: port, Command: "spool run SOURCE --to " + cfg.To}
	var sources []func(context.Context, server.KeyRequest) ([]byte, error)
	if cfg.Keys != "" {
		sources = append(sources, server.KeysIn(cfg.Keys))
		p.KeysAt = "the folder " + cfg.Keys
	}
	if h, err := enter(ctx, cfg); err == nil {
		defer func() { err = errors.Join(err, h.close()) }()
		sources = append(sources, h.keySource())
		p.KeysAt = "the ledger " + ledgerPath(cfg)
	}
	if len(sources) > 0 {
		p.Keys = server.FirstKey(sources...)
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

// keySource gives keys out of the ledger, to programs on this machine.
func (h *house) keySource() keySource {
	return func(ctx context.Context, ask server.KeyRequest) ([]byte, error) {
		key, err := h.keys.Bytes(ctx, ask.Video, ask.Name)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", server.ErrNoKey, err)
		}
		return key, nil
	}
}
