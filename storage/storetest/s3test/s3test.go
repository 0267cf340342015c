// Package s3test gives tests a real S3 server: versitygw, which checks
// signatures and does multipart uploads, started on loopback with a directory
// of the test's own.
package s3test

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	accessKey = "switchtape-test"
	secretKey = "switchtape-test-secret"
	bucket    = "recordings"
)

// Server is a running S3 server with one empty bucket.
type Server struct {
	// URL opens the bucket through gocloud.dev/blob/s3blob, in a process with Env.
	URL string
	// Env are the credentials, as "NAME=value".
	Env []string
	// Dir is where the server keeps the bucket's objects, as files.
	Dir string
}

// Start starts a server that ends with the test. Without versitygw the test is
// skipped, loudly, or fails under SWITCHTAPE_REQUIRE_SERVICES=1.
func Start(t testing.TB) *Server {
	t.Helper()
	exe := find()
	if exe == "" {
		const how = "versitygw is not installed: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0"
		if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") == "1" {
			t.Fatal(how)
		}
		t.Skip("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: " + how)
	}
	root := t.TempDir()
	dir := filepath.Join(root, "data", bucket)
	sidecar := filepath.Join(root, "meta") // not every file system has extended attributes
	for _, d := range []string{dir, sidecar} {
		if err := os.MkdirAll(d, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	addr := freePort(t)
	var log bytes.Buffer
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), exe, "--quiet", "--port", addr, "--access", accessKey, "--secret", secretKey,
		"posix", "--sidecar", sidecar, filepath.Dir(dir))
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited // it was killed
	})
	waitFor(t, addr, exited, &log)
	return &Server{
		URL: "s3://" + bucket + "?region=us-east-1&use_path_style=true&disable_https=true&request_checksum_calculation=when_required&response_checksum_validation=when_required&endpoint=http://" + addr,
		Env: []string{"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true"},
		Dir: dir,
	}
}

// Setenv puts the credentials in the test's own process.
func (s *Server) Setenv(t *testing.T) {
	t.Helper()
	for _, e := range s.Env {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
}

func find() string {
	if p, err := exec.LookPath("versitygw"); err == nil {
		return p
	}
	// Where go install puts it, which is often not on the PATH.
	out, err := exec.CommandContext(context.Background(), "go", "env", "GOBIN", "GOPATH").Output()
	if err != nil {
		return ""
	}
	lines := strings.Split(string(out), "\n")
	for i, dir := range lines[:min(2, len(lines))] {
		if i == 1 {
			dir = filepath.Join(dir, "bin")
		}
		p := filepath.Join(dir, "versitygw")
		if _, err := os.Stat(p); err == nil && dir != "" {
			return p
		}
	}
	return ""
}

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

func waitFor(t testing.TB, addr string, exited <-chan error, log *bytes.Buffer) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
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
		case err := <-exited:
			t.Fatalf("versitygw ended: %v\n%s", err, log)
		case <-deadline.C:
			t.Fatalf("versitygw does not listen on %s", addr)
		case <-again.C:
		}
	}
}
