package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/disk"
	"github.com/spool-video/spool/internal/ledger"
	"github.com/spool-video/spool/internal/ledger/sqliteledger"
	"github.com/spool-video/spool/internal/lock"
	"github.com/spool-video/spool/internal/page"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/progress"
	"github.com/spool-video/spool/internal/store"
	"github.com/spool-video/spool/internal/store/folder"
)

// doctor looks at everything that a run needs, one line each.
type doctor struct {
	cfg   config.Config
	out   io.Writer
	worst level
}

type level int

const (
	fine level = iota
	warning
	broken
)

func newDoctor() *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Short: "check what a run needs, and say what is to be done", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			d := &doctor{cfg: cfg, out: cmd.OutOrStdout()}
			for _, look := range []func(context.Context){d.ffmpeg, d.pages, d.destination, d.space, d.ledger, d.encryption} {
				look(cmd.Context())
			}
			if d.worst == broken {
				return ended(exitSomeFailed)
			}
			return nil
		},
	}
	config.Bind(cmd.Flags(), "to", "state", "work", "scratch-limit", "key-uri", "keys", "encrypt", "ytdlp", "ffmpeg", "ffprobe", "sandbox", "cookies", "rclone-config", "config")
	return cmd
}

// say prints a finding, and what to do about it.
func (d *doctor) say(l level, what, text, hint string) {
	d.worst = max(d.worst, l)
	mark := map[level]string{fine: "ok   ", warning: "warn ", broken: "FAIL "}[l]
	fmt.Fprintf(d.out, "%s %-12s %s\n", mark, what, d.fit(text, "                   "))
	if hint != "" {
		fmt.Fprintf(d.out, "%18s → %s\n", "", d.fit(hint, "                     "))
	}
}

// fit breaks a text between words where a terminal would break it anywhere.
func (d *doctor) fit(text, indent string) string {
	text = plaintext.Sanitize(text)
	if !terminal(d.out) {
		return text
	}
	return strings.Join(folded(text, columns-1-len(indent)), "\n"+indent)
}

func (d *doctor) fail(what string, err error) {
	e := spool.AsError(err)
	d.say(broken, what, e.Reason, e.Hint)
}

func (d *doctor) ffmpeg(ctx context.Context) {
	tools, err := findTools(ctx, d.cfg)
	if err != nil {
		d.fail("ffmpeg", err)
		return
	}
	v, err := tools.Version(ctx)
	if err != nil {
		d.fail("ffmpeg", err)
		return
	}
	d.say(fine, "ffmpeg", v+" with libx264 and aac", "")
	d.confinement(tools)
}

func (d *doctor) pages(ctx context.Context) {
	const old = 90 * 24 * time.Hour
	_, v, err := page.Find(ctx, d.cfg.YTDLP)
	switch {
	case err != nil:
		e := spool.AsError(err)
		d.say(warning, "web pages", e.Reason+"; direct links and files work without it", e.Hint)
	case v.Age(time.Now()) > old:
		d.say(warning, "web pages", v.Describe(time.Now())+": sites change, and old releases fail", "update it: yt-dlp -U, pipx upgrade yt-dlp, or name a newer one with --ytdlp")
	default:
		d.say(fine, "web pages", v.Describe(time.Now()), "")
	}
}

// destination writes, reads and deletes a small object.
func (d *doctor) destination(ctx context.Context) {
	if _, far := d.cfg.RemoteTo(); far {
		d.store(ctx)
		return
	}
	_, err := os.Stat(d.cfg.To)
	if errors.Is(err, os.ErrNotExist) {
		d.parent()
		return
	}
	s, err := folder.Open(d.cfg.To, folder.Options{})
	if err == nil {
		err = roundTrip(ctx, s)
	}
	if err != nil {
		d.fail("destination", err)
		return
	}
	text := d.cfg.To + " can be written and read"
	if !s.Properties().AtomicPut {
		d.say(warning, "destination", text+", but not in one step", "players may see a playlist while it is being written; a file system with rename is better")
		return
	}
	d.say(fine, "destination", text, "")
}

// parent says whether a destination that is not there could be made.
func (d *doctor) parent() {
	dir := filepath.Dir(d.cfg.To)
	probe, err := os.MkdirTemp(dir, ".spool-doctor-")
	if err != nil {
		d.say(broken, "destination", d.cfg.To+" is not there, and cannot be made", "make it, or choose another with --to DEST")
		return
	}
	_ = os.Remove(probe)
	d.say(fine, "destination", d.cfg.To+" is not there yet; the first run makes it", "")
}

func roundTrip(ctx context.Context, s store.Store) error {
	const name = "spool-doctor.txt"
	want := []byte("spool doctor was here\n")
	if err := s.Put(ctx, name, bytes.NewReader(want), store.PutOptions{ContentType: "text/plain"}); err != nil {
		return err
	}
	r, err := s.Open(ctx, name, 0, -1)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close(), s.Delete(ctx, name)); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("read %s: other bytes than were written", name)
	}
	return nil
}

func (d *doctor) space(context.Context) {
	dir := d.cfg.Work
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	free, err := disk.Free(dir)
	if err != nil {
		d.fail("scratch", err)
		return
	}
	const little = 10 << 30
	text := fmt.Sprintf("%s has %s free", d.cfg.Work, progress.Bytes(free))
	if free < little {
		d.say(warning, "scratch", text, "long videos need more; choose another disk with --work DIR")
		return
	}
	d.say(fine, "scratch", text, "")
}

func (d *doctor) ledger(ctx context.Context) {
	if _, err := os.Stat(ledgerPath(d.cfg)); errors.Is(err, os.ErrNotExist) {
		d.say(fine, "ledger", "none yet; the first run makes "+ledgerPath(d.cfg), "")
		return
	}
	l, err := sqliteledger.Open(ctx, ledgerPath(d.cfg))
	if err != nil {
		d.fail("ledger", err)
		return
	}
	videos, err := l.List(ctx, ledger.Filter{})
	if err = errors.Join(err, l.Close()); err != nil {
		d.fail("ledger", err)
		return
	}
	text := fmt.Sprintf("%s knows %s", ledgerPath(d.cfg), progress.Number(len(videos), "video"))
	if holder, held := lock.Held(ctx, d.cfg.State); held {
		text += fmt.Sprintf("; process %d is at work", holder.PID)
	}
	d.say(fine, "ledger", text, "")
}

func (d *doctor) encryption(context.Context) {
	e, err := d.cfg.Encryption()
	if err != nil {
		d.fail("encryption", err)
		return
	}
	hint := ""
	if !e.On {
		hint = "to encrypt, say where players get keys: --key-uri TEMPLATE or --keys DIR"
	}
	d.say(fine, "encryption", e.Why, hint)
}
