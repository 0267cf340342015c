package pgtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a server of a test's own, which may be stopped and started again.
type Server struct {
	// URL is its database "postgres", empty at first, through a Unix socket.
	URL string
	// Address is where it listens on loopback, as host:port, for tests that put something
	// between it and its clients; "" for a server on its socket alone.
	Address string

	bin, dir string
	as       *syscall.SysProcAttr
	stop     func(signal string) // nil while it is stopped
}

// Own starts a server for the test alone, on this machine whatever
// TEST_POSTGRES_URL says. It ends with the test.
func Own(t testing.TB) *Server {
	t.Helper()
	s := inDirectory(t)
	s.initialise(t)
	return s
}

// OnNetwork is Own for a server that listens at an address of loopback, too. One that is
// stopped and started again needs a port that nobody is given meanwhile: none of those that
// the system gives to connections.
func OnNetwork(t testing.TB, address string) *Server {
	t.Helper()
	s := inDirectory(t)
	s.listen(address)
	s.initialise(t)
	return s
}

func (s *Server) initialise(t testing.TB) {
	t.Helper()
	if err := initialise(s.bin, s.dir, s.as); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	s.Start(t)
}

// listen gives the server an address.
func (s *Server) listen(address string) {
	s.Address = address
	s.URL += "&port=" + s.port() // of which its socket has its name, too
}

// port is the port of the server's address, "" without one.
func (s *Server) port() string {
	_, port, _ := strings.Cut(s.Address, ":")
	return port
}

// Standby starts a server that follows this one and can be asked meanwhile. From then
// on no transaction of this one is acknowledged before the standby has it. It ends with
// the test.
func (s *Server) Standby(t testing.TB) *Server {
	t.Helper()
	return s.StandbyAt(t, "")
}

// StandbyAt is Standby for one that listens at an address of loopback, too; "" for none.
func (s *Server) StandbyAt(t testing.TB, address string) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), start)
	defer cancel()
	standby := inDirectory(t)
	if address != "" {
		standby.listen(address)
	}
	backup := exec.CommandContext(ctx, filepath.Join(s.bin, "pg_basebackup"), "--host", s.dir, "--username", "postgres", "--no-sync",
		"--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--pgdata", filepath.Join(standby.dir, "data"))
	if s.Address != "" {
		backup.Args = append(backup.Args, "--port", s.port())
	}
	backup.SysProcAttr, backup.Dir = s.as, standby.dir
	if out, err := backup.CombinedOutput(); err != nil {
		t.Fatalf("pgtest: pg_basebackup: %v\n%s", err, out)
	}
	standby.Start(t)
	for _, stmt := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		if err := do(ctx, s.URL, stmt); err != nil {
			t.Fatalf("pgtest: %v", err)
		}
	}
	// 1/0 until the standby is synchronous.
	await(ctx, t, s.URL, "SELECT 1 / count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")
	return standby
}

// Promote makes a standby a server that writes, and returns when it does.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), start)
	defer cancel()
	await(ctx, t, s.URL, "SELECT 1 / pg_promote(true, 30)::int")
}

// await runs a statement until it succeeds.
func await(ctx context.Context, t testing.TB, at, stmt string) {
	t.Helper()
	for {
		err := do(ctx, at, stmt)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("pgtest: %s: %v", stmt, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// inDirectory is a server that is still to be made, with a directory of its own.
func inDirectory(t testing.TB) *Server {
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
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return s
}

// Crash stops the server immediately: its processes end in the middle of what they
// do, and the next start recovers from the log. It does nothing while stopped.
func (s *Server) Crash() {
	s.end("QUIT")
}

// Stop stops the server as it is stopped to be maintained: sessions are ended, whatever they
// do, and what is committed is written. It does nothing while stopped.
func (s *Server) Stop() {
	s.end("INT")
}

func (s *Server) end(signal string) {
	if s.stop != nil {
		s.stop(signal)
		s.stop = nil
	}
}

// Start starts the server after Crash and waits until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	var err error
	if s.stop, err = keep(s.bin, s.dir, s.port(), s.as, false); err == nil {
		err = awaitStart(s.URL, s.dir)
	}
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
}
