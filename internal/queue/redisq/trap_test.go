package redisq_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/brokertest"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/redisq"
)

// TestFullMemory: a server that has no room says so and is waited for; what is
// there can be taken out, and then there is room.
func TestFullMemory(t *testing.T) {
	b := brokertest.Redis(t, "--maxmemory", "6mb", "--maxmemory-policy", "noeviction")
	told := make(chan string, 100)
	q := open(t, "redis://"+b.Address, queue.Link{Says: func(e *spool.Error) {
		if e == nil {
			told <- "back"
			return
		}
		told <- e.Code
	}})
	defer q.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	const messages = 12
	sent := make(chan error, 1)
	go func() {
		for n := range messages {
			if err := q.Send(ctx, queue.ReportTopic, append([]byte(strconv.Itoa(n)), make([]byte, 1<<20)...)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	select {
	case code := <-told:
		if code != queue.CodeFull {
			t.Fatalf("told %s", code)
		}
	case err := <-sent:
		t.Fatalf("all was sent: %v", err)
	}
	for n := range messages {
		d, err := q.Receive(ctx, queue.ReportTopic)
		if err != nil || !strings.HasPrefix(string(d.Body[:10]), strconv.Itoa(n)+"\x00") {
			t.Fatalf("message %d: %q, %v", n, d.Body[:min(10, len(d.Body))], err)
		}
		if err := d.Ack(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if last := <-told; last != "back" {
		t.Errorf("told %s at last", last)
	}
}

// TestTLS: with a password, by who trusts the server; not by others.
func TestTLS(t *testing.T) {
	trust, other := brokertest.NewTrust(t), brokertest.NewTrust(t)
	b := brokertest.Redis(t, "--requirepass", "secret")
	way := brokertest.NewTLSWay(t, b.Address, trust.Server)
	q := open(t, "rediss://:secret@"+way.Address, queue.Link{TLS: trust.Client})
	defer q.Close()
	if err := q.Send(t.Context(), "a", []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	if d, err := q.Receive(t.Context(), "a"); err != nil || string(d.Body) != "sealed" {
		t.Errorf("got %q, %v", d.Body, err)
	}
	for name, link := range map[string]queue.Link{"another authority": {TLS: other.Client}, "no authority": {}} {
		_, err := redisq.Open(t.Context(), "rediss://:secret@"+way.Address, link)
		var e *spool.Error
		if !errors.As(err, &e) || e.Code != queue.CodeTLS {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTooOld: both versions are named.
func TestTooOld(t *testing.T) {
	const info = "redis_version:6.2.14\r\nredis_mode:standalone\r\n"
	address := brokertest.Imposter(t, func(c net.Conn) {
		for in := bufio.NewReader(c); ; {
			command, err := readCommand(in)
			if err != nil {
				return
			}
			answer := "+OK\r\n"
			switch strings.ToUpper(command[0]) {
			case "HELLO":
				answer = "-ERR unknown command\r\n"
			case "INFO":
				answer = fmt.Sprintf("$%d\r\n%s\r\n", len(info), info)
			}
			_, _ = io.WriteString(c, answer) // who does not want it has gone
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := redisq.Open(ctx, "redis://"+address, queue.Link{})
	var e *spool.Error
	if !errors.As(err, &e) || e.Code != queue.CodeTooOld || !strings.Contains(e.Reason, "6.2.14") || !strings.Contains(e.Reason, "7.0.0") {
		t.Errorf("got %v", err)
	}
}

// readCommand reads an array of texts, as clients send it.
func readCommand(in *bufio.Reader) (words []string, err error) {
	number := func(sign string) (n int) {
		if err != nil {
			return 0
		}
		var line string
		if line, err = in.ReadString('\n'); err == nil {
			n, err = strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(line), sign))
		}
		return n
	}
	for range number("*") {
		word := make([]byte, number("$")+2)
		if err == nil {
			_, err = io.ReadFull(in, word)
		}
		words = append(words, string(word[:len(word)-2]))
	}
	return words, err
}
