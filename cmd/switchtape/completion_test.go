package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/cli"
)

// TestCompletion: commands, flags and values are completed as far as they are written.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"rul":                         "rules",
		"rules im":                    "import",
		"record --codec ":             "wav mulaw alaw mp3 flac opus",
		"record --codec=m":            "--codec=mp3 --codec=mulaw",
		"record --leg a=b --layout s": "stereo",
		"config p":                    "print",
		"completion ":                 "bash zsh fish",
		"jobs list --wrong x --ki":    "--kind",
		"record --out ":               "", // a file, which the shell knows
		"nothing ":                    "", // nobody knows
	} {
		code, out, errs := run(t, append([]string{"completion", "bash", "--"}, strings.Split(words, " ")...)...)
		require.Zero(t, code, errs)
		got := strings.Fields(out)
		wants := strings.Fields(want)
		if words == "record --codec " {
			assert.ElementsMatch(t, wants, got, words)
			continue
		}
		if words == "nothing " {
			assert.Contains(t, got, "rules", words)
			continue
		}
		assert.Equal(t, strings.Join(wants, " "), strings.Join(got, " "), words)
	}
	_, out, _ := run(t, "completion", "fish", "--", "demo", "--js")
	assert.Equal(t, "--json\tPrint the outcome as JSON\n", out)
	_, out, _ = run(t, "completion", "zsh", "--", "demo", "--js")
	assert.Equal(t, "--json:Print the outcome as JSON\n", out)
}

// TestCompletionInBash: bash completes by the script.
func TestCompletionInBash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "switchtape"), []byte("#!/bin/sh\n"+asCommand+"=1 exec '"+self+"' \"$@\"\n"), 0o700))
	cmd := exec.CommandContext(t.Context(), "bash", "-c", `source <(switchtape completion bash)
COMP_WORDS=(switchtape rules ch); COMP_CWORD=2; _switchtape_complete; echo "${COMPREPLY[*]}"
COMP_WORDS=(switchtape record --layout ""); COMP_CWORD=3; _switchtape_complete; echo "${COMPREPLY[*]}"
COMP_WORDS=(switchtape probe swi); COMP_CWORD=2; _switchtape_complete; echo "${COMPREPLY[*]}"`)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, "check\nmono stereo multichannel\nswitchtape\n", string(out))
}

// TestMan: the page has every command and every flag.
func TestMan(t *testing.T) {
	t.Parallel()
	code, page, errs := run(t, "man")
	require.Zero(t, code, errs)
	for _, has := range []string{".TH SWITCHTAPE 1 ", "\n.SS rules import", "\n.SS doctor\n", "\n.B \\-\\-worker\\-concurrency=", "Default: 127.0.0.1:8080.", "\n.B \\-h, \\-\\-help\n"} {
		assert.Contains(t, page, has)
	}
	assert.NotContains(t, page, "\n'", "a request of roff")
}

// TestErrorsInJSON: who asks for JSON gets errors in JSON, too, on the other stream.
func TestErrorsInJSON(t *testing.T) {
	t.Parallel()
	type failure struct {
		Error, Code string
		Exit        int
	}
	for _, c := range []struct {
		args []string
		want failure
	}{
		{[]string{"record", "--json", "--layuot", "mono"}, failure{"unknown flag --layuot, did you mean \"--layout\"?", "invalid", cli.ExitUsage}},
		{[]string{"route", "--rules", "/nonexistent", "--from", "+442079460123", "--to", "+12025550143", "--json"}, failure{"rules: open /nonexistent: no such file or directory", "", cli.ExitFailed}},
	} {
		code, out, errs := run(t, c.args...)
		assert.Equal(t, c.want.Exit, code)
		assert.Empty(t, out)
		var got failure
		require.NoError(t, json.Unmarshal([]byte(errs), &got), errs)
		assert.Equal(t, c.want, got)
	}
}
