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

const excluding = `
destinations: {a: {uri: "sip:a"}, b: {uri: "sip:b"}}
lists: {vip: ["+4420*", "+12125550100"]}
calendars:
  office: {timezone: Europe/Berlin, weekly: ["mon-fri 08:00-18:00"]}
rules:
  - {id: one, priority: 1, match: {to: {prefix: "+49"}, not: NOT}, route: {to: a}}
  - {id: rest, default: true, route: {to: b}}
`

// TestExclusions: a rule takes no call for which one of its exclusions holds.
func TestExclusions(t *testing.T) { // it counts allocations, and so runs alone
	base := calls.Request{At: noon, CallID: "c", TenantID: "acme", From: "+4930123456", To: "+4940123456", Type: calls.TypeVoice}
	with := func(change func(q *calls.Request)) calls.Request {
		q := base
		change(&q)
		return q
	}
	night := time.Date(2026, 3, 2, 22, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		not      string
		excluded calls.Request
		taken    calls.Request
	}{
		{"{tenant: [trial, acme]}", base, with(func(q *calls.Request) { q.TenantID = "other" })},
		{"{type: fax}", with(func(q *calls.Request) { q.Type = calls.TypeFax }), base},
		{"{direction: inbound}", with(func(q *calls.Request) { q.Direction = calls.Inbound }), base},
		{"{trunk: [t]}", with(func(q *calls.Request) { q.Trunk = "t" }), base},
		{"{to: {prefix: '+4940'}}", base, with(func(q *calls.Request) { q.To = "+4941123456" })},
		{"{to: {exact: '+4940123456'}}", base, with(func(q *calls.Request) { q.To = "+49401234567" })},
		{"{from: {prefix: ['+4930', '+33']}}", base, with(func(q *calls.Request) { q.From = "+4931123456" })},
		{"{from: {list: vip}}", with(func(q *calls.Request) { q.From = "+12125550100" }), base},
		{"{from: {list: vip}}", with(func(q *calls.Request) { q.From = "+442012345678" }), with(func(q *calls.Request) { q.From = "+12125550101" })},
		{"{from: anonymous}", with(func(q *calls.Request) { q.From = calls.AnonymousCaller }), base},
		{"{metadata: {plan: [tin, lead]}}", with(func(q *calls.Request) { q.Metadata = map[string]string{"plan": "tin"} }), with(func(q *calls.Request) {
			q.Metadata = map[string]string{"plan": "gold"}
		})},
		{"{when: {calendar: office}}", base, with(func(q *calls.Request) { q.At = night })},
		{"{when: {timezone: UTC, weekly: 'mon 12:00-13:00'}}", base, with(func(q *calls.Request) { q.At = night })},
		{"{trunk: t, tenant: acme}", base, with(func(q *calls.Request) { q.TenantID = "other" })},
	} {
		r := compile(t, replaced(excluding, "NOT", c.not))
		for q, want := range map[*calls.Request]string{&c.excluded: "rest", &c.taken: "one"} {
			d, err := r.Route(q)
			require.NoError(t, err)
			assert.Equal(t, want, d.Rule, "%s: %+v", c.not, q)
			assert.Equal(t, d, r.Explain(q).Decision)
		}
		assert.Contains(t, r.Explain(&c.excluded).Considered[0].Reason, "match.not.", c.not)
	}
	r := compile(t, replaced(excluding, "NOT", "{from: {list: vip}, to: {prefix: '+4940'}, trunk: t, when: {calendar: office}}"))
	var d calls.Decision
	q := with(func(q *calls.Request) { q.To = "+4941123456" })
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = r.RouteInto(&q, &d) }))
}

// TestExclusionsTellRulesApart: rules that are level tie unless the exclusions of one take
// the other's calls away.
func TestExclusionsTellRulesApart(t *testing.T) {
	t.Parallel()
	const set = `
destinations: {a: {uri: "sip:a"}}
rules:
  - {id: x, match: {to: {prefix: "+49"}, not: NOT}, route: {to: a}}
  - {id: y, match: {to: {prefix: "+49"}, ASK}, route: {to: a}}
`
	for _, c := range []struct {
		not, ask string
		apart    bool
	}{
		{"{tenant: acme}", "tenant: acme", true},
		{"{tenant: acme}", "tenant: [acme, other]", false},
		{"{trunk: [t, u]}", "trunk: [u, t]", true},
		{"{trunk: t}", "trunk: [u, t]", false},
		{"{type: [fax, video]}", "type: fax", true},
		{"{direction: inbound}", "direction: [inbound, outbound]", false},
		{"{metadata: {plan: tin}}", "metadata: {plan: tin}", false},
	} {
		_, err := routing.CompileText([]byte(replaced(set, "NOT", c.not, "ASK", c.ask)))
		if c.apart {
			require.NoError(t, err, c.not)
		} else {
			require.ErrorContains(t, err, "ties with", c.not)
		}
	}
}

// TestCalendars: rules share times by their name, in every form of the set.
func TestCalendars(t *testing.T) {
	t.Parallel()
	const set = `
destinations: {a: {uri: "sip:a"}, b: {uri: "sip:b"}}
calendars:
  office: {timezone: Europe/Berlin, weekly: ["mon-fri 08:00-18:00"]}
rules:
  - {id: day, priority: 1, match: {to: {prefix: "+49"}, when: {calendar: office}}, route: {to: a}}
  - {id: rest, default: true, route: {to: b}}
`
	rs, err := routing.Parse([]byte(set))
	require.NoError(t, err)
	form, err := rs.MarshalBinary()
	require.NoError(t, err)
	fromBinary, err := routing.CompileBinary(form)
	require.NoError(t, err)
	assert.EqualValues(t, 2, form[4])
	for _, r := range []*routing.Router{compile(t, set), fromBinary} {
		assert.Equal(t, rs.Hash(), r.Hash())
		for hour, want := range map[int]string{6: "rest", 7: "day", 16: "day", 17: "rest"} {
			d, err := r.Route(&calls.Request{At: time.Date(2026, 3, 2, hour, 30, 0, 0, time.UTC), CallID: "c", To: "+4930123456"})
			require.NoError(t, err)
			assert.Equal(t, want, d.Rule, hour)
		}
	}
	assert.NotEqual(t, rs.Hash(), compile(t, replaced(set, "18:00", "17:00")).Hash())
	for change, says := range map[string]string{
		"{calendar: holidays}":              "no calendar \"holidays\"",
		"{calendar: office, timezone: UTC}": "leave the others out",
		"{calendar: \"\"}":                  "is empty",
		"{weekly: 'mon 08:00-10:00'}":       "time zone",
	} {
		_, err := routing.Parse([]byte(replaced(set, "{calendar: office}", change)))
		require.ErrorContains(t, err, says, change)
	}
	_, err = routing.Parse([]byte(replaced(set, "{timezone: Europe/Berlin,", "{calendar: office,")))
	require.ErrorContains(t, err, "has its own times")
	_, err = routing.Parse([]byte(replaced(set, "Europe/Berlin", "Mars")))
	require.ErrorContains(t, err, "calendars.office")
}

// TestPassedThrough: attributes and headers stand in the decision as they are.
func TestPassedThrough(t *testing.T) { // it counts allocations, and so runs alone
	r := oneDestination(t, `, description: x, attributes: {socket: "udp:192.0.2.1:5060"}, headers: {X-Account: "4711"}`)
	req := calls.Request{At: noon, CallID: "c", To: "+4930123456"}
	d, err := r.Route(&req)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"socket": "udp:192.0.2.1:5060"}, d.Destinations[0].Attributes)
	assert.Equal(t, map[string]string{"X-Account": "4711"}, d.Destinations[0].Headers)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = r.RouteInto(&req, &d) }))
	for fields, says := range map[string]string{
		`headers: {Via: x}`:             "for the telephone server",
		`headers: {"X Y": x}`:           "not the name of a SIP header",
		`headers: {X-Y: "a\r\nVia: b"}`: "on one line",
		`attributes: {"": x}`:           "1 to 64 bytes",
	} {
		_, err := routing.Parse([]byte("destinations: {a: {uri: \"sip:a\", " + fields + "}}\nrules: [{id: x, default: true, route: {to: a}}]\n"))
		var faults callmodel.FieldErrors
		require.ErrorAs(t, err, &faults, fields)
		assert.Contains(t, faults[0].Message, says)
	}
}
