package tracing_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel/tracing"
)

func TestValid(t *testing.T) {
	t.Parallel()
	const fine = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	assert.True(t, tracing.Valid(fine))
	for _, wrong := range []string{
		"", fine + "0", fine[1:], "01" + fine[2:], strings.ToUpper(fine), strings.Replace(fine, "-0", "_0", 1),
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", strings.Repeat("0", 55),
	} {
		assert.False(t, tracing.Valid(wrong), "%q", wrong)
	}
}

// TestNoTracerCostsNothing: who traces nothing pays nothing.
func TestNoTracerCostsNothing(t *testing.T) { //nolint:paralleltest // it counts allocations
	ctx := t.Context()
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		in, span := tracing.Start(tracing.Within(ctx, nil, "00-"), nil, "decide")
		span.Name("x")
		span.Set("call", "c")
		span.SetInt("bytes", 7)
		_ = tracing.Traceparent(in, nil)
		span.End(context.Canceled)
	}))
}
