package routing_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// TestDurationsInFiles: files and JSON say seconds under the names they always
// had, and a set keeps its hash.
func TestDurationsInFiles(t *testing.T) {
	t.Parallel()
	const file = `{"destinations":{"a":{"uri":"sip:a","rates":"d"}},"currency":"EUR","rates":{"d":[{"prefix":"+1","per_minute":"0.01",` +
		`"first_seconds":30,"next_seconds":6}]},"failover":{"total_seconds":60,"attempt_seconds":20},"rules":[{"id":"r","default":true,` +
		`"route":[{"order":"cost","targets":[{"to":"a"}],"assume_seconds":90}]}]}`
	rs, err := routing.Parse([]byte(file))
	require.NoError(t, err)
	row := rs.Rates["d"][0]
	assert.Equal(t, []time.Duration{30 * time.Second, 6 * time.Second}, []time.Duration{row.First, row.Next})
	assert.Equal(t, 90*time.Second, rs.Rules[0].Route[0].Assume)
	assert.Equal(t, &calls.Failover{Total: time.Minute, Attempt: 20 * time.Second}, rs.Failover)
	assert.Equal(t, "a48b29d39513b8daa6b299949d216993", rs.Hash())

	written, err := json.Marshal(rs)
	require.NoError(t, err)
	assert.JSONEq(t, file, string(written))
	var again routing.RuleSet
	require.NoError(t, json.Unmarshal(written, &again))
	assert.Equal(t, rs.Hash(), again.Hash())
}

// TestDurationsAreWholeSeconds: a fraction of a second has no place in a file.
func TestDurationsAreWholeSeconds(t *testing.T) {
	t.Parallel()
	rs := &routing.RuleSet{
		Destinations: map[string]routing.DestinationSpec{"a": {URI: "sip:a", Rates: "d"}},
		Currency:     "EUR",
		Rates:        map[string][]routing.RateRow{"d": {{Prefix: "+1", First: 1500 * time.Millisecond, Next: 2 * time.Hour}}},
		Failover:     &calls.Failover{Total: 500 * time.Millisecond, Attempt: -time.Second},
		Rules: []routing.Rule{{ID: "r", Default: true, Route: []routing.Tier{
			{Order: routing.ByCost, Assume: time.Nanosecond, Targets: []routing.Target{{To: "a"}}},
		}}},
	}
	err := rs.Validate()
	for _, want := range []string{
		"rates.d[0].first_seconds: must be a whole number, is 1.5", "rates.d[0].next_seconds: must be 1 to 3600, is 7200",
		"failover.total_seconds: must be a whole number, 1 to 3600, or left out, is 0.5", "failover.attempt_seconds: must be a whole number",
		"rules[0].route[0].assume_seconds: rule r: must be a whole number, is 1e-09",
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = routing.Parse([]byte(`{"failover":{"total_seconds":1.5}}`))
	require.ErrorContains(t, err, `failover.total_seconds: is "1.5", must be a whole number`)
}
