package callservice_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// TestRefusedCall: a call that a rule refuses is stored as rejected, with the rule and its
// cause.
func TestRefusedCall(t *testing.T) {
	t.Parallel()
	s := over(memdb.New(nil), callservice.Options{})
	install(t, s, "acme", "destinations: {}\nrules: [{id: no, default: true, reject: {sip: 403, q850: 21, text: barred}}]\n")
	c, err := s.Create(t.Context(), "acme", abroad("lost"), "test", nil)
	require.NoError(t, err)
	requireCode(t, callmodel.CodeNoRoute, c.NoRoute)
	require.ErrorContains(t, c.NoRoute, "SIP 403 Q.850 21: barred")
	want := &calls.Cause{SIP: 403, Q850: 21, Text: "barred"}
	assert.Equal(t, calls.Rejected, c.Call.State)
	assert.Equal(t, want, c.Call.Cause)
	assert.Equal(t, "no", c.Call.Decision.Rule)
	assert.Equal(t, want, c.Call.Decision.Reject)
	x, err := s.Explain(t.Context(), "acme", "lost")
	require.NoError(t, err)
	assert.True(t, x.NoRoute)
}

// TestTestsBeforeActivation: a version whose tests fail isn't put in service, but is gone
// back to.
func TestTestsBeforeActivation(t *testing.T) {
	t.Parallel()
	s := on(t, memdb.New(nil), callservice.Options{})
	const set = "destinations: {a: {uri: \"sip:a\"}}\nrules: [{id: RULE, default: true, route: {to: a}}]\n" +
		"tests: [{name: n, at: \"2026-03-02T10:00:00Z\", call: {to: \"+4930123456\"}, expect: {rule: all}}]\n"
	_, err := s.InstallRules(t.Context(), "acme", []byte(strings.ReplaceAll(set, "RULE", "other")), "test", "")
	requireCode(t, callmodel.CodeInvalid, err)
	require.ErrorContains(t, err, `test "n" fails`)
	assert.Equal(t, "nyc", dry(t, s, ""), "the set in service stays")
	good := install(t, s, "acme", strings.ReplaceAll(set, "RULE", "all"))
	assert.Equal(t, "all", dry(t, s, ""))
	change(t, s, rulesets.Change{Action: rulesets.ActionRollback})
	assert.Equal(t, good, change(t, s, rulesets.Change{Action: rulesets.ActionActivate, Hash: good}).ActiveHash())
}
