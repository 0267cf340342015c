package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// TestQuickStart: quickstart.md, each command as it stands there: only the database and the
// ports are the test's own.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds the three programs: not with -short")
	}
	needTools(t, "bash", "curl", "openssl", "versitygw")
	db := pgtest.URL(t)
	page, err := os.ReadFile("../../examples/docs/quickstart.md")
	require.NoError(t, err)
	var script strings.Builder
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(page, -1) {
		script.Write(block[1])
	}
	text := script.String()
	replace := func(old, with string) {
		t.Helper()
		require.Contains(t, text, old)
		text = strings.ReplaceAll(text, old, with)
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	// The checkout is left as it is: the programs are built from there, into the test's directory.
	replace("go build -o quick/bin/", "mkdir -p quick/bin\ngo build -C '"+root+"' -o '"+dir+"/quick/bin/'")
	replace("$PWD/recording", root+"/recording")
	replace("postgres:///switchtape?host=/var/run/postgresql", db)
	for _, port := range []string{"7070", "8443", "8444", "9000"} {
		replace(port, freePort(t))
	}
	began := time.Now()
	out := runScript(t, dir, text, 3*time.Minute)
	t.Logf("%v; %s", time.Since(began).Round(time.Second), out)
	for _, want := range []string{"is in service", `recording.completed`, `call-1 s3://recordings/`, `switchtape_decisions_total`, `outcome="done",status="completed"} 1`} {
		assert.Contains(t, out, want)
	}
	assert.Regexp(t, `recording \S+ +completed`, out)
	sound, err := os.ReadFile(filepath.Join(dir, "quick", "call.audio"))
	require.NoError(t, err)
	assert.Greater(t, len(sound), 10_000)
}

// freePort is a port of loopback that nothing listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return port
}
