package clitest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Screen is what was written to a terminal. It may be read while a command writes.
type Screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// String is all of it, with the letters that move the cursor.
func (s *Screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Write is the terminal's.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// Terminal is a pseudoterminal for a command's streams, and what is written to it. closed
// ends it and waits until Screen has all of it; it is done once the test is over, if not
// before.
func Terminal(t *testing.T) (tty *os.File, screen *Screen, closed func()) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	fd := int(master.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	screen = &Screen{}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(screen, master) // the end of a terminal is an error
	}()
	var once sync.Once
	closed = func() {
		once.Do(func() {
			assert.NoError(t, tty.Close())
			<-read
			assert.NoError(t, master.Close())
		})
	}
	t.Cleanup(closed)
	return tty, screen, closed
}
