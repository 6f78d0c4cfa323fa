package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
)

// broker is a message broker of this benchmark alone, on free ports and in a
// folder of its own; or none, when the queue is inside spool serve.
type broker struct {
	url      string // of the queue, for workers
	address  string // host:port
	embedded bool
	children []*exec.Cmd
}

// Close ends the engine, and what it has started aside.
func (k *broker) Close() {
	for _, child := range slices.Backward(k.children) { // RabbitMQ would start its name server anew
		_ = syscall.Kill(-child.Process.Pid, syscall.SIGKILL) // it may have ended
		_ = child.Wait()                                      // it was killed
	}
}

// freePort is a port on which nothing listens now.
func freePort(ctx context.Context) (string, error) {
	free, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(free.Addr().String())
	return port, errors.Join(err, free.Close())
}

// openBroker starts an engine; what it has accepted is on its disk. Redis can
// be at another address of this machine, too.
func (b *bench) openBroker(ctx context.Context, engine, at string) (*broker, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	k := &broker{address: "127.0.0.1:" + port}
	dir, err := os.MkdirTemp(b.dir, engine+"-")
	if err != nil {
		return nil, err
	}
	switch engine {
	case "redis":
		k.url = "redis://" + k.address
		args := []string{
			"--protected-mode", "no", "--port", port, "--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
			"--loglevel", "warning", "--bind", "127.0.0.1",
		}
		if at != "" {
			k.url, args = "redis://"+at+":"+port, append(args, at)
		}
		err = k.start(exec.CommandContext(ctx, "redis-server", args...))
	case "rabbitmq":
		k.url = "amqp://guest:guest@" + k.address
		err = b.rabbit(ctx, k, dir)
	case "nats": // inside spool serve
		k.url, k.embedded = "nats://"+k.address, true
		return k, nil
	default:
		return nil, fmt.Errorf("there is no engine %q", engine)
	}
	if err == nil {
		err = b.answers(ctx, k.address)
	}
	if err != nil {
		k.Close()
		return nil, fmt.Errorf("start %s: %w", engine, err)
	}
	return k, nil
}

func (k *broker) start(command *exec.Cmd) error {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // RabbitMQ is several processes
	if err := command.Start(); err != nil {
		return err
	}
	k.children = append(k.children, command)
	return nil
}

// rabbit starts RabbitMQ beside any other one: its node, its name server, its
// cookie and its data are its own.
func (b *bench) rabbit(ctx context.Context, k *broker, dir string) error {
	var ports [2]string
	for i := range ports {
		var err error
		if ports[i], err = freePort(ctx); err != nil {
			return err
		}
	}
	names, dist := ports[0], ports[1]
	if err := k.start(exec.CommandContext(ctx, "epmd", "-port", names, "-address", "127.0.0.1")); err != nil {
		return err
	}
	if err := b.answers(ctx, "127.0.0.1:"+names); err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(k.address)
	path := "/usr/lib/rabbitmq/bin/rabbitmq-server" // the script in PATH changes the user
	if _, err := os.Stat(path); err != nil {
		path = "rabbitmq-server"
	}
	server := exec.CommandContext(ctx, path)
	server.Dir = dir
	server.Env = append(os.Environ(),
		"RABBITMQ_NODENAME=bench"+port+"@localhost", "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT="+port, "RABBITMQ_DIST_PORT="+dist,
		"ERL_EPMD_PORT="+names, "ERL_EPMD_ADDRESS=127.0.0.1", "RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "data"), "RABBITMQ_LOG_BASE="+filepath.Join(dir, "log"),
		"RABBITMQ_FEATURE_FLAGS_FILE="+filepath.Join(dir, "flags"), "RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "plugins"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "none"), "HOME="+dir,
		// It does not spin while it waits: on a machine of its own it might.
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+sbwt none +sbwtdcpu none +sbwtdio none")
	return k.start(server)
}
