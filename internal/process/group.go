package process

import "syscall"

// killGroup signals a whole process group. That the group is gone already is
// what the caller wants, so the error says nothing.
func killGroup(pgid int, s syscall.Signal) {
	_ = syscall.Kill(-pgid, s)
}
