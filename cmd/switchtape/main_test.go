package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/cli"
)

// asCommand makes the test binary the command itself, so that tests can start
// it as a process of its own, and kill it.
const asCommand = "SWITCHTAPE_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Exit(cli.Main("switchtape", description, &commands{}, os.Args[1:], cli.Streams{Out: os.Stdout, Err: os.Stderr}))
	}
	os.Exit(m.Run())
}

// run runs the command in this process.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return runAnswering(t, nil, args...)
}

// runAnswering is run with somebody who answers.
func runAnswering(t *testing.T, in io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Run(t.Context(), "switchtape", description, &commands{}, args, cli.Streams{Out: &out, Err: &errs, In: in})
	return code, out.String(), errs.String()
}

// runJSON runs a command that must succeed and decodes what it prints.
func runJSON(t *testing.T, v any, args ...string) {
	t.Helper()
	code, out, errs := run(t, append(args, "--json")...)
	require.Zero(t, code, errs)
	require.NoError(t, json.Unmarshal([]byte(out), v), out)
}

// process is the command as a process.
type process struct {
	cmd *exec.Cmd
	url string
	log *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var servesOn = regexp.MustCompile(`serves on (http://\S+)`)

// serve starts switchtape serve and waits until it serves.
func serve(t *testing.T, args ...string) *process {
	t.Helper()
	return serveBy(t, os.Args[0], args...)
}

// serveBy is serve with another binary.
func serveBy(t *testing.T, binary string, args ...string) *process {
	t.Helper()
	p := &process{log: &lockedBuffer{}}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), binary, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	p.cmd.Env = append(os.Environ(), asCommand+"=1")
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		keepsSecrets(t, p.log.String())
	})
	require.Eventually(t, func() bool {
		m := servesOn.FindStringSubmatch(p.log.String())
		if m != nil {
			p.url = m[1]
		}
		return m != nil
	}, 30*time.Second, 5*time.Millisecond, "switchtape serve did not start: %s", p.log)
	return p
}

// kill is kill -9.
func (p *process) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Kill())
	_ = p.cmd.Wait() // it was killed
}

// terminate asks the process to end and waits until it has.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	require.NoError(t, p.cmd.Wait(), p.log.String())
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}
