//go:build unix && !linux

package command

import (
	"os/exec"
	"syscall"
)

// ownGroup has the program run in a process group of its own.
func ownGroup(cmd *exec.Cmd) (release func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return func() {}
}

// waitGroup waits for the program to end, and ends what it has left running.
func waitGroup(cmd *exec.Cmd) error {
	err := cmd.Wait()
	_ = killGroup(cmd.Process.Pid)
	return err
}
