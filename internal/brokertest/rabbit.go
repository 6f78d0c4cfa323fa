package brokertest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spool-video/spool/internal/process"
)

// RabbitMQ starts a server beside any other one: its node, its name server,
// its cookie and its data are its own. Its user is guest, password guest.
func RabbitMQ(tb testing.TB) *Broker {
	tb.Helper()
	return rabbit(tb, "")
}

// RabbitManaged starts one with the plugin that rabbitmqadmin speaks to, and
// gives where that listens, host:port.
func RabbitManaged(tb testing.TB) (b *Broker, at string) {
	tb.Helper()
	port := freePort(tb)
	return rabbit(tb, port), "127.0.0.1:" + port
}

func rabbit(tb testing.TB, managed string) *Broker {
	tb.Helper()
	path := find(tb, "rabbitmq-server")
	port, dist, names := freePort(tb), freePort(tb), freePort(tb)
	dir := tb.TempDir()
	// The name server would start by itself, and stay.
	run(tb, &Broker{Address: "127.0.0.1:" + names, Dir: tb.TempDir(), command: process.Command{
		Path: find(tb, "epmd"), Args: []string{"-port", names, "-address", "127.0.0.1"},
	}})
	b := &Broker{Address: "127.0.0.1:" + port, Dir: dir}
	config := filepath.Join(dir, "none")
	if managed != "" {
		config = filepath.Join(tb.TempDir(), "managed.conf")
		write(tb, config, "management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = "+managed+"\n")
		write(tb, filepath.Join(dir, "plugins"), "[rabbitmq_management].\n")
	}
	b.command = process.Command{
		Path: path, Dir: dir,
		Env: []string{
			"RABBITMQ_NODENAME=spool" + port + "@localhost", "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
			"RABBITMQ_NODE_PORT=" + port, "RABBITMQ_DIST_PORT=" + dist, "ERL_EPMD_PORT=" + names, "ERL_EPMD_ADDRESS=127.0.0.1",
			"RABBITMQ_MNESIA_BASE=" + filepath.Join(dir, "data"), "RABBITMQ_LOG_BASE=" + filepath.Join(dir, "log"),
			"RABBITMQ_FEATURE_FLAGS_FILE=" + filepath.Join(dir, "flags"), "RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(dir, "plugins"),
			"RABBITMQ_CONFIG_FILE=" + config, "HOME=" + dir,
			// One scheduler, and no spinning: many tests share few cores.
			"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
		},
	}
	return run(tb, b)
}

func write(tb testing.TB, name, text string) {
	tb.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}
