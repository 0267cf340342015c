package routing_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

const refusing = `
destinations: {a: {uri: "sip:a"}}
lists: {spam: ["+4930666*", "+12125550666"]}
rules:
  - {id: premium, description: "Barred by the works council", match: {to: {prefix: "+4990"}}, reject: {sip: 403, q850: 21, text: barred}}
  - {id: spam, default: true, priority: 5, match: {from: {list: spam}}, reject: {sip: 608}}
  - {id: hidden, default: true, priority: 4, match: {from: anonymous}, reject: {sip: 433}}
  - {id: rest, default: true, route: {to: a}}
`

// TestRulesThatRefuse: a barring rule, a blacklist of callers, and those who withhold their
// number; emergency calls are never refused.
func TestRulesThatRefuse(t *testing.T) {
	t.Parallel()
	r := compile(t, refusing)
	for _, c := range []struct {
		from, to  string
		emergency bool
		rule      string
		cause     *calls.Cause
	}{
		{"+4930123456", "+4990012345", false, "premium", &calls.Cause{SIP: 403, Q850: 21, Text: "barred"}},
		{"+49306661234", "+4930123456", false, "spam", &calls.Cause{SIP: 608}},
		{"+12125550666", "+4930123456", false, "spam", &calls.Cause{SIP: 608}},
		{"+12125550667", "+4930123456", false, "rest", nil},
		{"anonymous", "+4930123456", false, "hidden", &calls.Cause{SIP: 433}},
		{"anonymous", "+4990012345", false, "premium", &calls.Cause{SIP: 403, Q850: 21, Text: "barred"}},
		{"anonymous", "112", true, "rest", nil},
		{"+49306661234", "110", true, "rest", nil},
		{"+49306661234", "112", false, "rest", nil},
	} {
		req := calls.Request{At: noon, CallID: "c", From: c.from, To: c.to, Emergency: c.emergency}
		d, err := r.Route(&req)
		assert.Equal(t, c.rule, d.Rule, c)
		assert.Equal(t, c.cause, d.Reject, c)
		x := r.Explain(&req)
		assert.Equal(t, d, x.Decision)
		assert.Equal(t, err, x.Err)
		if c.cause == nil {
			require.NoError(t, err)
			require.Len(t, d.Destinations, 1)
			continue
		}
		var refused *routing.RejectError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, *c.cause, refused.Cause)
		assert.Equal(t, callmodel.CodeNoRoute, callmodel.CodeOf(err))
		assert.NotErrorIs(t, err, routing.ErrNoRoute)
		assert.Empty(t, d.Destinations)
	}
	x := r.Explain(&calls.Request{At: noon, CallID: "c", From: "anonymous", To: "110", Emergency: true})
	assert.Contains(t, x.Considered, routing.Verdict{Rule: "hidden", Reason: "it refuses calls, and no emergency call is refused"})
}

func TestRefusingAllocatesNothing(t *testing.T) {
	r := compile(t, refusing)
	var d calls.Decision
	for _, req := range []calls.Request{
		{At: noon, CallID: "c", From: "+4930123456", To: "+4990012345"},
		{At: noon, CallID: "c", From: "anonymous", To: "+4930123456"},
	} {
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			if err := r.RouteInto(&req, &d); err == nil {
				t.Error("it wasn't refused")
			}
		}))
	}
}

// TestRulesThatRest: a rule that isn't enabled takes no calls, ties with none, and is
// checked all the same.
func TestRulesThatRest(t *testing.T) {
	t.Parallel()
	const set = `
destinations: {a: {uri: "sip:a"}, b: {uri: "sip:b"}}
rules:
  - {id: old, match: {to: {prefix: "+49"}}, route: {to: a}}
  - {id: new, enabled: ENABLED, match: {to: {prefix: "+49"}}, PRIORITYroute: {to: b}}
`
	write := func(enabled, priority string) string {
		return replaced(set, "ENABLED", enabled, "PRIORITY", priority)
	}
	r := compile(t, write("false", ""))
	d, err := r.Route(&calls.Request{At: noon, CallID: "c", To: "+4930123456"})
	require.NoError(t, err)
	assert.Equal(t, "old", d.Rule)
	x := r.Explain(&calls.Request{At: noon, CallID: "c", To: "+4930123456"})
	assert.Contains(t, x.Considered, routing.Verdict{Rule: "new", Reason: "it is not enabled"})
	_, err = routing.CompileText([]byte(write("true", "")))
	require.ErrorContains(t, err, "ties with")
	_, err = routing.CompileText([]byte(write("false", "priority: 5000, ")))
	require.ErrorContains(t, err, "priority")
	assert.Equal(t, compile(t, write("true", "priority: 1, ")).Hash(), compile(t, replaced(write("true", "priority: 1, "), "enabled: true, ", "")).Hash())
	assert.NotEqual(t, compile(t, write("true", "priority: 1, ")).Hash(), compile(t, write("false", "priority: 1, ")).Hash())
}

// TestNewFieldsInBinaryForm: what version 1 of the form had is written as version 1.
func TestNewFieldsInBinaryForm(t *testing.T) {
	t.Parallel()
	const plain = "destinations: {a: {uri: \"sip:a\"DEST}}\nrules: [{id: x, default: true, route: {to: a}RULE}]\n"
	for _, c := range []struct {
		destination, rule string
		version           byte
	}{
		{"", "", 1},
		{"", ", enabled: false", 2},
		{"", ", description: x", 2},
		{"", ", match: {from: anonymous}", 2},
		{", strip_plus: true", "", 2},
		{", caller: {strip_plus: true}", "", 2},
	} {
		text := []byte(replaced(plain, "DEST", c.destination, "RULE", c.rule))
		rs, err := routing.Parse(text)
		require.NoError(t, err)
		form, err := rs.MarshalBinary()
		require.NoError(t, err)
		assert.Equal(t, c.version, form[4], c)
		r, packed, err := routing.CompileAndPack(text)
		require.NoError(t, err)
		same, err := packed.MarshalBinary()
		require.NoError(t, err)
		assert.Equal(t, form, same, c)
		back, err := routing.CompileBinary(form)
		require.NoError(t, err)
		assert.Equal(t, r.Hash(), back.Hash(), c)
	}
	rs, err := routing.Parse([]byte(refusing))
	require.NoError(t, err)
	form, err := rs.MarshalBinary()
	require.NoError(t, err)
	back, err := routing.CompileBinary(form)
	require.NoError(t, err)
	_, err = back.Route(&calls.Request{At: noon, CallID: "c", To: "+4990012345"})
	var refused *routing.RejectError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, rs.Hash(), back.Hash())
	form[4] = 3
	_, err = routing.CompileBinary(form)
	require.ErrorContains(t, err, "versions 1 to 2")
}

func TestFaultsOfRefusing(t *testing.T) {
	t.Parallel()
	const head = "destinations: {a: {uri: \"sip:a\"DEST}}\nrules: [{id: x, RULE}]\n"
	for _, c := range []struct{ destination, rule, says string }{
		{"", "default: true, reject: {sip: 403}, route: {to: a}", "goes without a route"},
		{"", "default: true, reject: {text: no}", "has no cause"},
		{"", "default: true, reject: {sip: 200}", "400 to 699"},
		{"", "default: true, reject: {q850: 128}", "1 to 127"},
		{"", "default: true, reject: {sip: 403, text: \"a\\nb\"}", "one line"},
		{"", "default: true, reject: {sip: 403}, failover: {max_attempts: 1}", "goes with a route"},
		{"", "match: {to: {service: emergency}}, reject: {sip: 403}", "never for emergency calls"},
		{"", "default: true, match: {type: emergency}, reject: {sip: 403}", "never for emergency calls"},
		{"", "default: true", "1 to 16 tiers"},
		{"", "match: {to: anonymous}, route: {to: a}", "neither E.164"},
		{", strip: 1, strip_plus: true", "default: true, route: {to: a}", "says nothing beside strip"},
		{", prepend: \"0\", strip_plus: true", "default: true, route: {to: a}", "says nothing beside strip"},
		{", caller: {policy: withhold, strip_plus: true}", "default: true, route: {to: a}", "policy pass only"},
	} {
		_, err := routing.CompileText([]byte(replaced(head, "DEST", c.destination, "RULE", c.rule)))
		require.ErrorContains(t, err, c.says, c.rule+c.destination)
	}
}
