package routing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
)

func TestFailoverGoesWithTheDecision(t *testing.T) {
	t.Parallel()
	r := compile(t, `
destinations: {a: {uri: "sip:a"}}
failover: {final: "sip:5xx"}
rules:
  - {id: set, default: true, route: {to: a}}
  - {id: own, match: {to: {prefix: "+1"}}, route: {to: a}, failover: {retry: ["q850:17", "sip:486"], max_attempts: 2, total_seconds: 30, attempt_seconds: 10}}
`)
	d, err := r.Route(&calls.Request{At: noon, To: "+49"})
	require.NoError(t, err)
	assert.Equal(t, &calls.Failover{Final: []calls.CausePattern{"sip:5xx"}}, d.Failover)
	d, err = r.Route(&calls.Request{At: noon, To: "+1"})
	require.NoError(t, err)
	assert.Equal(t, &calls.Failover{
		Retry: []calls.CausePattern{"q850:17", "sip:486"}, MaxAttempts: 2, Total: 30 * time.Second, Attempt: 10 * time.Second,
	}, d.Failover, "a rule's own replaces the set's")
	d, err = compile(t, acme).Route(&calls.Request{At: noon, To: "+1"})
	require.NoError(t, err)
	assert.Nil(t, d.Failover)
}
