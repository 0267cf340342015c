package routing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// TestNoTime: a call without a time is never decided as one of year 1, when every
// validity has yet to end. An emergency call is routed all the same, by the rules
// that hold at any time.
func TestNoTime(t *testing.T) {
	t.Parallel()
	r := compile(t, `
destinations: {a: {uri: "sip:a", rates: d}, b: {uri: "sip:b", rates: d}}
currency: EUR
rates: {d: [{prefix: "+", per_minute: 1, until: 2020-01-01T00:00:00Z}, {prefix: "1", per_minute: 1, until: 2020-01-01T00:00:00Z}]}
rules:
  - {id: old, priority: 9, match: {to: {service: emergency}, valid_until: "2020-01-01T00:00:00Z"}, route: [[{to: a}]]}
  - {id: from, priority: 8, match: {to: {service: emergency}, valid_from: "2000-01-01T00:00:00Z"}, route: [[{to: a}]]}
  - {id: open, priority: 7, match: {to: {service: emergency}, when: {timezone: UTC, weekly: "mon-sun 00:00-24:00"}}, route: [[{to: a}]]}
  - {id: sos, match: {to: {service: emergency}}, route: [{order: cost, require_rate: true, targets: [{to: b}, {to: a}]}]}
  - {id: rest, default: true, route: [[{to: a}]]}
`)
	req := calls.Request{CallID: "c1", To: "+4930123456", From: "+4930", Type: calls.TypeVoice}
	d, err := r.Route(&req)
	require.ErrorIs(t, err, routing.ErrNoTime)
	var faults callmodel.FieldErrors
	require.ErrorAs(t, err, &faults)
	assert.Equal(t, "at", faults[0].Path)
	assert.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
	require.ErrorContains(t, err, "at: is missing")
	assert.Equal(t, calls.Decision{Source: calls.SourceRules, RuleSet: r.Hash()}, d)
	d.Destinations = append(d.Destinations, calls.Destination{ID: "the call before"})
	require.Equal(t, err, r.RouteLive(&req, moment{}, &d))
	assert.Empty(t, d.Destinations)
	x := r.Explain(&req)
	assert.Equal(t, err, x.Err)
	assert.True(t, x.NoRoute)
	assert.Empty(t, x.Considered)

	for _, emergency := range []calls.Request{
		{CallID: "c1", To: "112", Emergency: true}, {CallID: "c1", To: "112", Type: calls.TypeEmergency},
	} {
		x = r.ExplainLive(&emergency, moment{})
		require.NoError(t, x.Err)
		assert.Equal(t, "sos", x.Decision.Rule)
		require.Len(t, x.Decision.Destinations, 2)
		assert.Zero(t, x.Decision.Destinations[0].Cost, "no rate is known to hold")
		for _, v := range x.Considered[:3] {
			assert.Contains(t, v.Reason, "holds at certain times only", v.Rule)
		}
		emergency.At = time.Date(2019, 12, 31, 0, 0, 0, 0, time.UTC)
		d, err := r.Route(&emergency)
		require.NoError(t, err)
		assert.Equal(t, "old", d.Rule)
	}
}
