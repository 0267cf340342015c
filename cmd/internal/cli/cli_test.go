package cli_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/cmd/internal/cli"
)

type faulty struct{ none *string }

func (f *faulty) Run(context.Context, cli.Streams) error { return errors.New(*f.none) }

// A fault of the program is no success.
func TestAFaultIsNoSuccess(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	s := cli.Streams{Out: &out, Err: &errs}
	assert.Panics(t, func() { cli.Run(t.Context(), "x", "", &faulty{}, nil, s) })
	assert.Zero(t, cli.Run(t.Context(), "x", "", &faulty{}, []string{"--help"}, s), "help ends the command in its middle")
}
