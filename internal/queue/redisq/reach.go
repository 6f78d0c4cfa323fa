package redisq

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/spool-video/spool"
	"github.com/spool-video/spool/internal/queue"
)

const (
	engine = "the Redis server"
	oldest = "7.0.0" // streams whose groups forget what was deleted
)

// hush keeps the client from writing to the user's terminal: what concerns a
// call is in its error.
var hush = sync.OnceFunc(func() { redis.SetLogger(silence{}) })

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// options are those of the client. It tries nothing again by itself: a message
// would be sent twice, or read and forgotten.
func (q *Queue) options(url string) (*redis.Options, error) {
	hush()
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, &spool.Error{
			Class: spool.Permanent, Code: queue.CodeURL, Reason: "the queue's URL cannot be read",
			Hint: "it looks like redis://user:password@host:6379/0; special signs in a password are written as %40",
		}
	}
	o.MaxRetries, o.DialerRetries, o.PoolSize = -1, 1, connections
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = dialTime, requestTime, requestTime
	o.ContextTimeoutEnabled = true // else a deadline is not one
	o.Protocol, o.ClientName, o.DisableIdentity = 2, "spool", true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if q.link.TLS != nil {
		tls := q.link.TLS.Clone()
		if tls.ServerName == "" {
			tls.ServerName, _, _ = strings.Cut(o.Addr, ":")
			if o.TLSConfig != nil {
				tls.ServerName = o.TLSConfig.ServerName
			}
		}
		o.TLSConfig = tls
	}
	return o, nil
}

// check looks whether the server can carry jobs.
func (q *Queue) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*dialTime)
	defer cancel()
	text, err := q.rdb.Info(ctx).Result()
	if err != nil {
		return err
	}
	info := parse(text)
	if has := info["redis_version"]; !queue.NewEnough(has, oldest) {
		return queue.TooOld(engine, q.at, has, oldest)
	}
	if info["redis_mode"] == "cluster" {
		return unusable(q.at, "it is part of a Redis Cluster", "use one server, or one with replicas")
	}
	if info["role"] == "slave" {
		return unusable(q.at, "it is a replica, which takes no messages", "name its master in the queue's URL")
	}
	if p := info["maxmemory_policy"]; info["maxmemory"] != "0" && strings.HasPrefix(p, "allkeys-") {
		return unusable(q.at, "it throws messages away when its memory is full (maxmemory-policy "+p+")", "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf")
	}
	if info["aof_enabled"] == "0" {
		q.link.Warns(&spool.Error{
			Class: spool.Environment, Code: "queue-forgets",
			Reason: fmt.Sprintf("%s at %s keeps no log on its disk: when it ends, requests in the inbox that no scheduler has read are lost", engine, q.at),
			Hint:   "set appendonly yes in redis.conf; jobs and their results are in the ledger, and are not lost",
		})
	}
	return nil
}

// parse reads the answer of INFO, lines of name:value.
func parse(text string) map[string]string {
	info := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok {
			info[name] = strings.TrimSpace(value)
		}
	}
	return info
}

// judge says what an error means to the user.
func (q *Queue) judge(err error) *spool.Error {
	var known *spool.Error
	if errors.As(err, &known) {
		return known
	}
	if distrust := queue.Distrust(engine, q.at, err); distrust != nil {
		return distrust
	}
	switch {
	case redis.IsAuthError(err), redis.IsPermissionError(err), redis.HasErrorPrefix(err, "WRONGPASS"):
		return queue.Refused(engine, q.at, err)
	case redis.IsOOMError(err):
		return queue.Full(engine, q.at, err)
	case redis.IsReadOnlyError(err):
		return unusable(q.at, "it is a replica, which takes no messages", "name its master in the queue's URL")
	}
	return queue.Away(engine, q.at, err)
}

// final tells whether waiting does not mend what is wrong.
func final(e *spool.Error) bool { return e.Class == spool.Permanent }

func unusable(at, why, hint string) *spool.Error {
	return &spool.Error{
		Class: spool.Permanent, Code: queue.CodeSetup, Hint: hint,
		Reason: fmt.Sprintf("the Redis server at %s cannot carry jobs: %s", at, why),
	}
}
