package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What Landlock can forbid, by the version of its interface.
const (
	readFiles  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE
	readTrees  = readFiles | unix.LANDLOCK_ACCESS_FS_READ_DIR
	firstRules = 1<<13 - 1 // all of version 1, from EXECUTE to MAKE_SYM
	onFiles    = readFiles | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	portRules  = 4 // the first version that knows TCP ports
	scopeRules = 6 // the first that keeps a child from signalling others
	ruleOfPort = 2 // LANDLOCK_RULE_NET_PORT
)

// system is where programs and libraries lie, and the little that they read of
// a system's settings. What is missing is passed over.
var system = []string{
	"/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/opt", "/nix", "/gnu", "/snap",
	"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime",
	"/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu",
	"/dev/zero", "/dev/urandom", "/dev/random",
}

// Supported says what the kernel can hold a child to; it is found out once, by
// trying.
var Supported = sync.OnceValue(func() Confinement {
	version, err := landlock()
	c := Confinement{Files: version >= 1, Ports: version >= portRules}
	if err != nil {
		c.Reason = "this kernel has no Landlock (" + err.Error() + ")"
	} else if !c.Ports {
		c.Reason = "this kernel's Landlock knows no ports"
	}
	c.Apart = apart() != notApart
	return c
})

// landlock is the version of the kernel's interface; 0 with the reason when it
// has none.
var landlock = sync.OnceValues(func() (int, error) {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, errno
	}
	return int(v), nil
})

// apartness is how a child gets a network of its own that leads nowhere.
type apartness int

const (
	notApart apartness = iota
	unshared           // the thread that starts it leaves the machine's network
	asNobody           // it begins in a user namespace too, for users who may not do that
)

var apart = sync.OnceValue(func() apartness {
	tried := make(chan bool)
	go ownThread(func() bool {
		left := unix.Unshare(unix.CLONE_NEWNET) == nil
		tried <- left
		return left
	})
	if <-tried {
		return unshared
	}
	attributes := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET}
	child, err := os.StartProcess("/bin/sh", []string{"sh", "-c", ":"}, &os.ProcAttr{Sys: attributes, Env: []string{}})
	if err != nil {
		return notApart
	}
	if state, err := child.Wait(); err != nil || !state.Success() {
		return notApart
	}
	return asNobody
})

// enter confines the calling thread, and so the child that it starts next. The
// caller has locked the thread, and lets it end when the child has. It reports
// whether the thread is confined.
func (c *Confine) enter(program string, attributes *syscall.SysProcAttr) (entered bool, err error) {
	if c.Port == 0 && !c.Network {
		entered, err = c.leaveNetwork(attributes)
		if err != nil {
			return entered, err
		}
	}
	version, err := landlock()
	if err != nil {
		return entered, nil //nolint:nilerr // Supported says it; a child that cannot be confined runs unconfined
	}
	rules, err := c.rules(version)
	if err != nil {
		return entered, err
	}
	defer unix.Close(rules)
	if err := c.allow(rules, program, handled(version)); err != nil {
		return entered, err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return entered, fmt.Errorf("give up privileges: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(rules), 0, 0); errno != 0 {
		return true, fmt.Errorf("confine: %w", errno)
	}
	return true, nil
}

func (c *Confine) leaveNetwork(attributes *syscall.SysProcAttr) (entered bool, err error) {
	switch apart() {
	case unshared:
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return true, fmt.Errorf("leave the network: %w", err)
		}
		return true, nil
	case asNobody:
		attributes.Cloneflags |= unix.CLONE_NEWUSER | unix.CLONE_NEWNET
	case notApart:
	}
	return false, nil
}

// handled is what is forbidden of files unless a rule allows it.
func handled(version int) uint64 {
	files := uint64(firstRules)
	if version >= 2 {
		files |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if version >= 3 {
		files |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	return files
}

// rules makes an empty set of rules: nothing is allowed.
func (c *Confine) rules(version int) (int, error) {
	attr := unix.LandlockRulesetAttr{Handled_access_fs: handled(version)}
	if version >= portRules && !c.Network {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if version >= scopeRules {
		attr.Scoped = unix.LANDLOCK_SCOPE_SIGNAL | unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return -1, fmt.Errorf("make rules: %w", errno)
	}
	unix.CloseOnExec(int(fd))
	if attr.Handled_access_net == 0 || c.Port == 0 {
		return int(fd), nil
	}
	port := struct{ access, port uint64 }{unix.LANDLOCK_ACCESS_NET_CONNECT_TCP, uint64(c.Port)}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, fd, ruleOfPort, uintptr(unsafe.Pointer(&port)), 0, 0, 0); errno != 0 {
		unix.Close(int(fd))
		return -1, fmt.Errorf("allow port %d: %w", c.Port, errno)
	}
	return int(fd), nil
}

// allow adds what the child may touch.
func (c *Confine) allow(rules int, program string, all uint64) error {
	reads := append(append(append([]string(nil), system...), around(program)...), c.Read...)
	if c.ReadAll {
		reads = []string{"/"}
	}
	for _, path := range reads {
		if err := allow(rules, path, readTrees&all); err != nil {
			return err
		}
	}
	for _, path := range c.Write {
		if err := allow(rules, path, all); err != nil {
			return err
		}
	}
	return allow(rules, os.DevNull, (readFiles|unix.LANDLOCK_ACCESS_FS_WRITE_FILE|unix.LANDLOCK_ACCESS_FS_TRUNCATE)&all)
}

// around is where a program's own parts lie: its folder, and where that is a
// bin, the libraries beside it.
func around(program string) []string {
	real, err := filepath.EvalSymlinks(program)
	if err != nil {
		return nil // it will not start, and say why
	}
	places := []string{filepath.Dir(real)}
	if above, found := strings.CutSuffix(places[0], "/bin"); found && above != "" {
		places = append(places, above+"/lib", above+"/lib64")
	}
	return places
}

// allow adds a rule for a file or a tree; nothing for one that is missing.
func allow(rules int, path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EACCES) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("allow %s: %w", path, err)
	}
	defer unix.Close(fd)
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return fmt.Errorf("allow %s: %w", path, err)
	}
	if info.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= onFiles
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(rules), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
		return fmt.Errorf("allow %s: %w", path, errno)
	}
	return nil
}
