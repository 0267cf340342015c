package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/cli/clitest"
	"github.com/switchtape/switchtape/cmd/internal/service"
)

// What takes long says on a terminal how far it is, beside its result, and nothing elsewhere.
func TestLongCommandsDrawTheirProgress(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	runJSON(t, &demoOutput{}, "demo", "--dir", dir)
	db, bucket, legs := service.SQLiteURL(dir), service.FileURL(filepath.Join(dir, "recordings")), filepath.Join(dir, "legs")
	keys := filepath.Join(t.TempDir(), "keys")
	code, _, errs := run(t, "encryption", "new", "--out", keys)
	require.Zero(t, code, errs)
	rules := func(name string) string { return filepath.Join("testdata", "rules", name) }
	calls := filepath.Join(dir, "calls.ndjson") // more than is read at once
	require.NoError(t, os.WriteFile(calls, bytes.Repeat(readFile(t, rules("calls.ndjson")), 1000), 0o600))
	agent, customer := sample(t)
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"verify":   {[]string{"verify", "--db", db, "--bucket", bucket}, []string{"comparing", "rows and objects/"}},
		"adopt":    {[]string{"adopt", legs, "--pattern", "{call}/{leg:agent|customer|agent-1|agent-2}.wav"}, []string{"adopting", "calls/", "%"}},
		"rewrap":   {[]string{"encryption", "rewrap", "--bucket", bucket, "--encrypt-keys", keys}, []string{"re-wrapping", "objects/"}},
		"export":   {[]string{"export", "tenant", "--db", db, "--bucket", bucket, "--out", filepath.Join(dir, "export")}, []string{"exporting", "B/s"}},
		"simulate": {[]string{"rules", "simulate", rules("clean.yaml"), "--calls", calls}, []string{"reading calls", "simulating", "%"}},
		"diff":     {[]string{"rules", "diff", rules("clean.yaml"), rules("other.yaml"), "--calls", calls}, []string{"reading calls", "%"}},
		"record":   {[]string{"record", "--leg", "a=" + agent, "--leg", "c=" + customer, "--out", filepath.Join(dir, "x.mp3")}, []string{"recording", "%"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "export" && name != "record" { // those make what they have made once
				code, out, errs := run(t, c.args...)
				require.Zero(t, code, "%s%s", out, errs)
				assert.Empty(t, errs)
			}
			tty, screen, closed := clitest.Terminal(t)
			var out bytes.Buffer
			code := cli.Run(t.Context(), "switchtape", description, &commands{}, c.args, cli.Streams{Out: &out, Err: tty})
			closed()
			require.Zero(t, code, "%s%s", out.String(), screen)
			for _, part := range c.want {
				assert.Contains(t, screen.String(), part)
			}
			assert.NotContains(t, out.String(), "\r")
			lines := strings.Split(screen.String(), "\r")
			assert.Empty(t, strings.TrimSpace(lines[len(lines)-1]), "it is taken away")
		})
	}
}
