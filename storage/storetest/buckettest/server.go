// Package buckettest gives tests real servers of the clouds' bucket protocols,
// started on loopback with a directory of the test's own: versitygw for S3 and
// azurite for Azure, which check signatures, and fake-gcs-server for Google's.
//
// Where a server can't be had, its tests are skipped with a word on how to get
// it; with SWITCHTAPE_REQUIRE_SERVICES=1 they fail.
package buckettest

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const bucket = "recordings"

// Server is a running server with one empty bucket.
type Server struct {
	// URL opens the bucket through gocloud.dev/blob, in a process with Env.
	URL string
	// Env are the credentials, as "NAME=value".
	Env []string
	// Dir is where an S3 server keeps the bucket's objects, as files; "" for others.
	Dir string
}

// Setenv puts the credentials in the test's own process.
func (s *Server) Setenv(t *testing.T) {
	t.Helper()
	for _, e := range s.Env {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
}

// find is where a program is. Without it the test ends here: skipped, loudly,
// or failed under SWITCHTAPE_REQUIRE_SERVICES=1.
func find(t testing.TB, name, how string) string {
	t.Helper()
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	// Where go install puts it, which is often not on the PATH.
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOBIN", "GOPATH").Output()
	if err == nil {
		lines := strings.Split(string(out), "\n")
		for i, dir := range lines[:min(2, len(lines))] {
			if i == 1 {
				dir = filepath.Join(dir, "bin")
			}
			if p := filepath.Join(dir, name); dir != "" && exists(p) {
				return p
			}
		}
	}
	if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") == "1" {
		t.Fatalf("%s is not installed: %s", name, how)
	}
	t.Skipf("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: %s is not installed: %s", name, how)
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// start runs the program until the test ends, and waits until it listens on addr.
func start(t testing.TB, addr, exe string, args ...string) {
	t.Helper()
	log := &safeBuffer{}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), exe, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	var ended error
	go func() {
		ended = cmd.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
	})
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-exited:
			t.Fatalf("%s ended: %v\n%s", exe, ended, log)
		case <-deadline.C:
			t.Fatalf("%s does not listen on %s\n%s", exe, addr, log)
		case <-again.C:
		}
	}
}

// freePort is an address on loopback that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return addr
}

// safeBuffer holds what a process prints while it is read by others.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
