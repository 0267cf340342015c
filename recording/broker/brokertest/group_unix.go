//go:build unix

package brokertest

import (
	"errors"
	"os/exec"
	"syscall"
)

// ownGroup has the server run in a process group of its own: a shell, and what it starts.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends all of the server's processes at once. That they have ended is no error.
func killGroup(cmd *exec.Cmd) error {
	err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}
