package routing_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

func exprSet(expr string) *routing.RuleSet {
	return &routing.RuleSet{
		Destinations: map[string]routing.DestinationSpec{"x": {URI: "sip:x"}},
		Rules:        []routing.Rule{{ID: "r", Default: true, Match: routing.Match{Expr: expr}, Route: tiers([]routing.Target{{To: "x"}})}},
	}
}

// TestExprPatternsAreBounded: a pattern of a kilobyte may not take a second a
// call, nor hundreds of megabytes to compile.
func TestExprPatternsAreBounded(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{
		strings.Repeat("(x?){1000}", 70), strings.Repeat(`\\pL{0,1000}`, 60), "((x{0,30}){0,30})*y", "x{1000}y",
	} {
		err := exprSet(`metadata["k"] matches "` + pattern + `"`).Validate()
		require.ErrorContains(t, err, "rules[0].match.expr", pattern)
		require.ErrorContains(t, err, "patterns of matches are too large", pattern)
	}
	err := exprSet(`to matches "a{600}" or from matches "b{600}"`).Validate()
	require.ErrorContains(t, err, "too large", "together")
	err = exprSet(`(to + from) matches "1"`).Validate()
	require.ErrorContains(t, err, "must be one text")

	for expr, holds := range map[string]bool{
		`to matches "^[+]49(30|40)[0-9]{4,12}$"`: true, `lower(metadata["k"]) matches "^a{3}$"`: true,
		`to matches "^[+]1"`: false, `to matches "` + strings.Repeat("x|", 400) + `[0-9]{7}"`: true,
	} {
		r, err := routing.Compile(exprSet(expr))
		require.NoError(t, err, expr)
		_, err = r.Route(&calls.Request{At: noon, To: "+493012345678", Metadata: map[string]string{"k": "AAA"}})
		assert.Equal(t, holds, err == nil, expr)
	}
}
