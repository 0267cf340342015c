package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/cli"
)

// told prints the secret that it was given.
type told struct {
	Token cli.Secret `help:"A secret." env:"TEST_SECRET_TOKEN"`
	Other string     `help:"None." default:"x"`
	At    string     `help:"A URL that may hold a password." type:"private" env:"TEST_SECRET_AT"`
}

func (c *told) Run(_ context.Context, s cli.Streams) error {
	s.Printf("%s %s", string(c.Token), c.At)
	return nil
}

// TestSecrets: a secret comes by a file or the environment, and in no argument.
func TestSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("of the file\n"), 0o600))
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	t.Setenv("TEST_SECRET_TOKEN", "of the environment")
	for _, c := range []struct {
		args []string
		code int
		out  string
	}{
		{nil, cli.ExitDone, "of the environment"},
		{[]string{"--other", "y"}, cli.ExitDone, "of the environment"},
		{[]string{"--token", "@" + file}, cli.ExitDone, "of the file"},
		{[]string{"--token=@" + file}, cli.ExitDone, "of the file"},
		{[]string{"--token", "bare"}, cli.ExitUsage, "TEST_SECRET_TOKEN"},
		{[]string{"--token=bare"}, cli.ExitUsage, "@FILE"},
		{[]string{"--token=@" + file + "x"}, cli.ExitUsage, "no such file"},
		{[]string{"--token=@" + empty}, cli.ExitUsage, "is empty"},
		{[]string{"--at=@" + file}, cli.ExitDone, "of the file"},
		{[]string{"--at", "postgres://ann@db/calls?sslmode=disable"}, cli.ExitDone, "ann@db"},
		{[]string{"--at", "sqlite:///var/lib/a:b@c.db"}, cli.ExitDone, "a:b@c.db"},
		{[]string{"--at", "postgres://ann:bare@db/calls"}, cli.ExitUsage, "--at @FILE, or TEST_SECRET_AT in the environment"},
		{[]string{"--at=postgres://ann:b/a@re@db/calls"}, cli.ExitUsage, "@FILE"},
		{[]string{"--at=postgres:///calls?host=x&password=bare"}, cli.ExitUsage, "@FILE"},
		{[]string{"--other=https://ann:bare@example.com"}, cli.ExitUsage, "SWITCHTAPE_OTHER in the environment"},
	} {
		var out, errs bytes.Buffer
		code := cli.Run(t.Context(), "test", "A test.", &told{}, c.args, cli.Streams{Out: &out, Err: &errs})
		assert.Equal(t, c.code, code, "%v: %s", c.args, &errs)
		assert.Contains(t, out.String()+errs.String(), c.out, "%v", c.args)
		assert.NotContains(t, errs.String(), "bare")
	}
	assert.Equal(t, "…", cli.Secret("x").String())
}
