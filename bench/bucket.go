package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// s3 is an S3 server that is not our own, over a folder of this machine.
type s3 struct {
	films  string // the folder of its bucket
	config string // rclone's, which calls it far
	front  *httptest.Server
	child  *exec.Cmd
}

func (s *s3) Close() error {
	s.front.Close()
	err := s.child.Process.Kill()
	_ = s.child.Wait() // it was killed
	return err
}

// openS3 starts versitygw, as tools/servers pins it. Each request to it takes
// latency longer than it would.
func (b *bench) openS3(ctx context.Context, latency time.Duration) (*s3, error) {
	path, err := exec.CommandContext(ctx, "go", "-C", "tools/servers", "tool", "-n", "versitygw").Output()
	if err != nil {
		return nil, fmt.Errorf("build versitygw: %w", err)
	}
	dir, err := os.MkdirTemp(b.dir, "s3-")
	if err != nil {
		return nil, err
	}
	s := &s3{films: filepath.Join(dir, "data", "films"), config: filepath.Join(dir, "rclone.conf")}
	about := filepath.Join(dir, "about")
	for _, folder := range []string{s.films, about} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
	}
	const access, secret = "spool", "spool-of-film"
	free, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		return nil, err
	}
	s.child = exec.CommandContext(ctx, string(bytes.TrimSpace(path)), "--quiet", "--port", address, "--access", access, "--secret", secret,
		"posix", "--sidecar", about, "--disableotmp", filepath.Join(dir, "data"))
	if err := s.child.Start(); err != nil {
		return nil, err
	}
	target := &url.URL{Scheme: "http", Host: address}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, r.In.Host // which is signed
	}}
	s.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(latency):
			proxy.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}))
	endpoint := s.front.URL
	if latency == 0 {
		endpoint = target.String()
	}
	text := fmt.Sprintf("[far]\ntype = s3\nprovider = Other\nendpoint = %s\nregion = us-east-1\naccess_key_id = %s\nsecret_access_key = %s\n", endpoint, access, secret)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return s, b.answers(ctx, address)
}

// answers waits until somebody listens at an address.
func (b *bench) answers(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// ranges compares a video that is encoded from a bucket, by ranges, with the
// same video here.
func (b *bench) ranges(ctx context.Context) (figures []figure, err error) {
	long, err := b.makeLong(ctx, "ranges.mp4", b.bucket, indexFirst)
	if err != nil {
		return nil, err
	}
	s, err := b.openS3(ctx, 0)
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // it was only started for this
	body, err := os.ReadFile(long)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(s.films, "film.mp4"), body, 0o600); err != nil {
		return nil, err
	}
	var best [2]time.Duration
	for range b.tries {
		for i, source := range []string{long, "far:films/film.mp4"} {
			used, err := b.runOnce(ctx, order{
				name: "ranges", sources: []string{source}, preset: b.quick, flags: append([]string{"--rclone-config", s.config}, noCopy...),
			})
			if err != nil {
				return nil, err
			}
			best[i] = shorter(best[i], used.wall)
		}
	}
	b.note("%s: %.1f s from here, %.1f s from a bucket", length(b.bucket), best[0].Seconds(), best[1].Seconds())
	return []figure{{"encode from a bucket by ranges / from here, wall", ratio(best[1], best[0]), 1.10, ""}}, os.Remove(long)
}

// upload is how long publishing to a bucket with some latency goes on when the
// last chunk is encoded, and how much memory many upload slots take.
func (b *bench) upload(ctx context.Context) (figures []figure, err error) {
	long, err := b.makeLong(ctx, "upload.mp4", b.bucket, indexFirst)
	if err != nil {
		return nil, err
	}
	s, err := b.openS3(ctx, b.latency)
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // it was only started for this
	to := []string{"--rclone-config", s.config, "--to", "far:films/site", "--uploads", "32"}
	encoded, err := b.watchUpload(ctx, order{name: "upload", sources: []string{long}, preset: b.quick, progress: "json", flags: slices.Concat(to, noCopy)})
	if err != nil {
		return nil, err
	}
	if encoded.tail == 0 {
		return nil, errors.New("upload: no encoder was seen")
	}
	copied, err := b.watchUpload(ctx, order{name: "copied", sources: []string{long}, preset: b.quick, progress: "json", flags: append(to[:len(to):len(to)], "--remake")})
	if err != nil {
		return nil, err
	}
	return []figure{
		{fmt.Sprintf("bucket with %v a request: ready after the last chunk", b.latency), encoded.tail.Seconds(), 2, "s"},
		{"32 upload slots, encoded: peak memory", encoded.memory, 150, "MB"},
		{"32 upload slots, top rung copied: peak memory", copied.memory, 150, "MB"},
	}, os.Remove(long)
}

// watched is what was seen of a run.
type watched struct {
	tail   time.Duration // from the end of the last encoder until the video is ready; 0 if there was none
	memory float64       // of spool itself, at its peak, in MB
}

// watchUpload carries an order out.
func (b *bench) watchUpload(ctx context.Context, o order) (watched, error) {
	var w watched
	args, err := b.arguments(o)
	if err != nil {
		return w, err
	}
	defer os.RemoveAll(b.home(o)) //nolint:errcheck // all of it goes at the end
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	command := b.command(ctx, b.spool, args...)
	events, err := command.StderrPipe()
	if err != nil {
		return w, err
	}
	if err := command.Start(); err != nil {
		return w, err
	}
	watching, seen := context.WithCancel(ctx)
	defer seen()
	encoded := make(chan time.Time, 1)
	go func() { encoded <- lastEncoder(watching, command.Process.Pid) }()
	var ready time.Time
	said := bufio.NewScanner(events)
	for said.Scan() {
		var e struct {
			Time time.Time
			Type string
		}
		if json.Unmarshal(said.Bytes(), &e) != nil {
			continue
		}
		w.memory = max(w.memory, peak(command.Process.Pid))
		if e.Type == "ready" {
			ready = e.Time
		}
	}
	seen()
	last := <-encoded
	if err := command.Wait(); err != nil {
		return w, err
	}
	if !last.IsZero() {
		w.tail = ready.Sub(last)
		b.note("%s: the video is ready %.2f s after the last encoder has ended", o.name, w.tail.Seconds())
	}
	return w, nil
}

// lastEncoder looks after the encoders that a process has started, and says,
// when ctx ends, when one was seen last; zero where that cannot be seen. What a
// program says of itself comes later than it happens.
func lastEncoder(ctx context.Context, parent int) (last time.Time) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if encodes(parent) {
			last = time.Now()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return last
		}
	}
}

func encodes(parent int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent)) // the pattern is right
	for _, thread := range threads {
		children, _ := os.ReadFile(thread) // it may have ended
		for child := range strings.FieldsSeq(string(children)) {
			if called, err := os.ReadFile("/proc/" + child + "/cmdline"); err == nil && bytes.Contains(called, []byte("libx264")) {
				return true
			}
		}
	}
	return false
}

// peak is the most memory that a process has had, in MB; 0 when that cannot be
// told.
func peak(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			kb, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kb * 1024 / 1e6
		}
	}
	return 0
}
