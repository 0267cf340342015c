package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/cmd/internal/cli"
)

type places struct {
	Left  string `help:"A place." instead:"right" env:"TEST_PLACE_LEFT"`
	Right string `help:"Another." instead:"left" env:"TEST_PLACE_RIGHT"`
}

func (p *places) Run(_ context.Context, s cli.Streams) error {
	_, err := fmt.Fprintf(s.Out, "%s/%s", p.Left, p.Right)
	return err
}

// TestArgumentsInstead: what an argument says is done, whatever the environment has in its
// place; two of a kind are the command's own to refuse.
func TestArgumentsInstead(t *testing.T) {
	t.Setenv("TEST_PLACE_LEFT", "env")
	for want, args := range map[string][]string{"env/": nil, "/arg": {"--right", "arg"}, "arg/": {"--left=arg"}, "a/b": {"--left", "a", "--right", "b"}} {
		var out, errs bytes.Buffer
		assert.Zero(t, cli.Run(t.Context(), "x", "", &places{}, args, cli.Streams{Out: &out, Err: &errs}), errs.String())
		assert.Equal(t, want, out.String(), "%v", args)
	}
	t.Setenv("TEST_PLACE_RIGHT", "env")
	var out bytes.Buffer
	assert.Zero(t, cli.Run(t.Context(), "x", "", &places{}, nil, cli.Streams{Out: &out}))
	assert.Equal(t, "env/env", out.String())
}
