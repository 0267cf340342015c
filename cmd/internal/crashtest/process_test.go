//go:build linux

package crashtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// restartPause is how long a program that has ended waits for its next start, as by systemd.
const restartPause = 100 * time.Millisecond

// process is a program of ours, which is started again whenever it ends.
type process struct {
	name, exe string
	args, env []string
	addr      string // of its HTTP
	log       string // where what it says is put, of all its lives
	clock     string // the file that moves its clock

	ending chan struct{} // closed: it isn't started again
	over   chan struct{} // closed: it doesn't run, and won't

	mu     sync.Mutex
	cmd    *exec.Cmd // nil while none runs
	killed bool      // the one that runs was killed on purpose
	starts int
	odd    []string // ends that nobody asked for
}

// keep starts the program, again and again, until end.
func (p *process) keep() {
	// A child dies with the thread that has started it: see Pdeathsig.
	runtime.LockOSThread()
	defer close(p.over)
	for {
		if err := p.live(); err != nil {
			p.note(err)
		}
		select {
		case <-p.ending:
			return
		case <-time.After(restartPause):
		}
	}
}

// live is one life of the program. Its error is that of an end that nobody asked for.
func (p *process) live() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(context.Background(), p.exe, p.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.mu.Lock()
	if err = cmd.Start(); err == nil {
		p.cmd, p.killed = cmd, false
		p.starts++
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	err = cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = nil
	if p.killed {
		return nil
	}
	return err
}

func (p *process) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.odd = append(p.odd, err.Error())
}

// kill is kill -9. It is false if there was nobody to kill.
func (p *process) kill() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.killed {
		return false
	}
	p.killed = p.cmd.Process.Kill() == nil
	return p.killed
}

// suspend has the process stand still for that long.
func (p *process) suspend(d time.Duration) bool {
	p.mu.Lock()
	cmd := p.cmd
	ok := cmd != nil && cmd.Process.Signal(syscall.SIGSTOP) == nil
	p.mu.Unlock()
	if !ok {
		return false
	}
	time.Sleep(d)                           // the fault
	_ = cmd.Process.Signal(syscall.SIGCONT) // it may have been killed meanwhile
	return true
}

// terminate asks the process to end, and waits until it has. The error is that of its end.
func (p *process) terminate(within time.Duration) error {
	p.mu.Lock()
	before := len(p.odd)
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	close(p.ending)
	p.mu.Unlock()
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-p.over:
	case <-late.C:
		p.kill()
		<-p.over
		return fmt.Errorf("%s did not end within %v", p.name, within)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.odd) > before {
		return fmt.Errorf("%s was told to end, and ended with %s", p.name, p.odd[before])
	}
	return nil
}

// start has the program run until the test ends.
func (p *process) start(t *testing.T) {
	t.Helper()
	p.ending, p.over = make(chan struct{}), make(chan struct{})
	go p.keep()
	t.Cleanup(func() {
		select {
		case <-p.ending:
		default:
			_ = p.terminate(0)
		}
	})
}

// setClock moves the clock of the program, now and in lives to come.
func (p *process) setClock(t *testing.T, by time.Duration) {
	t.Helper()
	next := p.clock + ".next"
	require.NoError(t, os.WriteFile(next, strconv.AppendInt(nil, int64(by/time.Second), 10), 0o600))
	require.NoError(t, os.Rename(next, p.clock))
}

// ports gives ports of loopback that the system gives to no connection: a server that is
// away for a moment finds its own free when it comes back.
type ports struct{ next int }

func newPorts(t *testing.T) *ports {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	require.NoError(t, err)
	first, err := strconv.Atoi(strings.Fields(string(text))[0])
	require.NoError(t, err)
	// Two tests at once begin far from each other.
	const lowest, room = 10_000, 200
	require.Greater(t, first, lowest+room)
	return &ports{lowest + os.Getpid()*room%(first-lowest-room)}
}

func (p *ports) take(t *testing.T) string {
	t.Helper()
	for {
		p.next++
		at := fmt.Sprintf("127.0.0.1:%d", p.next)
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", at)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		require.NoError(t, err)
		require.NoError(t, l.Close())
		return at
	}
}
