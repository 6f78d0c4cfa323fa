package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/keys"
	"github.com/spool-video/spool/internal/plaintext"
	"github.com/spool-video/spool/internal/queue"
	"github.com/spool-video/spool/internal/queue/natsq"
	"github.com/spool-video/spool/internal/queue/natsserver"
	"github.com/spool-video/spool/internal/queue/rabbitq"
	"github.com/spool-video/spool/internal/queue/redisq"
	"github.com/spool-video/spool/internal/queue/sealed"
)

// queueOptions is how a queue is used, beside its URL.
type queueOptions struct {
	Fleet  *keys.Fleet        // seals what leaves this process; nil only where needsFleetKey says no
	Worker string             // the worker's name, where a worker asks
	Server *natsserver.Server // the queue of this process, in place of the URL
	Says   func(*spool.Error) // why the engine is away, and nil when it is back
	Warns  func(*spool.Error) // what could be set up better, and messages that do not open; seldom
}

// engines are the queues that a URL can name, by its scheme.
var engines = map[string]struct {
	example string
	// open gets a URL from which what is Spool's own, the files for TLS, has
	// been taken.
	open func(ctx context.Context, u *url.URL, link queue.Link, o queueOptions) (queue.Queue, error)
}{
	"nats":   {"nats://host:4222", openNATS},
	"redis":  {"redis://host:6379", openRedis},
	"rediss": {"rediss://host:6379", openRedis},
	"amqp":   {"amqp://host:5672", openRabbit},
	"amqps":  {"amqps://host:5671", openRabbit},
	"tls":    {"tls://host:4222", openNATS},
}

// openQueue connects to the engine of a URL, and waits for one that is away,
// for as long as ctx lets it.
func openQueue(ctx context.Context, raw string, o queueOptions) (queue.Queue, error) {
	if o.Server != nil {
		raw = "nats://localhost"
	}
	u, err := queueURL(raw)
	if err != nil {
		return nil, err
	}
	if o.Fleet == nil && needsFleetKey(raw) {
		return nil, usage("fleet-key-missing", "a queue on another machine carries sources and keys, and they would lie there in clear",
			"spool keys fleet FILE makes a fleet key; give the same file to serve and to every worker with --fleet-key FILE")
	}
	link := queue.Link{Says: o.Says, Warns: o.Warns}
	if link.TLS, err = queueTLS(u); err != nil {
		return nil, err
	}
	q, err := engines[u.Scheme].open(ctx, u, link, o)
	if err != nil || o.Fleet == nil {
		return q, err
	}
	return sealed.New(q, sealed.Options{Fleet: o.Fleet, Worker: o.Worker, Warns: o.Warns}), nil
}

// needsFleetKey tells whether what goes through the queue of a URL leaves this
// machine. A name counts as another machine, whatever it stands for now.
func needsFleetKey(raw string) bool {
	u, err := queueURL(raw)
	if err != nil {
		return false
	}
	for host := range strings.SplitSeq(u.Host, ",") {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		ip := net.ParseIP(strings.Trim(host, "[]"))
		if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return true
		}
	}
	return false
}

// queueURL reads a queue's URL. It shows nothing of one that it cannot read:
// there may be a password in it.
func queueURL(raw string) (*url.URL, error) {
	var examples []string
	for _, e := range engines {
		examples = append(examples, e.example)
	}
	slices.Sort(examples)
	hint := "a queue is one of " + strings.Join(examples, ", ") + "; a user and password go before the host: user:password@"
	u, err := url.Parse(raw)
	if err != nil {
		return nil, usage(queue.CodeURL, "the queue's URL cannot be read", hint+", with special signs written as %40")
	}
	_, known := engines[u.Scheme]
	switch {
	case u.Scheme == "":
		return nil, usage(queue.CodeURL, "the queue's URL names no engine", hint)
	case !known:
		return nil, usage(queue.CodeURL, "the queue's URL begins with "+plaintext.Cut(plaintext.Sanitize(u.Scheme), 40)+":, which is no queue that Spool knows", hint)
	case u.Host == "":
		return nil, usage(queue.CodeURL, "the queue's URL names no host", hint)
	}
	return u, nil
}

// queueTLS takes the files for TLS out of a queue's URL: ?ca=FILE, whom to
// trust beside nobody else, and &cert=FILE&key=FILE, this client's own.
func queueTLS(u *url.URL) (*tls.Config, error) {
	q := u.Query()
	ca, cert, key := q.Get("ca"), q.Get("cert"), q.Get("key")
	for _, own := range []string{"ca", "cert", "key"} {
		q.Del(own)
	}
	u.RawQuery = q.Encode()
	if ca == "" && cert == "" && key == "" {
		return nil, nil //nolint:nilnil // no settings, and no error: the engine's URL says whether there is TLS
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, badTLS("the authority's certificate "+ca+" cannot be read", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, badTLS(ca+" holds no certificate in PEM form", nil)
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, badTLS(fmt.Sprintf("the certificate %q and the key %q are not a pair that can be read", cert, key), err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

func badTLS(reason string, err error) error {
	return &spool.Error{
		Class: spool.Permanent, Code: queue.CodeTLS, Reason: reason, Err: err,
		Hint: "the queue's URL names PEM files: ?ca=FILE&cert=FILE&key=FILE",
	}
}

func openRedis(ctx context.Context, u *url.URL, link queue.Link, _ queueOptions) (queue.Queue, error) {
	return redisq.Open(ctx, u.String(), link)
}

func openRabbit(ctx context.Context, u *url.URL, link queue.Link, _ queueOptions) (queue.Queue, error) {
	return rabbitq.Open(ctx, u.String(), link)
}

// openNATS shows the fleet's token where the URL has no user: a serve that
// listens asks for it.
func openNATS(ctx context.Context, u *url.URL, link queue.Link, o queueOptions) (queue.Queue, error) {
	opts := natsq.Options{Link: link}
	if o.Fleet != nil && u.User == nil {
		opts.Token = o.Fleet.Token()
	}
	if o.Server != nil {
		opts.InProcess = o.Server
		return natsq.Open(ctx, "", opts)
	}
	return natsq.Open(ctx, u.String(), opts)
}
