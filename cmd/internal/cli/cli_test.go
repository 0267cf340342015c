package cli_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/cmd/internal/cli"
)

type faulty struct{}

func (*faulty) Run(context.Context, cli.Streams) error {
	var none []int
	_ = none[len(none)]
	return nil
}

// A fault of the program is no success.
func TestAFaultIsNoSuccess(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	s := cli.Streams{Out: &out, Err: &errs}
	assert.Panics(t, func() { cli.Run(t.Context(), "x", "", &faulty{}, nil, s) })
	assert.Zero(t, cli.Run(t.Context(), "x", "", &faulty{}, []string{"--help"}, s), "help ends the command in its middle")
}
