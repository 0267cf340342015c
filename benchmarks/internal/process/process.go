// Package process starts the service that benchmarks ask from outside.
package process

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// API is a running switchtape-api.
type API struct {
	URL string
	Pid int
}

// Build compiles the commands of the tree at dir, "switchtape-api" and the like, and returns
// the directory that they are in.
func Build(b *testing.B, dir string, commands ...string) string {
	b.Helper()
	bin := b.TempDir()
	args := []string{"build", "-o", bin + "/"}
	for _, c := range commands {
		args = append(args, "./cmd/"+c)
	}
	cmd := exec.CommandContext(b.Context(), "go", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(b, err, "%s", out)
	return bin
}

// Address is one on loopback that nobody listens at.
func Address(b *testing.B) string {
	b.Helper()
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	require.NoError(b, err)
	require.NoError(b, l.Close())
	return l.Addr().String()
}

// Start starts the program with the arguments, with rules put in service, and waits until it
// is ready. It ends with the benchmark, whose failure shows its log.
func Start(b *testing.B, program, rules string, args ...string) *API {
	b.Helper()
	file := filepath.Join(b.TempDir(), "rules.yaml")
	require.NoError(b, os.WriteFile(file, []byte(rules), 0o600))
	return Run(b, program, nil, append(args, "--rules", file)...)
}

// Run starts the program with the arguments, and env besides this process's environment, and
// waits until it is ready. It ends with the benchmark, whose failure shows its log.
func Run(b *testing.B, program string, env []string, args ...string) *API {
	b.Helper()
	address := Address(b)
	log, err := os.Create(filepath.Join(b.TempDir(), "log"))
	require.NoError(b, err)
	cmd := exec.CommandContext(b.Context(), program, append(args, "--listen", address)...)
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, append(os.Environ(), env...)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		_ = log.Close()
		if b.Failed() {
			text, _ := os.ReadFile(log.Name())
			b.Logf("%s", text)
		}
	})
	s := &API{URL: "http://" + address, Pid: cmd.Process.Pid}
	Await(b, s.URL)
	return s
}

// Await waits until the service is ready.
func Await(b *testing.B, url string) {
	b.Helper()
	require.Eventually(b, func() bool {
		resp, err := http.Get(url + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, 30*time.Second, 20*time.Millisecond, url)
}
