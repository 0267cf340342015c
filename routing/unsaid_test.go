package routing_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/routing"
)

// TestParseRefusesWhatWouldMeanTheDefault: a weight of 0 is not the weight 1, a
// limit of 0 is not none, and a rule for no tenant is not one for every tenant.
func TestParseRefusesWhatWouldMeanTheDefault(t *testing.T) {
	t.Parallel()
	const file = "currency: EUR\nrates: {d: [{prefix: \"+49\", per_minute: 0, %s}]}\n" +
		"destinations:\n  a: {uri: \"sip:a\", rates: d, limits: {concurrent: 5, %s}}\n  b: {uri: \"sip:b\"}\n" +
		"failover: {max_attempts: 3, %s}\n" +
		"rules:\n  - id: r\n    match: {to: {prefix: \"+49\"%s}, type: voice, %s}\n    route: [%s, [{to: b}]]\n"
	good := []string{"first_seconds: 60", "cps: 7", "total_seconds: 9", "", "priority: 3", "[{to: a}]"}
	good[4] = "tenant: acme"
	parse := func(place int, text string) error {
		parts := make([]any, len(good))
		for i, s := range good {
			parts[i] = s
		}
		if place >= 0 {
			parts[place] = text
		}
		_, err := routing.Parse(fmt.Appendf(nil, file, parts...))
		return err
	}
	require.NoError(t, parse(-1, ""))
	for _, c := range []struct {
		place      int
		text, path string
	}{
		{0, "first_seconds: 0", "rates.d[0].first_seconds"},
		{0, "next_seconds: 0", "rates.d[0].next_seconds"},
		{1, "cps: 0", "destinations.a.limits.cps"},
		{1, "cps: -0", "destinations.a.limits.cps"},
		{2, "total_seconds: 0", "failover.total_seconds"},
		{2, "attempt_seconds: 0", "failover.attempt_seconds"},
		{3, ", exact: []", "rules[0].match.to.exact"},
		{3, ", list: []", "rules[0].match.to.list"},
		{3, ", service: []", "rules[0].match.to.service"},
		{4, "from: {}", "rules[0].match.from"},
		{4, "from: {prefix: []}", "rules[0].match.from.prefix"},
		{4, "tenant: []", "rules[0].match.tenant"},
		{4, "direction: []", "rules[0].match.direction"},
		{4, "trunk: []", "rules[0].match.trunk"},
		{4, "metadata: {}", "rules[0].match.metadata"},
		{4, "metadata_present: []", "rules[0].match.metadata_present"},
		{4, "metadata_absent: []", "rules[0].match.metadata_absent"},
		{4, "capabilities_any: []", "rules[0].match.capabilities_any"},
		{4, "capabilities_all: []", "rules[0].match.capabilities_all"},
		{4, "call_priority: {}", "rules[0].match.call_priority"},
		{4, "expr: \"\"", "rules[0].match.expr"},
		{4, "valid_until: ''", "rules[0].match.valid_until"},
		{5, "[{to: a, weight: 0}]", "rules[0].route[0][0].weight"},
		{5, "{order: cost, assume_seconds: 0, targets: [{to: a}]}", "rules[0].route[0].assume_seconds"},
		{5, "{order: quality, explore_percent: 0, targets: [{to: a}]}", "rules[0].route[0].explore_percent"},
	} {
		err := parse(c.place, c.text)
		require.ErrorContains(t, err, c.path+":", c.text)
		is := "is empty"
		if strings.Contains(c.text, "0") {
			is = "is 0"
		}
		if assert.ErrorContains(t, err, is, c.text) {
			assert.Regexp(t, "give|left out|leave it out", err.Error())
		}
	}
}

// TestParseOddFiles: what editors and exports put around a file.
func TestParseOddFiles(t *testing.T) {
	t.Parallel()
	const json = `{"destinations":{"a":{"uri":"SIP:a"}},"rules":[{"id":"r","default":true,"route":[[{"to":"a"}]]}]}`
	for _, s := range []string{"\ufeff" + json, "\r\n\t" + json, "\ufeff\n" + json + "\n", strings.ReplaceAll(json, ",", ",\r\n\t")} {
		_, err := routing.Parse([]byte(s))
		require.NoError(t, err, "%q", s)
	}
	_, err := routing.Parse([]byte("# to do\n"))
	require.ErrorContains(t, err, "nothing but comments")
	// An id that is none is shown quoted, and nowhere else.
	_, err = routing.Parse([]byte(strings.Replace(json, `"r"`, `"a\nrule b: fine\u202e"`, 1)))
	require.ErrorContains(t, err, `rules[0].id: "a\nrule b: fine\u202e" must be`)
	assert.NotContains(t, err.Error(), "\n")
}
