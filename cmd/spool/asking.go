package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/lock"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/webapi"
)

// counter is what commands ask: a serve, or the destination itself.
type counter interface {
	List(ctx context.Context, q webapi.Query) (webapi.Page, error)
	Get(ctx context.Context, id string) (webapi.Detail, error)
	Retry(ctx context.Context, id string) (webapi.Video, error)
	Cancel(ctx context.Context, id string) (webapi.Video, error)
	Remove(ctx context.Context, id string, r webapi.Removal) error
}

// bindAsking declares the flags of a command that asks a counter.
func bindAsking(cmd *cobra.Command, more ...string) {
	config.Bind(cmd.Flags(), append([]string{"to", "state", "api", "token-file", "rclone-config", "config"}, more...)...)
}

// asked opens the counter of a command: a serve when one is at work on the
// destination, or was named; else the destination itself.
func asked(cmd *cobra.Command, do func(ctx context.Context, cfg config.Config, c counter) error) error {
	cfg, err := load(cmd)
	if err != nil {
		return err
	}
	client, err := serving(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	if client != nil {
		return do(cmd.Context(), cfg, client)
	}
	h, err := enter(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	return errors.Join(do(cmd.Context(), cfg, &desk{house: h}), h.close())
}

// address is where a serve answers, for the commands of its machine.
type address struct {
	URL string `json:"url"`
	PID int    `json:"pid"`
}

func addressPath(cfg config.Config) string { return filepath.Join(cfg.State, "api.json") }

// serving is the serve to ask: the one that --api names, or that holds the
// destination and has an API. Nil: there is none.
func serving(ctx context.Context, cfg config.Config) (*webapi.Client, error) {
	at := cfg.API
	if at == "" {
		holder, held := lock.Held(ctx, cfg.State)
		if !held || holder.Command != "serve" {
			return nil, nil
		}
		var a address
		b, err := os.ReadFile(addressPath(cfg))
		if err != nil || json.Unmarshal(b, &a) != nil || a.URL == "" || a.PID != holder.PID {
			return nil, nil // it has no API, or has not begun
		}
		at = a.URL
	}
	token, err := webapi.ReadToken(cfg.APIToken())
	if err != nil {
		return nil, err
	}
	return &webapi.Client{URL: at, Token: token}, nil
}

// keepAddress lets the commands of this machine find the API; the returned
// function takes that back.
func keepAddress(cfg config.Config, url string) (func(), error) {
	b, err := json.Marshal(address{URL: url, PID: os.Getpid()})
	if err == nil {
		err = os.WriteFile(addressPath(cfg), b, 0o600)
	}
	if err != nil {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "state-not-writable", Err: err,
			Reason: "the address of the API cannot be written to " + plaintext.Sanitize(addressPath(cfg)), Hint: "make room, or permit writing there",
		}
	}
	return func() { _ = os.Remove(addressPath(cfg)) }, nil
}

func noServe(cfg config.Config) error {
	return &spool.Error{
		Class: spool.Environment, Code: "no-serve", Err: errUsage,
		Reason: fmt.Sprintf("no spool serve with an API is at work on %s", cfg.To),
		Hint:   "start spool serve" + toFlag(cfg) + ", name one with --api, or publish at once with spool run",
	}
}
