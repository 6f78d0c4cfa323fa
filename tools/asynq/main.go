// Command asynq puts empty tasks through asynq and Redis, and prints how long
// that took: a number to stand beside Spool's. It is a module of its own, so
// that Spool does not depend on asynq.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
)

func main() {
	address := flag.String("redis", "", "the address of a Redis server")
	tasks := flag.Int("tasks", 10_000, "how many tasks")
	slots := flag.Int("slots", 64, "how many at a time, to send and to do")
	flag.Parse()
	if err := run(asynq.RedisClientOpt{Addr: *address, PoolSize: 64}, *tasks, *slots); err != nil {
		fmt.Fprintln(os.Stderr, "asynq:", err)
		os.Exit(1)
	}
}

// result is what is printed, in seconds.
type result struct {
	Sent float64 `json:"sent"` // all were in Redis
	Done float64 `json:"done"` // all of them, from there
}

func run(redis asynq.RedisClientOpt, tasks, slots int) error {
	var r result
	began := time.Now()
	if err := send(redis, tasks, slots); err != nil {
		return err
	}
	r.Sent = time.Since(began).Seconds()

	var done atomic.Int64
	all := make(chan struct{})
	server := asynq.NewServer(redis, asynq.Config{Concurrency: slots, LogLevel: asynq.ErrorLevel})
	began = time.Now()
	err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		if done.Add(1) == int64(tasks) {
			close(all)
		}
		return nil
	}))
	if err != nil {
		return err
	}
	<-all
	r.Done = time.Since(began).Seconds()
	server.Shutdown()
	return json.NewEncoder(os.Stdout).Encode(r)
}

// send puts the tasks into Redis.
func send(redis asynq.RedisClientOpt, tasks, slots int) error {
	client := asynq.NewClient(redis)
	defer client.Close()
	var senders sync.WaitGroup
	failed := make([]error, slots)
	for s := range slots {
		senders.Go(func() {
			for n := s; n < tasks && failed[s] == nil; n += slots {
				_, failed[s] = client.Enqueue(asynq.NewTask("empty", []byte(strconv.Itoa(n))))
			}
		})
	}
	senders.Wait()
	return errors.Join(failed...)
}
