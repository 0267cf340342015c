package brokertest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// RabbitServer is a RabbitMQ on loopback, with a node name, ports and a directory of the
// test's own.
type RabbitServer struct {
	port    int
	env     []string
	exe     string
	cmd     *exec.Cmd
	over    chan struct{}
	printed *output
}

// Rabbit starts Debian's RabbitMQ. Where it isn't installed the test is skipped, or fails
// under SWITCHTAPE_REQUIRE_SERVICES=1.
func Rabbit(t testing.TB) *RabbitServer {
	t.Helper()
	exe := missing(t, "rabbitmq-server, of Debian's package of that name", "/usr/lib/rabbitmq/bin/rabbitmq-server")
	epmd := missing(t, "epmd, of Debian's package erlang-base", "/usr/bin/epmd")
	dir := t.TempDir()
	names, dist := freePort(t), freePort(t)
	s := &RabbitServer{exe: exe, port: freePort(t)}
	s.env = append(os.Environ(),
		"HOME="+dir, // of Erlang's cookie
		"ERL_EPMD_ADDRESS=127.0.0.1", "ERL_EPMD_PORT="+strconv.Itoa(names),
		fmt.Sprintf("RABBITMQ_NODENAME=switchtape%d@localhost", s.port), "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
		"RABBITMQ_NODE_PORT="+strconv.Itoa(s.port), "RABBITMQ_DIST_PORT="+strconv.Itoa(dist),
		"RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "mnesia"), "RABBITMQ_LOG_BASE="+filepath.Join(dir, "log"), "RABBITMQ_LOGS=-",
		"RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "none"), "RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "plugins"),
		"RABBITMQ_PID_FILE="+filepath.Join(dir, "pid"), "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
	)
	// Erlang's own would go on when the test has ended.
	daemon := exec.CommandContext(context.WithoutCancel(t.Context()), epmd, "-port", strconv.Itoa(names), "-address", "127.0.0.1")
	daemon.Env = s.env
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait() // it was killed
	})
	s.Start(t)
	t.Cleanup(s.Kill)
	return s
}

// missing is the program's path. Without it the test ends here.
func missing(t testing.TB, what, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") == "1" {
		t.Fatalf("%s is not installed", what)
	}
	t.Skipf("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: %s is not installed", what)
	return ""
}

// Start starts the server, again with what it has stored.
func (s *RabbitServer) Start(t testing.TB) {
	t.Helper()
	s.printed = &output{}
	s.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), s.exe)
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = s.env, s.printed, s.printed
	ownGroup(s.cmd)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.over = make(chan struct{})
	go func(cmd *exec.Cmd, over chan struct{}) {
		_ = cmd.Wait() // what it printed says more
		close(over)
	}(s.cmd, s.over)
	deadline := time.NewTimer(2 * within)
	defer deadline.Stop()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Host())
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-s.over:
			t.Fatalf("RabbitMQ ended:\n%s", s.printed)
		case <-deadline.C:
			t.Fatalf("RabbitMQ does not listen:\n%s", s.printed)
		case <-again.C:
		}
	}
}

// Kill ends the server at once.
func (s *RabbitServer) Kill() {
	if killGroup(s.cmd) != nil {
		return
	}
	<-s.over
}

// Host is the server's address, as URLs name it.
func (s *RabbitServer) Host() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// output holds what a process prints while it is read by others.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String is what was printed.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
