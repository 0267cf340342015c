package callservice_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// byCaller has a rule that asks for the caller, and one that doesn't.
const byCaller = `
destinations:
  a: {uri: "sip:a.example.com", caller: {strip: 1}}
rules:
  - {id: known, priority: 9, default: true, match: {from: {prefix: ["+", "1", "5"]}}, route: {to: a}}
  - {id: asked, priority: 8, default: true, match: {expr: 'from startsWith "1"'}, route: {to: a}}
  - {id: ported, priority: 7, default: true, match: {expr: 'to_params contains ";rn=+1202"'}, route: {to: a}}
  - {id: rest, default: true, route: {to: a}}
`

// TestCallerNeverRefusesACall, whatever it is known by.
func TestCallerNeverRefusesACall(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		s := callservice.New(db, nil)
		install(t, s, "acme", byCaller)
		for _, from := range []string{
			"unknown", "asterisk", "", "Coverage Unavailable", "100", "5551234", "-12025550143", "+115005550009", "\x00\u202e\xff", strings.Repeat("x", 9000),
		} {
			c := create(t, s, callservice.Request{From: from, To: "+12125550188"})
			assert.Equal(t, "rest", c.Decision.Rule, from)
			assert.Equal(t, from != "", c.From.AsGiven, from)
			assert.Equal(t, c.From.Number, c.Decision.Destinations[0].Caller, "it is given as it came")
			if len(from) < 100 && from[:min(1, len(from))] != "\x00" {
				assert.Equal(t, from, c.From.Number)
			}
			x, err := s.Explain(t.Context(), "acme", c.ID)
			require.NoError(t, err)
			assert.Equal(t, *c.Decision, x.Decision, from)
		}
		for from, number := range map[string]string{
			"+5215512345678": "+525512345678", "+5216648991010": "+526648991010", "tel:5551234;phone-context=+1-202": "+12025551234",
		} {
			c := create(t, s, callservice.Request{From: from, To: "+12125550188"})
			assert.Equal(t, "known", c.Decision.Rule)
			assert.Equal(t, calls.Party{Number: number, Raw: from}, c.From)
		}
	})
}

// TestWhatIsNoNumberIsKept beside it, for the rules and in the decision.
func TestWhatIsNoNumberIsKept(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	s := callservice.New(db, nil)
	install(t, s, "acme", byCaller)
	c := create(t, s, callservice.Request{From: "", To: "tel:+12125550188;npdi;rn=+12025550100;postd=p9"})
	assert.Equal(t, "ported", c.Decision.Rule)
	assert.Equal(t, "+12125550188", c.Decision.Destinations[0].Number)
	assert.Equal(t, "p9", c.Decision.PostDial)
	assert.Equal(t, ";npdi;rn=+12025550100", c.Decision.Params)
	c = create(t, s, callservice.Request{From: "", To: "+12125550188p9"})
	assert.Equal(t, "rest", c.Decision.Rule)
	assert.Equal(t, calls.Party{Number: "+12125550188", Raw: "+12125550188p9", PostDial: "p9"}, c.To)
	got, err := db.Call(t.Context(), "acme", c.ID)
	require.NoError(t, err)
	assert.Equal(t, c.To, got.To)
}

// swallowing has a default rule that would take every emergency call and rewrite it.
const swallowing = `
order: priority-first
destinations:
  world: {uri: "sip:world.example.com", prepend: "00", strip: 1}
  help:  {uri: "sip:help.example.com"}
rules:
  - {id: rest, default: true, priority: 9, route: {to: world}}
  - {id: short, match: {to: {prefix: "1"}}, route: {to: world}}
`

// TestCatchAllTakesNoEmergencyCall from the destinations that are configured for it.
func TestCatchAllTakesNoEmergencyCall(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	with := over(db, callservice.Options{EmergencyDestinations: emergencyDestinations()})
	without := over(db, callservice.Options{})
	for _, c := range []struct{ rule, to, want, number string }{
		{``, "112", "", "112"},
		{``, "911", "", "911"},
		{`  - {id: sos, match: {to: {service: emergency}}, route: {to: help}}`, "112", "sos", "112"},
		{`  - {id: sos, match: {to: {exact: "911"}}, route: {to: help}}`, "911", "sos", "911"},
		{`  - {id: sos, match: {to: {exact: "911"}}, route: {to: help}}`, "112", "", "112"},
		{`  - {id: sos, default: true, match: {type: emergency}, route: {to: world}}`, "112", "sos", "112"},
	} {
		install(t, with, "acme", swallowing+c.rule)
		got := create(t, with, callservice.Request{From: "+12025550123", To: c.to})
		assert.Equal(t, c.want, got.Decision.Rule, "%s %s", c.rule, c.to)
		assert.Equal(t, c.number, got.Decision.Destinations[0].Number)
		assert.Nil(t, got.Cause)
		x, err := with.Try(t.Context(), "acme", callservice.Request{From: "+12025550123", To: c.to}, noon)
		require.NoError(t, err)
		assert.Equal(t, got.Decision.Destinations, x.Decision.Destinations, "as Create does")
		assert.False(t, x.NoRoute)
		if c.want != "" {
			stored, err := with.Explain(t.Context(), "acme", got.ID)
			require.NoError(t, err)
			assert.Equal(t, *got.Decision, stored.Decision)
		}
		install(t, without, "acme", swallowing+c.rule)
		got = create(t, without, callservice.Request{From: "+12025550123", To: c.to})
		assert.Equal(t, "rest", got.Decision.Rule, "there is nothing else")
		assert.Equal(t, c.number, got.Decision.Destinations[0].Number, "no transform touches it")
	}
}

// TestEmergencyWithoutARouteHasItsCause.
func TestEmergencyWithoutARouteHasItsCause(t *testing.T) {
	t.Parallel()
	s := on(t, memdb.New(nil), callservice.Options{})
	c := create(t, s, sos(""))
	assert.Equal(t, calls.EmergencyNoRoute(), c.Cause)
	assert.Equal(t, calls.FallbackNoRoute, c.Decision.Fallback)
	assert.Equal(t, calls.Routed, c.State, "it is taken all the same")
}

// TestNumberingIsTheTenants: what is added, removed and dialled for a line.
func TestNumberingIsTheTenants(t *testing.T) {
	t.Parallel()
	s := on(t, memdb.New(nil), callservice.Options{
		EmergencyDestinations: emergencyDestinations(),
		Numbering: func(t callmodel.TenantID) *normalize.Numbering {
			if t != "acme" {
				return nil
			}
			return &normalize.Numbering{
				OutsidePrefixes: []string{"9"}, Added: map[string][]string{"US": {"7777"}}, Removed: map[string][]string{"US": {"112"}},
			}
		},
	})
	for to, want := range map[string]string{"9911": "911", "7777": "7777", "911#": "911"} {
		c := create(t, s, callservice.Request{To: to})
		assert.True(t, c.Emergency, to)
		assert.Equal(t, want, c.To.Number)
		assert.Equal(t, want, c.Decision.Destinations[0].Number)
	}
	for tenant, list := range map[callmodel.TenantID][]string{"acme": {"112"}, "globex": {"9911", "7777"}} {
		for _, to := range list {
			_, ok := s.Emergency(tenant, callservice.Request{To: to})
			assert.False(t, ok, "%s %s", tenant, to)
		}
	}
}
