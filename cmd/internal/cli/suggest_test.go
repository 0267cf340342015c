package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/cli"
)

// asked is a command that opens a file.
type asked struct {
	File   string `arg:"" optional:"" help:"A file."`
	Codec  string `help:"A codec." enum:"mp3,wav,flac," default:""`
	Layout string `help:"A layout." enum:"mono,stereo,multichannel" default:"mono"`
	Dir    string `help:"A directory." type:"existingdir"`

	State []string `help:"States." enum:"delivered,failed"`
}

func (c *asked) Run(context.Context, cli.Streams) error {
	if c.File == "" {
		return nil
	}
	_, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	return nil
}

// What is nearly a name is hinted at; what is none isn't.
func TestDidYouMean(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"rules.yaml", "legs/agent.wav", "ab"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, c := range map[string]struct {
		args []string
		want string // "": no hint
		code int
	}{
		"a codec":                    {[]string{"--codec", "mp4"}, `did you mean "mp3"?`, cli.ExitUsage},
		"a codec of another kind":    {[]string{"--codec", "vorbis"}, "", cli.ExitUsage},
		"a layout":                   {[]string{"--layout", "sterio"}, `did you mean "stereo"?`, cli.ExitUsage},
		"one of several states":      {[]string{"--state", "failed", "--state", "deliverd"}, `did you mean "delivered"?`, cli.ExitUsage},
		"a flag":                     {[]string{"--layuot", "mono"}, `did you mean "--layout"?`, cli.ExitUsage},
		"a file":                     {[]string{at("rule.yaml")}, `did you mean "` + at("rules.yaml") + `"?`, cli.ExitFailed},
		"a file in a directory":      {[]string{at("legs/agnet.wav")}, `did you mean "` + at("legs/agent.wav") + `"?`, cli.ExitFailed},
		"a directory":                {[]string{"--dir", at("leg")}, `did you mean "` + at("legs") + `"?`, cli.ExitUsage},
		"a file of another name":     {[]string{at("calls.ndjson")}, "", cli.ExitFailed},
		"a file of a short name":     {[]string{at("xy")}, "", cli.ExitFailed},
		"a file in no directory":     {[]string{at("nowhere/rules.yaml")}, "", cli.ExitFailed},
		"a directory that is a file": {[]string{"--dir", at("rules.yaml")}, "", cli.ExitUsage},
	} {
		for _, asJSON := range []bool{false, true} {
			var out, errs bytes.Buffer
			if asJSON {
				c.args = append(c.args, "--json")
			}
			grammar := &struct {
				asked
				JSON bool `name:"json"`
			}{}
			assert.Equal(t, c.code, cli.Run(t.Context(), "x", "", grammar, c.args, cli.Streams{Out: &out, Err: &errs}), name)
			said := errs.String()
			if asJSON {
				said = unescaped(t, said)
			}
			if c.want == "" {
				assert.NotContains(t, said, "did you mean", name)
			} else {
				assert.Contains(t, said, c.want, name)
			}
		}
	}
}

// A hint leaves the error what it was.
func TestHintedIsTheError(t *testing.T) {
	t.Parallel()
	assert.NoError(t, cli.Hinted(nil))
	err := errors.New("no file")
	assert.Equal(t, err, cli.Hinted(err))
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "agent.wav"), nil, 0o600))
	_, err = os.Open(filepath.Join(dir, "agen.wav"))
	require.ErrorIs(t, cli.Hinted(err), fs.ErrNotExist)
	assert.ErrorContains(t, cli.Hinted(err), "agent.wav")
}

// The help of a program says what it ends with.
func TestHelpSaysTheExitCodes(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	assert.Zero(t, cli.Run(t.Context(), "x", "", &asked{}, []string{"--help"}, cli.Streams{Out: &out, Err: &errs}))
	for _, part := range []string{"ends with 0", "with 1", "with 2"} {
		assert.Contains(t, out.String(), part)
	}
}

// unescaped is the error of a line of JSON.
func unescaped(t *testing.T, line string) string {
	t.Helper()
	var failure struct{ Error string }
	require.NoError(t, json.Unmarshal([]byte(line), &failure), line)
	return failure.Error
}
