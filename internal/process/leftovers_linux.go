package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// deathWait is how long KillLeftovers waits for each process that it killed,
// in milliseconds.
const deathWait = 2000

// KillLeftovers kills what an earlier process of ours, which was killed, has
// left running: processes whose environment carries the tag and that do not
// descend from us, with their groups. It gives how many it found. It returns
// when they are gone.
func KillLeftovers(tag string) (int, error) {
	if tag == "" {
		return 0, nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	killed := 0
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || !marked(pid, tag) || descends(pid) {
			continue
		}
		gone, err := killLeftover(pid)
		if err != nil {
			return killed, err
		}
		if gone {
			killed++
		}
	}
	return killed, nil
}

// marked reports whether the process carries the tag. What cannot be read is
// another user's, or gone.
func marked(pid int, tag string) bool {
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return false
	}
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if string(v) == marker+tag {
			return true
		}
	}
	return false
}

// killLeftover kills a process and its group, and waits for the process to be
// gone.
func killLeftover(pid int) (bool, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		defer unix.Close(fd)
	}
	_, pgid, ok := relatives(pid)
	if !ok {
		return false, nil
	}
	target := pid
	if pgid > 1 && pgid != syscall.Getpgrp() {
		target = -pgid
	}
	err2 := syscall.Kill(target, syscall.SIGKILL)
	if errors.Is(err2, syscall.ESRCH) {
		return false, nil
	}
	if err2 != nil {
		return false, fmt.Errorf("kill leftover process %d: %w", pid, err2)
	}
	if err == nil {
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, deathWait)
	}
	return true, nil
}

// descends reports whether the process is ours: a child, or a child's child.
func descends(pid int) bool {
	self := os.Getpid()
	for range 64 {
		parent, _, ok := relatives(pid)
		switch {
		case !ok || parent <= 1:
			return false
		case parent == self:
			return true
		}
		pid = parent
	}
	return false
}

// relatives reads a process's parent and group from /proc/PID/stat, whose
// second field, the name in brackets, may hold anything.
func relatives(pid int) (parent, group int, ok bool) {
	text, err := fs.ReadFile(os.DirFS("/proc"), strconv.Itoa(pid)+"/stat")
	if err != nil {
		return 0, 0, false
	}
	i := bytes.LastIndexByte(text, ')')
	fields := strings.Fields(string(text[i+1:]))
	if i < 0 || len(fields) < 3 {
		return 0, 0, false
	}
	parent, err1 := strconv.Atoi(fields[1])
	group, err2 := strconv.Atoi(fields[2])
	return parent, group, err1 == nil && err2 == nil
}
