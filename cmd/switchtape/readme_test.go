package main

import (
	"context"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// TestReadmesFleet: the README's fleet, each command as it stands there: only what the
// machine has is put in its place, the database, the bucket and the port.
func TestReadmesFleet(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds the three programs: not with -short")
	}
	for _, tool := range []string{"bash", "curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") != "" {
				t.Fatalf("the README's commands need %s", tool)
			}
			t.Skipf("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: the README's commands need %s; install it, or run .ci/run", tool)
		}
	}
	db := pgtest.URL(t)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)### A fleet\n.*?```sh\n(.*?)```").FindSubmatch(readme)
	require.NotNil(t, block, "the README has no fleet")
	rules := regexp.MustCompile("(?s)```yaml\n(destinations:.*?)```").FindSubmatch(readme)
	require.NotNil(t, rules, "the README has no rules")

	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "bin")+"/", ".", "../switchtape-api", "../switchtape-worker")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.yaml"), rules[1], 0o600))
	_, _, err = samplecall.WriteLegs(dir)
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bucket"), 0o700))
	script := string(block[1])
	replace := func(old, with string) {
		t.Helper()
		require.Contains(t, script, old)
		script = strings.ReplaceAll(script, old, with)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	replace("postgres://switchtape@db1/switchtape", db)
	replace("s3://recordings?region=eu-central-1", "file://"+filepath.Join(dir, "bucket"))
	replace(":8443", ":"+port)
	// The recording takes a moment; what a person would look at again is looked at until it is there.
	replace("switchtape calls show call-1 ", "for _ in $(seq 300); do switchtape calls show call-1 | grep -q completed && break; sleep 0.1; done\nswitchtape calls show call-1 ")
	script = "set -euo pipefail\n" + script + "\nkill -TERM $(jobs -p)\nwait\n"

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	out, err = cmd.CombinedOutput()
	if cmd.Process != nil { // what it started ends with it, also where it failed
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	text := string(out)
	for _, name := range []string{"api.log", "worker.log"} {
		b, _ := os.ReadFile(filepath.Join(dir, name))
		t.Logf("%s: %s", name, b)
	}
	require.NoError(t, err, text)
	assert.Contains(t, text, "is in service")
	assert.Contains(t, text, `"rule":"rest"`)
	assert.Regexp(t, `recording \S+ +completed`, text)
	var made []string
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "bucket"), func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".flac" || filepath.Ext(path) == ".mp3" {
			made = append(made, path)
		}
		return err
	}))
	assert.NotEmpty(t, made)
}
