//go:build unix

package command

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"syscall"
)

// group is the process group of a program, with all that it starts. It is led by a shell
// that waits for the worker's end: a worker that is killed can't end the group itself any
// more, and its end breaks the pipe that the shell reads. As long as the shell hasn't been
// waited for, the group's number is nobody else's.
type group struct {
	keeper *exec.Cmd
	pipe   io.Closer // breaks by the end of this process, too
}

// keeper ends its own group, itself included, when the pipe breaks.
const keeper = `read -r _; kill -KILL 0`

func newGroup(ctx context.Context) (*group, error) {
	sh := exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", "-c", keeper)
	sh.Dir, sh.Env = "/", []string{}
	sh.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := sh.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := sh.Start(); err != nil {
		return nil, err
	}
	return &group{keeper: sh, pipe: pipe}, nil
}

// member has a process start in the group.
func (g *group) member() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pgid: g.keeper.Process.Pid}
}

// kill ends all processes of the group at once.
func (g *group) kill() error {
	err := syscall.Kill(-g.keeper.Process.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// end ends what is left of the group, and lets its number go.
func (g *group) end() {
	_ = g.kill()
	_ = g.pipe.Close()
	_ = g.keeper.Wait() // it was killed, which is an error
}
