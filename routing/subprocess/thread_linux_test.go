package subprocess

import (
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The first thread of a process never ends, and would give way for good. What is done on a
// thread that ends is done on another, also where all others are held.
func TestFirstThreadIsLeftAlone(t *testing.T) {
	first := make(chan bool)
	for range 50 {
		var held []chan struct{}
		for range 8 { // threads but the first are held here, as far as the runtime gives them
			release, ready := make(chan struct{}), make(chan bool)
			go func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				on := onFirstThread()
				ready <- on
				if !on {
					<-release
				}
			}()
			if !<-ready {
				held = append(held, release)
			}
		}
		go func() {
			var tid int
			onThreadThatEnds(func() { tid = syscall.Gettid() })
			first <- tid == os.Getpid()
		}()
		assert.False(t, <-first)
		for _, release := range held {
			close(release)
		}
	}
	nice, err := syscall.Getpriority(syscall.PRIO_PROCESS, os.Getpid())
	require.NoError(t, err)
	assert.Equal(t, 20, nice, "the system call's answer to a nice value of 0: getpriority(2)")
}
