//go:build soak

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/inbox"
	"github.com/spool-video/spool/internal/queue"
)

// handed is what the documented lines hand in.
const handed = "https://example.com/films/cars.mp4"

// line finds the documented line for a program.
func line(t *testing.T, page, pattern string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)` + pattern).FindStringSubmatch(string(text))
	if m == nil {
		t.Fatalf("docs/%s has no line like %s", page, pattern)
	}
	return m[1]
}

// TestSoakOneLiners: what docs/inbox.md says of each program hands in, on its
// engine, what it says. The lines speak of the usual ports; here are others.
func TestSoakOneLiners(t *testing.T) {
	row := func(program string) string { return line(t, "inbox.md", `^\| `+program+" \\| `(.*)` \\|$") }
	shell := func(t *testing.T, command string) {
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	program := func(t *testing.T, name, text string) {
		file := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), name, file).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s\n%s", err, text, out)
		}
	}
	redis := brokertest.Redis(t)
	_, port, _ := strings.Cut(redis.Address, ":")
	takesIn(t, "redis://"+redis.Address, func(t *testing.T) {
		shell(t, strings.Replace(row("redis-cli"), "redis-cli", "redis-cli -p "+port, 1))
	}, func(t *testing.T) {
		call := strings.Replace(row("Python"), "redis.Redis()", "redis.Redis(port="+port+")", 1)
		program(t, "/usr/bin/python3", fmt.Sprintf("import json, redis\nurl = %q\n%s\n", handed, call))
	}, func(t *testing.T) {
		program(t, "php", fmt.Sprintf("<?php $redis = new Redis(); $redis->connect('127.0.0.1', %s); $url = '%s'; %s", port, handed, row("PHP")))
	})
	server := brokertest.NATS(t)
	takesIn(t, "nats://"+server.Address, func(t *testing.T) {
		// Debian has no nats; what it does is to publish.
		words := regexp.MustCompile(`^nats pub (\S+) '(.*)'$`).FindStringSubmatch(row("nats"))
		nc, err := nats.Connect(server.Address)
		if err != nil || words == nil {
			t.Fatal(words, err)
		}
		defer nc.Close()
		if err := nc.Publish(words[1], []byte(words[2])); err != nil || nc.FlushTimeout(time.Minute) != nil {
			t.Fatal(err)
		}
	})
	rabbit, managed := brokertest.RabbitManaged(t)
	_, port, _ = strings.Cut(managed, ":")
	takesIn(t, "amqp://"+rabbit.Address, func(t *testing.T) {
		shell(t, strings.Replace(row("rabbitmqadmin"), "rabbitmqadmin", "rabbitmqadmin -P "+port, 1))
	})
}

// takesIn opens the inbox of an engine as serve does, and reads what each of
// some programs puts into it.
func takesIn(t *testing.T, url string, programs ...func(t *testing.T)) {
	t.Helper()
	q, err := openQueue(t.Context(), url, queueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// An inbox is there from the first message or the first look on.
	if err := q.Send(ctx, queue.InboxTopic, []byte(handed)); err != nil {
		t.Fatal(err)
	}
	programs = append([]func(*testing.T){func(*testing.T) {}}, programs...)
	for n, put := range programs {
		put(t)
		d, err := q.Receive(ctx, queue.InboxTopic)
		if err != nil {
			t.Fatalf("%s, program %d: %v", url, n, err)
		}
		if r, err := inbox.Parse(d.Body); err != nil || r.Source != handed {
			t.Errorf("%s, program %d: %+v, %v", url, n, r, err)
		}
		if err := d.Ack(ctx); err != nil {
			t.Error(err)
		}
	}
}

// TestSoakCurl: the documented request hands in.
func TestSoakCurl(t *testing.T) {
	h := newHome(t)
	c := h.start(t, "serve", "--http", "127.0.0.1:0", "--slots", "none", "--listen", "127.0.0.1:0")
	c.await(t, `publishing to`)
	h.until(t, c, "the API", func() bool { return h.serves() != "" })
	token := strings.Replace(line(t, "api.md", `^(TOKEN=.*)$`), "~/.local/state/spool/cdn-bucket-*", h.path("state"), 1)
	request := strings.Replace(line(t, "api.md", `^(curl .*)$`), "http://127.0.0.1:7777", h.serves(), 1)
	for _, status := range []int{http.StatusCreated, http.StatusOK} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", token+"\n"+request+` -s -o /dev/stderr -w '%{http_code}'`).Output()
		if err != nil || string(out) != fmt.Sprint(status) {
			t.Errorf("%s, %v, want %d", out, err, status)
		}
	}
	if said := h.do(t, exitReady, "ls"); !strings.Contains(said, "cars-") {
		t.Errorf("ls:\n%s", said)
	}
	c.signal(t, syscall.SIGTERM)
	c.end(t, exitReady)
}
