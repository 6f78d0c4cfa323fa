package fleettest

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spool-video/spool/internal/process"
)

const (
	apartVariable  = "SPOOL_FLEETTEST_APART"
	nearHost       = "10.77.0.1"
	farHost        = "10.77.0.2"
	farNamespace   = "far"
	apartSaid      = "the two hosts were apart"
	apartNamespace = "/run/netns/" + farNamespace
)

// Apart are two hosts, as far as the network goes: the engine and the scheduler
// on one, all workers on the other, and the cable between them is pulled in the
// middle for longer than a lease. The test runs itself again where it may do so:
// in name spaces of its own, which takes no rights.
func Apart(t *testing.T, e Engine) {
	if os.Getenv(apartVariable) == "" {
		ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
		defer cancel()
		program, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		out, err := process.Run(ctx, process.Command{
			Path: "unshare", Args: []string{"--user", "--map-root-user", "--net", "--mount", program, "-test.run=^" + t.Name() + "$", "-test.v"},
			Env: []string{apartVariable + "=1"},
		})
		if t.Logf("%s", out); err != nil || !strings.Contains(string(out), apartSaid) {
			t.Fatalf("%v", err)
		}
		return
	}
	for _, line := range []string{
		"mount -t tmpfs none /run", "mkdir /run/netns", "ip link set lo up",
		"ip netns add " + farNamespace, "ip link add near type veth peer name far netns " + farNamespace,
		"ip addr add " + nearHost + "/24 dev near", "ip link set near up",
		"ip -n far addr add " + farHost + "/24 dev far", "ip -n far link set far up", "ip -n far link set lo up",
	} {
		command(t, line)
	}
	p := plan{videos: 4, parts: 46, workers: 4, slots: 2, took: 400 * time.Millisecond}
	f := newFleet(t, e, p, places{enter: []string{"nsenter", "--net=" + apartNamespace}, host: nearHost})
	for range 2 {
		f.done(f.audit.count(t, "state = 'done'") + 40)
		before := f.audit.count(t, "was IN ('sent', 'running') AND state = 'ready'")
		began := time.Now()
		command(t, "ip link set near down")
		f.rest(40 * time.Second)
		command(t, "ip link set near up")
		t.Logf("the cable was out for %v; %d leases were lost", time.Since(began).Round(time.Second), f.audit.count(t, "was IN ('sent', 'running') AND state = 'ready'")-before)
	}
	f.finish()
	if n := f.judge(); n.lost == 0 {
		t.Error("nobody lost anything")
	}
	t.Log(apartSaid)
}

func command(t *testing.T, line string) {
	t.Helper()
	words := strings.Fields(line)
	if out, err := process.Run(t.Context(), process.Command{Path: words[0], Args: words[1:]}); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
}
