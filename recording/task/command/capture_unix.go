//go:build unix

package command

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// capture runs the program to its end, and then ends what it has left running in its
// group. out and faults get what has been written to its standard output and error until
// then: a process that has left the group and holds them open is not waited for. The error
// is that of exec.Cmd.Wait.
func capture(cmd *exec.Cmd, g *group, out, faults io.Writer) (err error) {
	var streams []*stream
	defer func() {
		for _, s := range streams {
			err = errors.Join(err, s.end())
		}
	}()
	for _, to := range []struct {
		at *io.Writer
		w  io.Writer
	}{{&cmd.Stdout, out}, {&cmd.Stderr, faults}} {
		s, err := newStream(to.w)
		if err != nil {
			return err
		}
		streams = append(streams, s)
		*to.at = s.in
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	for _, s := range streams {
		s.follow()
	}
	err = cmd.Wait()
	_ = g.kill()
	return err
}

// stream is a pipe whose contents go to a writer.
type stream struct {
	in, out *os.File
	to      io.Writer
	ended   chan error // nil until it is followed
}

func newStream(to io.Writer) (*stream, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &stream{in: in, out: out, to: to}, nil
}

// follow copies what comes, once the program has its end of the pipe.
func (s *stream) follow() {
	_ = s.in.Close() // the program's is another
	s.ended = make(chan error, 1)
	go func() {
		_, err := io.Copy(s.to, s.out)
		s.ended <- err
	}()
}

// end copies what is in the pipe already, waits for no more, and closes it.
func (s *stream) end() error {
	if s.ended == nil {
		return errors.Join(s.in.Close(), s.out.Close())
	}
	err := s.out.SetReadDeadline(time.Unix(1, 0))
	copied := <-s.ended
	if errors.Is(copied, os.ErrDeadlineExceeded) {
		copied = s.drain()
	}
	return errors.Join(err, copied, s.out.Close())
}

// mostPiped is more than a pipe holds, in bytes, unless the system is set up otherwise.
const mostPiped = 1 << 20

// drain copies what the pipe holds. Somebody may go on writing: it ends at mostPiped.
func (s *stream) drain() error {
	if err := s.out.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	raw, err := s.out.SyscallConn()
	if err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	for left := mostPiped; left > 0; {
		var n int
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			n, failed = syscall.Read(int(fd), block)
			return true // what isn't there isn't waited for
		})
		switch {
		case err != nil:
			return err
		case errors.Is(failed, syscall.EINTR):
			continue
		case errors.Is(failed, syscall.EAGAIN), failed == nil && n <= 0:
			return nil
		case failed != nil:
			return os.NewSyscallError("read", failed)
		}
		left -= n
		if _, err := s.to.Write(block[:n]); err != nil {
			return err
		}
	}
	return nil
}
