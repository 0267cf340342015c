package pgtest

import (
	"os"
	"syscall"
	"testing"
)

// Server is a server of a test's own, which may be stopped and started again.
type Server struct {
	// URL is its database "postgres", empty at first, through a Unix socket.
	URL string

	bin, dir string
	as       *syscall.SysProcAttr
	stop     func() // nil while it is stopped
}

// Own starts a server for the test alone, on this machine whatever
// TEST_POSTGRES_URL says. It ends with the test.
func Own(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	var err error
	if s.bin, err = newest(); err == nil {
		s.as, err = unprivileged()
	}
	if err == nil {
		s.dir, err = os.MkdirTemp("/tmp", "switchtape-pg-") //nolint:usetesting // short: a socket's path has 107 bytes
	}
	if err != nil {
		missing(t, err)
	}
	s.URL = urlIn(s.dir)
	t.Cleanup(func() {
		s.Crash()
		if err := os.RemoveAll(s.dir); err != nil {
			t.Error(err)
		}
	})
	if s.as.Credential != nil {
		err = os.Chown(s.dir, int(s.as.Credential.Uid), int(s.as.Credential.Gid))
	}
	if err == nil {
		err = initialise(s.bin, s.dir, s.as)
	}
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	s.Start(t)
	return s
}

// Crash stops the server immediately: its processes end in the middle of what they
// do, and the next start recovers from the log. It does nothing while stopped.
func (s *Server) Crash() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// Start starts the server after Crash and waits until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	var err error
	if s.stop, err = keep(s.bin, s.dir, s.as, false); err == nil {
		err = awaitStart(s.URL, s.dir)
	}
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
}
