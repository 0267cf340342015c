package main

import (
	"context"
	"io/fs"
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
	needTools(t, "bash", "curl", "openssl")
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
	replace("postgres://switchtape@db1/switchtape", db)
	replace("s3://recordings?region=eu-central-1", "file://"+filepath.Join(dir, "bucket"))
	replace(":8443", ":"+freePort(t))
	// The recording takes a moment; what a person would look at again is looked at until it is there.
	replace("switchtape calls show call-1 ", "for _ in $(seq 300); do switchtape calls show call-1 | grep -q completed && break; sleep 0.1; done\nswitchtape calls show call-1 ")
	script += "\nkill -TERM $(jobs -p)\nwait\n"

	text := runScript(t, dir, script, 2*time.Minute)
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

// needTools has the test fail, or skip where services may be missing, without the tools that
// a document's commands need.
func needTools(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") != "" {
				t.Fatalf("the commands need %s", tool)
			}
			t.Skipf("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: the commands need %s; install it, or run .ci/run", tool)
		}
	}
}

// runScript runs a document's commands in dir, with its bin first in the path, and returns
// what they print. What they start ends with them, also where they fail; their logs are
// the test's.
func runScript(t *testing.T, dir, script string, within time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -euo pipefail\n"+script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	more, _ := filepath.Glob(filepath.Join(dir, "*", "*.log"))
	for _, name := range append(logs, more...) {
		b, _ := os.ReadFile(name)
		t.Logf("%s: %s", name, b)
	}
	require.NoError(t, err, "%s", out)
	return string(out)
}
