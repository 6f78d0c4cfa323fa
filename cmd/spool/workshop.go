package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/disk"
	"github.com/spool-video/spool/internal/ffmpeg"
	"github.com/spool-video/spool/internal/worker"
)

// workshop is all that a worker in this process is made of, but its name and
// its queue. The server by which encoders read sources has been started.
func (h *house) workshop(ctx context.Context) (worker.Config, error) {
	tools, err := findTools(ctx, h.cfg)
	if err != nil {
		return worker.Config{}, err
	}
	stages, room := h.stages(ctx, tools)
	if err := h.sources.Server.Start(); err != nil {
		return worker.Config{}, err
	}
	class, err := h.class(ctx, tools)
	if err != nil {
		h.sources.Server.Stop()
		return worker.Config{}, err
	}
	c := &caretaker{house: h, videos: map[string]*cared{}}
	stages[spool.Fetch] = c.watch(stages[spool.Fetch], true)
	for _, kind := range []spool.Kind{spool.Draft, spool.Encode, spool.Audio, spool.Texts} {
		stages[kind] = c.watch(stages[kind], false)
	}
	made := worker.Config{
		Stages: stages, Room: room, Log: h.log, Stop: resumes, Needs: h.fetch.Needs,
		Version: version, Class: class, Reach: h.reach(), Holds: c.holds, Ended: c.ended, Disk: h.disk,
	}
	h.count(&made)
	return made, nil
}

// reach are the stores that can be used from here, but for local files.
func (h *house) reach() []string {
	reach := []string{identity(h.store)}
	names, err := remotes(h.cfg)()
	if err != nil {
		return reach // what is wrong with them is told where one is used
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		reach = append(reach, name+":")
	}
	return reach
}

func (h *house) disk() int64 {
	n, err := disk.Free(h.cfg.Work)
	if err != nil {
		return 0
	}
	return n
}

// class names what the encoders here write: the program, the processor, and
// into how many threads a picture is split.
func (h *house) class(ctx context.Context, tools ffmpeg.Tools) (string, error) {
	class, err := tools.Class(ctx)
	if err != nil {
		return "", err
	}
	_, threads := encoders(h.cfg.Encodes, runtime.NumCPU())
	return fmt.Sprintf("%s/%d", class, threads), nil
}

// caretaker knows what a worker has on its disk, for one that has no ledger to
// ask.
type caretaker struct {
	*house

	mu     sync.Mutex
	videos map[string]*cared // guarded by mu
}

// cared is what is known of one video here.
type cared struct {
	held    string    // the revision whose source lies on this disk, as JobKey.Held, or ""
	running int       // jobs
	over    bool      // the video has ended
	idle    time.Time // since when none runs
}

// unattended is how long what nobody works on, and that is no source, stays on
// a worker's disk.
const unattended = time.Hour

// kept is a stage whose jobs a caretaker knows of.
type kept struct {
	worker.Stage
	care  *caretaker
	fetch bool
}

func (c *caretaker) watch(s worker.Stage, fetch bool) worker.Stage { return kept{s, c, fetch} }

// Run runs a job, and notes whose source came to lie here by it.
func (k kept) Run(ctx context.Context, job spool.Job, progress func(spool.Progress)) (spool.Result, error) {
	k.care.begin(job)
	defer k.care.end(job)
	if !k.fetch {
		return k.Stage.Run(ctx, job, progress)
	}
	result, err := k.Stage.Run(ctx, job, func(p spool.Progress) {
		if p.Result != nil {
			k.care.fetched(job, p.Result.Fetched)
		}
		progress(p)
	})
	if err == nil {
		k.care.fetched(job, result.Fetched)
	}
	return result, err
}

func (c *caretaker) begin(job spool.Job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.videos[job.Video]
	if v == nil {
		v = &cared{}
		c.videos[job.Video] = v
	}
	v.running++
	v.over = false // it was retried
}

// end notes that a job is over, and removes what was left of videos that
// nobody has come back for.
func (c *caretaker) end(job spool.Job) {
	now := time.Now()
	var old []string
	c.mu.Lock()
	if v := c.videos[job.Video]; v != nil {
		v.running, v.idle = v.running-1, now
	}
	for id, v := range c.videos {
		if v.running == 0 && (v.over || v.held == "" && now.Sub(v.idle) > unattended) {
			old = append(old, id)
			delete(c.videos, id)
		}
	}
	c.mu.Unlock()
	for _, id := range old {
		c.fetch.Release(id)
		c.remove(id)
	}
}

// fetched notes that a source lies here, where only this worker reads it.
func (c *caretaker) fetched(job spool.Job, f *spool.Fetched) {
	if f == nil || f.Anywhere() || !f.Scratch {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.videos[job.Video]; v != nil {
		v.held = job.Held()
	}
}

// holds are the revisions whose source lies here.
func (c *caretaker) holds() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := []string{}
	for _, v := range c.videos {
		if v.held != "" {
			held = append(held, v.held)
		}
	}
	slices.Sort(held)
	return held
}

// ended removes what lies here of a video that has ended: when the last job of
// it has, that is told to stop by somebody else.
func (c *caretaker) ended(video string) {
	c.mu.Lock()
	v := c.videos[video]
	busy := v != nil && v.running > 0
	if busy {
		v.over = true
	} else {
		delete(c.videos, video)
	}
	c.mu.Unlock()
	if !busy {
		c.fetch.Release(video)
		c.remove(video)
	}
}

func (c *caretaker) remove(video string) {
	if err := c.scratch.Remove(video); err != nil && !os.IsNotExist(err) {
		c.log.Warn("scratch.not-freed", "video", video, "error", err)
	}
}
