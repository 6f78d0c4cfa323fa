//go:build !linux

package process

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// ownThread calls f on a thread that runs nothing else meanwhile.
func ownThread(f func() (spoiled bool)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f()
}

// reap waits for the child, then kills what it left in its group.
func reap(cmd *exec.Cmd) error {
	err := cmd.Wait()
	killGroup(cmd.Process.Pid, syscall.SIGKILL)
	return err
}

// restrict sets the priority; there are no limits for other processes here.
func restrict(pid int, _ Limits, nice int) error {
	if nice == 0 {
		return nil
	}
	err := syscall.Setpriority(syscall.PRIO_PGRP, pid, nice)
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("set priority %d: %w", nice, err)
	}
	return nil
}

// KillLeftovers finds nothing: other environments cannot be read here.
func KillLeftovers(string) (int, error) { return 0, nil }
