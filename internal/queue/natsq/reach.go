package natsq

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
)

const (
	engine = "the NATS server"
	oldest = "2.9.0" // the first whose consumers are made by name
)

// Codes of JetStream's answers, as its server numbers them.
var (
	tooBigCodes = []jetstream.ErrorCode{10054}                      // the stream's own limit
	fullCodes   = []jetstream.ErrorCode{10023, 10028, 10047, 10077} // of an account, memory, disk, a stream
)

// options are those of the client: it reconnects for ever, keeps nothing to be
// sent later, and says how it stands.
func (q *Queue) options(opts Options) []nats.Option {
	o := []nats.Option{
		nats.Name("spool"), nats.Timeout(dialTime), nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(2),
		nats.MaxReconnects(-1), nats.ReconnectWait(pause), nats.ReconnectJitter(pause, pause), nats.IgnoreAuthErrorAbort(),
		// What was buffered would be sent after its call had given up.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if !q.line.Closed() {
				q.tells.Away(q.judge(err))
			}
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { q.tells.Away(q.judge(err)) }),
		nats.ReconnectHandler(func(*nats.Conn) { q.tells.Back() }),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // calls return what concerns them
	}
	if opts.TLS != nil {
		o = append(o, nats.Secure(opts.TLS))
	}
	if opts.Token != "" {
		o = append(o, nats.Token(opts.Token))
	}
	if opts.InProcess != nil {
		o = append(o, nats.InProcessServer(opts.InProcess))
	}
	return o
}

// judge says what an error of the connection means to the user. All but what
// is permanent is waited for.
func (q *Queue) judge(err error) *spool.Error {
	var known *spool.Error
	if errors.As(err, &known) {
		return known
	}
	if distrust := queue.Distrust(engine, q.at, err); distrust != nil {
		return distrust
	}
	for _, refused := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrPermissionViolation} {
		if errors.Is(err, refused) {
			return queue.Refused(engine, q.at, err)
		}
	}
	var bad *url.Error
	switch {
	case errors.As(err, &bad):
		return &spool.Error{
			Class: spool.Permanent, Code: queue.CodeURL, Reason: "the queue's URL cannot be read",
			Hint: "it looks like nats://host:4222; special signs in a password are written as %40",
		}
	case errors.Is(err, nats.ErrSecureConnRequired):
		return unusable(q.at, "it wants TLS", "write tls:// in place of nats:// in the queue's URL")
	case errors.Is(err, nats.ErrSecureConnWanted):
		return unusable(q.at, "it does not speak TLS", "write nats:// in place of tls://, or switch TLS on in the server")
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return unusable(q.at, "JetStream is off there", "start nats-server with -js, and permit it for this user's account")
	}
	return queue.Away(engine, q.at, err)
}

func unusable(at, why, hint string) *spool.Error {
	return &spool.Error{
		Class: spool.Permanent, Code: queue.CodeSetup, Hint: hint,
		Reason: fmt.Sprintf("the NATS server at %s cannot carry jobs: %s", at, why),
	}
}

// raise is what lets a server carry all that Spool sends.
const raise = "write max_payload: 8MB into the server's configuration, and start it again"

// weigh warns of a server that carries less than what Spool may send.
func (q *Queue) weigh() {
	if carries := q.nc.MaxPayload(); carries < queue.MaxBody {
		q.link.Warns(&spool.Error{
			Class: spool.Environment, Code: "queue-carries-little", Hint: raise,
			Reason: fmt.Sprintf("%s at %s carries messages of %d bytes at most: a video of several hours needs longer ones, and fails", engine, q.at, carries),
		})
	}
}

// tooBig is the error of a body that is longer than the server carries.
func (q *Queue) tooBig(bytes int) error {
	hint := ""
	if q.nc.MaxPayload() < queue.MaxBody {
		hint = raise
	}
	return queue.TooBig(bytes, q.limit(), hint)
}

// gone tells whether a server that is there lacks the stream or the consumer:
// it was set up anew, or its data was lost.
func gone(err error) bool {
	for _, missing := range []error{
		jetstream.ErrNoStreamResponse, jetstream.ErrStreamNotFound, jetstream.ErrConsumerNotFound,
		jetstream.ErrConsumerDeleted, jetstream.ErrConsumerDoesNotExist, nats.ErrNoResponders,
	} {
		if errors.Is(err, missing) {
			return true
		}
	}
	return false
}

func code(err error, among []jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	var js jetstream.JetStreamError
	switch {
	case errors.As(err, &api):
		return slices.Contains(among, api.ErrorCode)
	case errors.As(err, &js) && js.APIError() != nil:
		return slices.Contains(among, js.APIError().ErrorCode)
	}
	return false
}

// address is where the server is, without what is secret in its URL.
func address(raw string, opts Options) string {
	if opts.InProcess != nil {
		return "this process"
	}
	var hosts []string
	for one := range strings.SplitSeq(raw, ",") {
		if u, err := url.Parse(strings.TrimSpace(one)); err == nil && u.Host != "" {
			hosts = append(hosts, u.Host)
		}
	}
	if len(hosts) == 0 {
		return "an address that cannot be read"
	}
	return strings.Join(hosts, ", ")
}
