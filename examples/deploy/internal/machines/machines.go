// Package machines starts the programs that deployments are made of, for their tests:
// Switchtape's own, built as they are released, and those beside them.
package machines

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Deadline is how long a test waits for what should be there at once.
const Deadline = 20 * time.Second

// bin is where the programs of this tree are, once they are built.
var bin string

var build = sync.OnceValue(func() error {
	var err error
	if bin, err = os.MkdirTemp("", "switchtape-programs-*"); err != nil {
		return err
	}
	root, err := module()
	if err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", bin+"/")
	build.Dir = root
	for _, program := range []string{"switchtape", "switchtape-api", "switchtape-worker"} {
		build.Args = append(build.Args, "github.com/switchtape/switchtape/cmd/"+program)
	}
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as released
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the programs: %w: %s", err, out)
	}
	return nil
})

// module is the directory of Switchtape's module, in or below which the test runs, maybe in a
// module of its own.
func module() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		text, missing := os.ReadFile(filepath.Join(dir, "go.mod"))
		switch {
		case missing == nil && strings.HasPrefix(string(text), "module github.com/switchtape/switchtape\n"):
			return dir, nil
		case dir == filepath.Dir(dir):
			err = errors.New("the test isn't within Switchtape's module")
		}
	}
	return "", err
}

// Main is the TestMain of packages whose tests use [Programs]: it removes them at the end.
func Main(m *testing.M) {
	code := m.Run()
	if bin != "" {
		if err := os.RemoveAll(bin); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// Programs is the directory of switchtape, switchtape-api and switchtape-worker, of this
// tree, built once a test binary. Its package has [Main] for its TestMain.
func Programs(t testing.TB) string {
	t.Helper()
	require.NoError(t, build())
	return bin
}

// Process is a program that runs beside the test, with children of its own.
type Process struct {
	// Said is what it has written so far, on both streams.
	Said *Said
	cmd  *exec.Cmd
}

// Start starts a program in a directory and a process group of its own, with more in its
// environment. It is killed when the test ends.
func Start(t testing.TB, env []string, program string, args ...string) *Process {
	t.Helper()
	p := &Process{Said: &Said{}, cmd: exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = p.Said, p.Said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, p.cmd.Start())
	t.Cleanup(p.Kill)
	return p
}

// Kill ends the process and its children, with -9.
func (p *Process) Kill() {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.cmd.Wait() // it was killed
}

// Terminate asks the process to end, as systemd and Kubernetes do, and waits until it has.
func (p *Process) Terminate(t testing.TB) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, p.cmd.Wait(), "%s", p.Said)
}

// Wait waits until the process has ended well by itself.
func (p *Process) Wait(t testing.TB) {
	t.Helper()
	require.NoError(t, p.cmd.Wait(), "%s", p.Said)
}

// Said is what a process says, while it says it.
type Said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write takes more of it.
func (s *Said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// String is all of it.
func (s *Said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// FreePort is a port of loopback that nobody has, neither for UDP nor for TCP.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	addr, ok := l.Addr().(*net.TCPAddr)
	require.True(t, ok)
	port := addr.Port
	u, err := net.ListenPacket("udp", Address(port))
	require.NoError(t, err)
	require.NoError(t, u.Close())
	return port
}

// Address is a port of loopback as an address.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Certificate is one for 127.0.0.1, with its key, as files in dir, and the settings of a
// client that takes it.
func Certificate(t testing.TB, dir string) (cert, key string, client *tls.Config) {
	t.Helper()
	server := httptest.NewTLSServer(nil) // for its certificate
	defer server.Close()
	private, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return cert, key, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// Get is the status with which a server answers; 0 while it doesn't.
func Get(t testing.TB, url string) int {
	t.Helper()
	status, _ := ask(t, http.MethodGet, url, http.NoBody)
	return status
}

// Post is the status and the body with which a server answers a body of JSON; 0 and why
// where it doesn't.
func Post(t testing.TB, url, body string) (status int, answer string) {
	t.Helper()
	return ask(t, http.MethodPost, url, strings.NewReader(body))
}

func ask(t testing.TB, method, url string, body io.Reader) (status int, answer string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Deadline)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}
