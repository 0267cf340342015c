package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRulesEmergency(t *testing.T) {
	t.Parallel()
	const at = "--at=2026-03-02T10:00:00Z"
	golden(t, "emergency", 0, "emergency", "clean.yaml", "--region=DE", "--region=fr", "--outside-prefix=acme=9", "--no-emergency-number=FR=115")
	golden(t, "emergency-bad", 1, "emergency", "emergency-bad.yaml", at, "--region=DE")
	golden(t, "emergency-bad-json", 1, "emergency", "emergency-bad.yaml", at, "--region=DE", "--tenant=other", "--json")
	golden(t, "emergency-own", 1, "emergency", "emergency-bad.yaml", at, "--region=DE", "--emergency=sip:psap.example.com")
	golden(t, "emergency-own", 0, "emergency", "emergency-bad.yaml", at, "--region=DE", "--emergency=sip:psap.example.com", "--allow-changed")

	// At ten o'clock on a Monday the tenant's rule takes the call, and at night none does.
	code, out, _ := run(t, "rules", "emergency", "testdata/rules/emergency-bad.yaml", at, "--region=DE", "--tenant=acme", "--json")
	require.Zero(t, code)
	var day, week emergencyOutput
	require.NoError(t, json.Unmarshal([]byte(out), &day))
	_, out, _ = run(t, "rules", "emergency", "testdata/rules/emergency-bad.yaml", "--region=DE", "--tenant=acme", "--json")
	require.NoError(t, json.Unmarshal([]byte(out), &week))
	assert.Zero(t, day.Refused)
	assert.Equal(t, 2, week.Refused, "112 and 911")
	assert.Equal(t, 1, week.Changed, "110")

	for _, args := range [][]string{
		{"--region=XX"}, {"--at=noon"}, {"--emergency=psap"}, {"--outside-prefix=x"}, {"--emergency-number=XX=1"}, {"--no-emergency-number=DE="},
	} {
		code, _, errs := run(t, append([]string{"rules", "emergency", "testdata/rules/clean.yaml"}, args...)...)
		require.Equal(t, 2, code, "%v %s", args, errs)
	}
}

// TestOwnRulesTakeEmergencyCalls: those of the demonstration, of the README and of
// the example refuse no emergency call anywhere, and change no digit.
func TestOwnRulesTakeEmergencyCalls(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	rules := map[string][]byte{"demo": demoRules}
	for name, file := range map[string]string{"readme": "../../README.md", "example": "../../examples/embed-router/main.go"} {
		set := regexp.MustCompile("(?ms)^destinations:$.*?^`").Find(readFile(t, file))
		require.NotEmpty(t, set, file)
		rules[name] = set[:len(set)-1]
	}
	for name, set := range rules {
		path := filepath.Join(t.TempDir(), name+".yaml")
		require.NoError(t, os.WriteFile(path, set, 0o600))
		code, out, errs := run(t, "rules", "emergency", path, "--outside-prefix=9", "--outside-prefix=0")
		assert.Zero(t, code, "%s %s", out, errs)
		code, out, errs = run(t, "rules", "check", "--strict", path)
		assert.Zero(t, code, "%s %s", out, errs)
	}
}
