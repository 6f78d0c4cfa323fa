// Package natsserver is a NATS server inside this process, so that the machine
// of the scheduler carries the queue for others, and nothing else has to be
// installed. What topics keep is on disk, and synced, before a sender is told
// so. It is spoken to by package natsq, from this process and from others.
package natsserver

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
)

// Config is where a server listens and keeps its data.
type Config struct {
	Dir    string // its own; made when it is missing; one server at a time
	Listen string // "host:port"; port 0 takes a free one; "" lets in only this process
	// Tokens are what clients must show one of. They may be left out only where
	// nobody but this machine can connect, or where TLS asks for clients'
	// certificates.
	Tokens []string
	TLS    *tls.Config  // nil is without
	Log    *slog.Logger // warnings and errors of the server; nil is nowhere
}

// Server is a server that runs.
type Server struct {
	ns     *server.Server
	lock   *flock.Flock
	scheme string
}

const (
	startTime = 30 * time.Second // a long log is read again at the start
	maxStore  = 4 << 30          // bytes on disk; left out, it would be most of the disk
	maxMemory = 512 << 20        // bytes, for topics that are not kept; left out, it would be most of the memory
	overhead  = 64 << 10         // of headers, beside the body
)

// Start runs a server until Close.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	opts, err := cfg.options(ctx)
	if err != nil {
		return nil, err
	}
	lock, err := seize(cfg.Dir)
	if err != nil {
		return nil, err
	}
	ns, err := server.NewServer(opts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set up NATS server: %w", err), lock.Close())
	}
	s := &Server{ns: ns, lock: lock, scheme: "nats"}
	if cfg.TLS != nil {
		s.scheme = "tls"
	}
	told := &told{log: cfg.Log, fatal: make(chan error, 1)}
	ns.SetLoggerV2(told, false, false, false)
	ns.Start()
	if err := s.ready(ctx, told); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// ready waits until clients can connect, or for why they cannot.
func (s *Server) ready(ctx context.Context, told *told) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for !s.ns.ReadyForConnections(10 * time.Millisecond) {
		select {
		case err := <-told.fatal:
			return err
		case <-ctx.Done():
			return fmt.Errorf("start NATS server: %w", ctx.Err())
		default:
		}
	}
	return nil
}

// InProcessConn connects this process to the server, without the network.
func (s *Server) InProcessConn() (net.Conn, error) { return s.ns.InProcessConn() }

// Address is where the server listens, "host:port", or "" when it does not.
func (s *Server) Address() string {
	if a := s.ns.Addr(); a != nil {
		return a.String()
	}
	return ""
}

// URL is what natsq is given to reach the server from elsewhere; the token is
// not in it.
func (s *Server) URL() string { return s.scheme + "://" + s.Address() }

// Close ends all connections and the server.
func (s *Server) Close() error {
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
	return s.lock.Close()
}

// options are the server's: everything that is acknowledged is synced first,
// and nothing of it touches the process it lives in.
func (cfg Config) options(ctx context.Context) (*server.Options, error) {
	opts := &server.Options{
		ServerName: "spool", DontListen: cfg.Listen == "",
		JetStream: true, StoreDir: cfg.Dir, SyncAlways: true,
		JetStreamMaxStore: maxStore, JetStreamMaxMemory: maxMemory, MaxPayload: queue.MaxBody + overhead,
		NoSigs: true,
	}
	if len(cfg.Tokens) > 0 {
		opts.CustomClientAuthentication = tokens(cfg.Tokens)
	}
	if cfg.TLS != nil {
		opts.TLS, opts.TLSConfig, opts.TLSTimeout = true, cfg.TLS, 5
		opts.TLSVerify = cfg.TLS.ClientAuth == tls.RequireAndVerifyClientCert
	}
	if cfg.Listen == "" {
		return opts, nil
	}
	host, port, err := net.SplitHostPort(cfg.Listen)
	n, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || perr != nil {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "listen-address",
			Reason: fmt.Sprintf("%q is not an address to listen on", cfg.Listen),
			Hint:   "write host:port, as in 0.0.0.0:4222 or [::1]:4222",
		}
	}
	if len(cfg.Tokens) == 0 && !opts.TLSVerify && !loopback(host) {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: "listen-open",
			Reason: fmt.Sprintf("whoever reaches %s could give orders to every worker", cfg.Listen),
			Hint:   "set a token, or ask for clients' certificates",
		}
	}
	opts.Host, opts.Port = host, int(n)
	if n == 0 {
		opts.Port = server.RANDOM_PORT
	}
	return opts, cfg.free(ctx)
}

// tokens lets in who shows one of them.
type tokens []string

// Check tells whether a client may enter.
func (t tokens) Check(c server.ClientAuthentication) bool {
	known := 0
	for _, token := range t {
		known |= subtle.ConstantTimeCompare([]byte(token), []byte(c.GetOpts().Token))
	}
	return known == 1
}

// free looks whether the address can be listened on: the server would say so
// only in its log.
func (cfg Config) free(ctx context.Context) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return &spool.Error{
			Class: spool.Environment, Code: "listen-taken", Err: err,
			Reason: fmt.Sprintf("%s cannot be listened on: %s", cfg.Listen, queue.Cause(err)),
			Hint:   "choose another port, or an address of this machine",
		}
	}
	return l.Close()
}

// loopback tells whether only this machine can connect to a host.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// seize makes the folder this server's own: two servers on one would ruin it,
// and the server itself does not look.
func seize(dir string) (*flock.Flock, error) {
	if dir == "" {
		return nil, errors.New("a NATS server needs a folder for its data")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &spool.Error{
			Class: spool.Environment, Code: "queue-dir", Err: err,
			Reason: fmt.Sprintf("the queue's folder %s cannot be made", dir), Hint: "permit writing there, or choose another folder",
		}
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	got, err := lock.TryLock()
	if err != nil || !got {
		return nil, errors.Join(&spool.Error{
			Class: spool.Environment, Code: "queue-dir-held", Err: err,
			Reason: fmt.Sprintf("the queue's folder %s is in use by another process", dir),
			Hint:   "end the other one, or choose another folder",
		}, lock.Close())
	}
	return lock, nil
}
