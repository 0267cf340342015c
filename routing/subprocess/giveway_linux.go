package subprocess

import (
	"os"
	"os/exec"
	"syscall"
)

// leastUrgent is the nice value of what gives way to all others: setpriority(2).
const leastUrgent = 19

// giveWay has the thread, and what it starts, give way to others. Where it may not, it
// goes on as it was: that costs time, and nothing else.
func giveWay() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, leastUrgent) }

// endWithUs ends the process when the thread that starts it does, and so with this
// process, however that ends.
func endWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// onFirstThread reports whether this is the thread that the process began with: gettid(2).
func onFirstThread() bool { return syscall.Gettid() == os.Getpid() }
