package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// golden holds a command's whole output against a file of testdata/rules;
// SWITCHTAPE_UPDATE_GOLDEN=1 writes it anew.
func golden(t *testing.T, name string, wantCode int, args ...string) {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("testdata", "rules"))
	require.NoError(t, err)
	for i, a := range args {
		if strings.HasSuffix(a, ".yaml") || strings.HasSuffix(a, ".ndjson") {
			args[i] = filepath.Join(dir, a)
		}
	}
	code, out, errs := run(t, append([]string{"rules"}, args...)...)
	require.Equal(t, wantCode, code, "%s\n%s", out, errs)
	if errs != "" {
		out += "--- errors\n" + errs
	}
	out = strings.ReplaceAll(out, dir+string(filepath.Separator), "")
	path := filepath.Join("testdata", "rules", name+".golden")
	if os.Getenv("SWITCHTAPE_UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(path, []byte(out), 0o600))
	}
	assert.Equal(t, string(readFile(t, path)), out)
}

// TestRulesOfTheDocs: the example of what sets are made of has no fault, and its tests hold.
func TestRulesOfTheDocs(t *testing.T) {
	t.Parallel()
	code, out, errs := run(t, "rules", "check", "--strict", "--at=2026-03-02T10:00:00Z", filepath.Join("..", "..", "examples", "rules", "office.yaml"))
	require.Zero(t, code, out+errs)
	code, out, _ = run(t, "route", "--rules", filepath.Join("..", "..", "examples", "rules", "office.yaml"), "--from", "+4930555111", "--to", "+4990012345",
		"--tenant", "sales", "--at", "2026-03-02T10:00:00Z")
	require.Equal(t, 1, code)
	assert.Contains(t, out, "rule no-premium takes a call")
	assert.Contains(t, out, "SIP 403 Q.850 21: barred")
	text := string(readFile(t, filepath.Join("..", "..", "examples", "rules", "office.yaml")))
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	require.NoError(t, os.WriteFile(broken, []byte(strings.Replace(text, "destinations: [desk]", "destinations: [machine]", 1)), 0o600))
	code, out, _ = run(t, "rules", "check", broken)
	require.Equal(t, 1, code)
	assert.Contains(t, out, `test "in the morning" fails: machine are expected, and rule desk takes the call to desk [test-failed]`)
}

func TestRulesCheck(t *testing.T) {
	t.Parallel()
	const at = "--at=2026-03-02T10:00:00Z"
	golden(t, "check-broken", 1, "check", "broken.yaml", at)
	golden(t, "check-broken-json", 1, "check", "broken.yaml", at, "--json")
	golden(t, "check-doubtful", 0, "check", "doubtful.yaml", at)
	golden(t, "check-doubtful", 1, "check", "doubtful.yaml", at, "--strict")
	golden(t, "check-doubtful-json", 0, "check", "doubtful.yaml", at, "--json")
	golden(t, "check-clean", 0, "check", "clean.yaml", at, "--strict")
}

func TestRulesDiff(t *testing.T) {
	t.Parallel()
	golden(t, "diff", 0, "diff", "clean.yaml", "other.yaml", "--calls", "calls.ndjson")
	golden(t, "diff-json", 0, "diff", "clean.yaml", "other.yaml", "--calls", "calls.ndjson", "--json")
	golden(t, "diff-same", 0, "diff", "clean.yaml", "clean.yaml", "--calls", "calls.ndjson")
	golden(t, "diff-bad", 1, "diff", "clean.yaml", "other.yaml", "--calls", "bad.ndjson")
	golden(t, "diff-skip-bad", 0, "diff", "clean.yaml", "other.yaml", "--calls", "bad.ndjson", "--skip-bad")
}

func TestRulesSimulate(t *testing.T) {
	t.Parallel()
	golden(t, "simulate", 0, "simulate", "clean.yaml", "--calls", "calls.ndjson")
	golden(t, "simulate-json", 0, "simulate", "clean.yaml", "--calls", "calls.ndjson", "--json")
	golden(t, "simulate-bad", 1, "simulate", "clean.yaml", "--calls", "bad.ndjson")
}

func TestRulesWrongUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"check"},
		{"check", "testdata/rules/clean.yaml", "--at", "noon"},
		{"check", "testdata/rules/clean.yaml", "--most", "0"},
		{"diff", "testdata/rules/clean.yaml", "testdata/rules/clean.yaml"},
		{"diff", "testdata/rules/clean.yaml", "testdata/rules/clean.yaml", "--calls", "testdata/rules/calls.ndjson", "--groups", "0"},
		{"simulate", "testdata/rules/clean.yaml", "--calls", "testdata/rules/calls.ndjson", "--assume", "0"},
		{"simulate", "testdata/rules/clean.yaml", "--calls", "testdata/rules/calls.ndjson", "--share", "0"},
	} {
		code, _, errs := run(t, append([]string{"rules"}, args...)...)
		require.Equal(t, 2, code, "%v: %s", args, errs)
	}
	neither := filepath.Join(t.TempDir(), "neither.yaml")
	require.NoError(t, os.WriteFile(neither, []byte("rules: [\n"), 0o600))
	for _, args := range [][]string{
		{"check", "testdata/rules/none.yaml"},
		{"check", neither},
		{"diff", "testdata/rules/clean.yaml", "testdata/rules/broken.yaml", "--calls", "testdata/rules/calls.ndjson"},
		{"simulate", "testdata/rules/clean.yaml", "--calls", "testdata/rules/none.ndjson"},
	} {
		code, _, errs := run(t, append([]string{"rules"}, args...)...)
		require.Equal(t, 1, code, "%v", args)
		require.NotEmpty(t, errs)
	}
}
