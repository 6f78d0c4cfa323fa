package process

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes: a group of its own, and the child dies when we do, even by
// SIGKILL. Grandchildren are found by KillLeftovers.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// ownThread calls f on a thread that runs nothing else meanwhile, and that ends
// with it when f has spoiled it. It is never the main thread, which cannot end
// and by which others judge the process.
func ownThread(f func() (spoiled bool)) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			ownThread(f)
		}()
		<-done
		runtime.UnlockOSThread()
		return
	}
	if !f() {
		runtime.UnlockOSThread()
	}
}

// reap waits for the child and kills what it left in its group while the
// child is a zombie: until it is reaped its number, and that of the group,
// cannot belong to anybody else.
func reap(cmd *exec.Cmd) error {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	killGroup(cmd.Process.Pid, syscall.SIGKILL)
	return cmd.Wait()
}

// restrict sets the limits and the priority of a child that has just started.
func restrict(pid int, l Limits, nice int) error {
	limits := []struct {
		resource int
		value    uint64
		set      bool
	}{
		{unix.RLIMIT_CORE, 0, true},
		{unix.RLIMIT_AS, l.AddressSpace, l.AddressSpace > 0},
		{unix.RLIMIT_FSIZE, l.FileSize, l.FileSize > 0},
		{unix.RLIMIT_CPU, l.CPUSeconds, l.CPUSeconds > 0},
		{unix.RLIMIT_NOFILE, l.OpenFiles, l.OpenFiles > 0},
	}
	for _, r := range limits {
		if !r.set {
			continue
		}
		if err := lower(pid, r.resource, r.value); err != nil {
			return err
		}
	}
	if nice == 0 {
		return nil
	}
	// By group: it reaches threads that the child may have made already.
	err := unix.Setpriority(unix.PRIO_PGRP, pid, nice)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("set priority %d: %w", nice, err)
	}
	return nil
}

// lower sets one limit, never above what we may have ourselves.
func lower(pid, resource int, value uint64) error {
	var old unix.Rlimit
	if err := unix.Prlimit(pid, resource, nil, &old); err != nil {
		if errors.Is(err, unix.ESRCH) {
			return nil // it has ended already
		}
		return fmt.Errorf("read limit %d: %w", resource, err)
	}
	value = min(value, old.Max)
	err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: value, Max: value}, nil)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("set limit %d: %w", resource, err)
	}
	return nil
}
