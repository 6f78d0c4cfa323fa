package fetch

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/flow"
	"github.com/spool-video/spool/internal/download"
	"github.com/spool-video/spool/internal/page"
)

const (
	// mostText is how large a file of subtitles of a page may be, in bytes.
	mostText = 16 << 20
	// textsAtOnce is how many are fetched at a time.
	textsAtOnce = 4
	// patienceForTexts is how long a video waits for all of its subtitles.
	patienceForTexts = time.Minute
)

// texts fetches the subtitles that a page has for its video, into the job's
// folder, before the video: a plan has to know them. What cannot be had is
// told, and left out. An earlier try's are taken as they are: others may have
// planned with them.
func (g *get) texts(ctx context.Context, choice page.Choice) ([]spool.SubtitleFile, error) {
	if g.job.Fetched != nil || len(choice.Texts) == 0 {
		return g.planned(), nil
	}
	g.progress(spool.Progress{Phase: spool.Downloading, Note: "getting subtitles"})
	files := make([]spool.SubtitleFile, len(choice.Texts))
	limited, cancel := context.WithTimeout(ctx, patienceForTexts)
	defer cancel()
	slots := flow.NewSlots(textsAtOnce)
	err := flow.Run(limited, func(group *flow.Group) {
		for n, t := range choice.Texts {
			group.Go(func(limited context.Context) (err error) {
				if slots.Acquire(limited) == nil {
					defer slots.Release()
				}
				files[n], err = g.text(limited, n, t)
				return err
			})
		}
	})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return files, err
}

func (g *get) planned() []spool.SubtitleFile {
	if g.job.Fetched == nil {
		return nil
	}
	return g.job.Fetched.Subtitles
}

// text fetches one file. An error is one of the disk.
func (g *get) text(ctx context.Context, n int, t page.Text) (spool.SubtitleFile, error) {
	f := describeText("." + t.Language)
	if t.Language == "und" {
		f = spool.SubtitleFile{Title: t.Name}
	}
	b := []byte(t.Data)
	if t.URL != "" {
		var err error
		if b, err = g.stage.Client.Text(ctx, download.Link{URL: t.URL, Header: t.Header}, mostText); err != nil {
			f.Missing = spool.AsError(err).Reason
			if ctx.Err() != nil {
				f.Missing = fmt.Sprintf("its server took more than %v", patienceForTexts)
			}
			return f, nil
		}
	}
	kind := kindOfText(b)
	if kind == "" {
		f.Missing = "what the page offers is of no kind that Spool reads"
		return f, nil
	}
	f.Path = filepath.Join(g.work, fmt.Sprintf("text-%d.%s", n, kind))
	if err := os.WriteFile(f.Path, b, 0o600); err != nil {
		return f, folderFault("write to", g.work, err)
	}
	return f, makeDurable(f.Path)
}

// kindOfText tells the ending of a file of subtitles by how it begins: what
// sites call them is often wrong.
func kindOfText(b []byte) string {
	head := b[:min(len(b), 4096)]
	if bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff}) { // UTF-16
		head = bytes.ReplaceAll(head[2:], []byte{0}, nil)
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), "\r\n\t ")
	switch {
	case bytes.HasPrefix(head, []byte("WEBVTT")):
		return "vtt"
	case bytes.HasPrefix(bytes.ToLower(head), []byte("[script info]")):
		return "ass"
	case bytes.Contains(head, []byte("-->")):
		return "srt"
	}
	return ""
}
