package main

import (
	"context"

	"github.com/spool-video/spool/internal/config"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/process"
)

// unconfined is why programs are not to be confined; "" when they are.
func unconfined(cfg config.Config) string {
	if cfg.Sandbox == "off" {
		return "--sandbox is off"
	}
	return ""
}

func findTools(ctx context.Context, cfg config.Config) (ffmpeg.Tools, error) {
	return ffmpeg.Find(ctx, cfg.FFmpeg, cfg.FFprobe, unconfined(cfg))
}

// findDecoder is findTools for commands that encode nothing.
func findDecoder(ctx context.Context, cfg config.Config) (ffmpeg.Tools, error) {
	return ffmpeg.FindDecoder(ctx, cfg.FFmpeg, unconfined(cfg))
}

// tellConfinement notes what the programs that read sources are held to.
func (h *house) tellConfinement(ctx context.Context, tools ffmpeg.Tools) {
	can := process.Supported()
	if tools.Unconfined == "" && can.Files {
		h.log.DebugContext(ctx, "sandbox", "can", can.String())
		return
	}
	reason := tools.Unconfined
	if reason == "" {
		reason = can.String()
	}
	h.log.WarnContext(ctx, "sandbox.incomplete", "reason", reason)
}

// confinement says what the programs that read sources can do at worst.
func (d *doctor) confinement(tools ffmpeg.Tools) {
	can := process.Supported()
	switch {
	case d.cfg.Sandbox == "off":
		d.say(warning, "sandbox", "none: "+tools.Unconfined, "publish only sources that you trust, or leave --sandbox at auto")
	case tools.Unconfined != "":
		d.say(warning, "sandbox", "none: "+tools.Unconfined, "an ffmpeg whose libraries lie below /usr, /opt or beside it starts; the packages of Debian and Ubuntu do")
	case !can.Files:
		d.say(warning, "sandbox", can.String(), "publish only sources that you trust, or run Spool where Landlock is: Linux 5.13 or newer, and a container runtime that lets it through")
	default:
		d.say(fine, "sandbox", can.String(), "")
	}
}
