package command

import (
	"errors"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup has the program run in a process group of its own, and end with the worker. The
// kernel counts the thread that started it as the worker, so that it has to stay: until
// release is called, by the same goroutine.
func ownGroup(cmd *exec.Cmd) (release func()) {
	runtime.LockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return runtime.UnlockOSThread
}

// waitGroup waits for the program to end, and ends what it has left running. Until that
// is done the program's number stays taken, so that nobody else's group is meant.
func waitGroup(cmd *exec.Cmd) error {
	for {
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	_ = killGroup(cmd.Process.Pid)
	return cmd.Wait()
}
