package routing_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// one is the decision of a set of one destination with the fields given.
func oneDestination(t testing.TB, fields string) *routing.Router {
	t.Helper()
	return compile(t, "destinations: {a: {uri: \"sip:a\""+fields+"}}\nrules: [{id: x, default: true, route: {to: a}}]\n")
}

func TestRewriting(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		spec, from, to         string
		wantNumber, wantCaller string
		privacy                calls.Privacy
		emergency              bool
		name                   string
	}{
		{name: "as it is", spec: ``, from: "+4930123456", to: "+12125550100", wantNumber: "+12125550100", wantCaller: "+4930123456"},
		{name: "strip", spec: `, strip: 1`, to: "+12125550100", wantNumber: "2125550100"},
		{name: "strip more than there is", spec: `, strip: 9`, to: "115", wantNumber: ""},
		{name: "prepend", spec: `, prepend: "00"`, to: "+12125550100", wantNumber: "0012125550100"},
		{name: "without the plus", spec: `, strip_plus: true`, to: "+12125550100", wantNumber: "12125550100"},
		{name: "a short code has none", spec: `, strip_plus: true`, to: "115", wantNumber: "115"},
		{name: "a name has none", spec: `, strip_plus: true`, to: "urn:service:sos", wantNumber: "urn:service:sos"},
		{name: "help keeps its plus", spec: `, strip_plus: true`, to: "+4930110", wantNumber: "+4930110", emergency: true},
		{name: "unless it is to go", spec: `, strip_plus: true, emergency: true`, to: "+4930110", wantNumber: "4930110", emergency: true},
		{name: "the caller without the plus", spec: `, caller: {strip_plus: true}`, from: "+4930123456", wantCaller: "4930123456"},
		{name: "the plus back", spec: `, prepend: "+"`, to: "+12125550100", wantNumber: "+12125550100"},
		{name: "other digits", spec: `, strip: 3, prepend: "212"`, to: "+12125550100", wantNumber: "21225550100"},
		{name: "what stood there", spec: `, strip: 4, prepend: "212"`, to: "+12125550100", wantNumber: "2125550100"},
		{name: "replace", spec: `, replace: "*61#"`, to: "+12125550100", wantNumber: "*61#"},
		{name: "replace a name", spec: `, replace: "+4930112", emergency: true`, to: "urn:service:sos", wantNumber: "+4930112"},
		{name: "help as dialled", spec: `, prepend: "00"`, to: "112", wantNumber: "112", emergency: true},
		{name: "nobody said that it is an emergency", spec: `, prepend: "00"`, to: "911", wantNumber: "911"},
		{name: "no digit less", spec: `, strip: 2`, to: "110", wantNumber: "110", emergency: true},
		{name: "no other number", spec: `, replace: "+49301000"`, to: "110", wantNumber: "110", emergency: true},
		{name: "no other URN", spec: `, replace: "+49301000"`, to: "urn:service:sos", wantNumber: "urn:service:sos"},
		{name: "unless it says so", spec: `, prepend: "0", emergency: true`, to: "112", wantNumber: "0112", emergency: true},
		{
			name: "the caller is rewritten", spec: `, prepend: "00", caller: {strip: 2, prepend: "0"}`, from: "+4930123456", to: "112", wantNumber: "112",
			wantCaller: "030123456", emergency: true,
		},
		{name: "caller", spec: `, caller: {strip: 2, prepend: "0"}`, from: "+4930123456", wantCaller: "030123456"},
		{name: "caller cut", spec: `, caller: {strip: 2}`, from: "+4930123456", wantCaller: "30123456"},
		{name: "an anonymous caller is not rewritten", spec: `, caller: {strip: 2, prepend: "0"}`, from: "anonymous", wantCaller: "anonymous", privacy: "id"},
		{name: "withheld", spec: `, caller: {policy: withhold}`, from: "+4930123456", wantCaller: "anonymous", privacy: "id"},
		{name: "not from who must call back", spec: `, caller: {policy: withhold}`, from: "+4930123456", wantCaller: "+4930123456", emergency: true},
		{name: "fixed", spec: `, caller: {policy: replace, replace: "+49301000"}`, from: "+4930123456", wantCaller: "+49301000"},
		{
			name: "fixed, and withheld by the caller", spec: `, caller: {policy: replace, replace: ["+49301000"]}`, from: "anonymous",
			wantCaller: "+49301000", privacy: "id",
		},
	} {
		r := oneDestination(t, c.spec)
		req := calls.Request{At: noon, CallID: "c1", From: c.from, To: c.to, Emergency: c.emergency}
		d, err := r.Route(&req)
		require.NoError(t, err)
		want := calls.Destination{ID: "a", URI: "sip:a", Number: c.wantNumber, Caller: c.wantCaller, CallerPrivacy: c.privacy}
		assert.Equal(t, want, d.Destinations[0], c.name)
	}
}

func TestRewritingAllocatesOnlyWhatIsPutTogether(t *testing.T) {
	for spec, want := range map[string]float64{
		`, strip: 4, prepend: "212", caller: {strip: 2}`:                                              0,
		`, prepend: "+", caller: {policy: replace, replace: ["+49301000", "+49301001", "+49301002"]}`: 0,
		`, replace: "*61#", caller: {policy: withhold}`:                                               0,
		`, strip_plus: true, caller: {strip_plus: true}`:                                              0,
		`, prepend: "00", caller: {prepend: "00"}`:                                                    2,
	} {
		r := oneDestination(t, spec)
		req := calls.Request{At: noon, CallID: "c1", From: "+4930123456", To: "+12125550100"}
		var d calls.Decision
		require.NoError(t, r.RouteInto(&req, &d))
		assert.InDelta(t, want, testing.AllocsPerRun(100, func() { _ = r.RouteInto(&req, &d) }), 0, spec)
	}
}

// TestCallerPool: each call has one number of the pool, always the same, and
// each number about the same share of the calls.
func TestCallerPool(t *testing.T) {
	t.Parallel()
	r := oneDestination(t, `, caller: {policy: replace, replace: ["+49301000", "+49301001", "+49301002", "+49301003"]}`)
	callList := map[string]int{}
	for i := range 40_000 {
		req := calls.Request{At: noon, CallID: callmodel.CallID(fmt.Sprint("call-", i)), To: "+1", From: "+2"}
		d, err := r.Route(&req)
		require.NoError(t, err)
		again, err := r.Route(&req)
		require.NoError(t, err)
		require.Equal(t, d, again)
		callList[d.Destinations[0].Caller]++
	}
	assert.Len(t, callList, 4)
	for number, n := range callList {
		assert.InDelta(t, 10_000, n, 400, "%s: four standard deviations are 346", number)
	}
}

func TestAnswersFaults(t *testing.T) {
	t.Parallel()
	_, err := routing.Parse([]byte(`currency: eur
destinations:
  a: {uri: "sip:a", replace: "12a", strip: 1}
  b: {uri: "sip:b", caller: {policy: hide}}
  c: {uri: "sip:c", caller: {policy: withhold, strip: 1}}
  d: {uri: "sip:d", caller: {policy: replace}}
  e: {uri: "sip:e", caller: {replace: "+"}}
  f: {uri: "sip:f", rates: none, limits: {cps: -1}}
  g: {uri: "sip:g", rates: deck, limits: {}, emergency: true}
rates:
  deck:
    - {prefix: "", per_minute: 0.01}
    - {prefix: "+0", per_minute: 1e3}
    - {prefix: "+1", first_seconds: 4000, next_seconds: -1, connect: "-1"}
    - {prefix: "+2", per_minute: 1, from: 2026-01-01T00:00:00Z, until: 2026-07-01T00:00:00Z}
    - {prefix: "+2", per_minute: 2, from: 2026-06-01T00:00:00Z, currency: USD}
    - {prefix: "+2", per_minute: 3, from: 2026-06-01T02:00:00+02:00}
    - {prefix: "+3", per_minute: 1, from: tomorrow, until: 2026-01-01T00:00:00Z}
    - {prefix: "+4", per_minute: 1, from: 2026-01-01T00:00:00.5Z}
  nothing: []
failover: {retry: ["q850:0", "sip:200", "sip:5xx"], final: ["sip:5xx", "sip:5x"], max_attempts: -1}
rules:
  - id: x
    default: true
    route:
      - {order: speed, targets: [{to: a}, {to: nowhere}]}
      - {order: cost, targets: [{to: b, weight: 2}], explore_percent: 3}
      - {order: quality, targets: [{to: c}], assume_seconds: 3, explore_percent: 51}
      - {targets: [{to: d}], require_rate: true}
      - {order: cost, to: e}
`))
	var fields callmodel.FieldErrors
	require.ErrorAs(t, err, &fields)
	got := map[string]string{}
	for _, f := range fields {
		got[fmt.Sprint(f.Line, " ", f.Path)] += f.Message + "\n"
	}
	want := map[string]string{
		"1 currency": "ISO 4217", "3 destinations.a.replace": "leave strip, strip_plus and prepend out", "4 destinations.b.caller.policy": "pass, withhold, replace",
		"5 destinations.c.caller": "with the policy pass only", "6 destinations.d.caller.replace": "1 to 1000",
		"7 destinations.e.caller.replace":    "policy: replace only",
		"7 destinations.e.caller.replace[0]": "digits", "8 destinations.f.rates": "no rate deck", "8 destinations.f.limits.cps": "1 to 1000000",
		"9 destinations.g.limits": "limits nothing", "9 destinations.g.emergency": "goes with strip",
		"12 rates.deck[0].prefix": "is missing", "13 rates.deck[1].prefix": "+0", "13 rates.deck[1].per_minute": "decimal",
		"14 rates.deck[2].per_minute":    "is missing",
		"14 rates.deck[2].first_seconds": "1 to 3600", "14 rates.deck[2].next_seconds": "1 to 3600", "14 rates.deck[2].connect": "0 to 10000",
		"16 rates.deck[4].from": "row 3 of the same prefix +2 holds until 2026-07-01T00:00:00Z", "16 rates.deck[4].currency": "one set has one currency",
		"17 rates.deck[5].from": "begins at the same time", "18 rates.deck[6].from": "with its zone", "19 rates.deck[7].from": "whole seconds",
		"20 rates.nothing":     "is empty",
		"21 failover.retry[0]": "not a cause", "21 failover.retry[1]": "not a cause", "21 failover.final[0]": "stands in retry[2] already",
		"21 failover.final[1]": "not a cause", "21 failover.max_attempts": "1 to 1024",
		"26 rules[0].route[0].order": "weight, cost, quality, priority", "26 rules[0].route[0].targets[1].to": "no destination",
		"27 rules[0].route[1].targets[0].weight": "no effect", "27 rules[0].route[1].explore_percent": "order: quality only",
		"27 rules[0].route[1].order":          "none of the destinations has rates",
		"28 rules[0].route[2].assume_seconds": "order: cost only", "28 rules[0].route[2].explore_percent": "1 to 50",
		"29 rules[0].route[3].require_rate": "order: cost only",
		"30 rules[0].route[4].to":           "not a known field", "30 rules[0].route[4]": "1 to 64",
	}
	for where, part := range want {
		assert.Contains(t, got[where], part, where)
	}
	assert.Len(t, got, len(want), "%s", strings.ReplaceAll(err.Error(), "; line", "\nline"))
}

// TestTierForms: a route may be written short or long, and what means the same
// has the same hash.
func TestTierForms(t *testing.T) {
	t.Parallel()
	set := func(destination, route string) string {
		return compile(t, `
currency: EUR
rates: {deck: [{prefix: "+", per_minute: 0.1, first_seconds: 1, from: 2026-01-01T01:00:00+01:00, currency: EUR}]}
destinations: {a: {uri: "sip:a", rates: deck`+destination+`}, b: {uri: "sip:b"}}
rules: [{id: x, default: true, route: `+route+`}]`).Hash()
	}
	plain := set("", `[[{to: a}, {to: b}]]`)
	assert.Equal(t, plain, set("", `{targets: [{to: a}, {to: b}]}`))
	assert.Equal(t, plain, set("", `[{targets: [{to: a}, {to: b}], order: weight}]`))
	assert.Equal(t, plain, set(", caller: {policy: pass}", `[[{to: a}, {to: b}]]`))
	assert.NotEqual(t, plain, set("", `[{to: a}, {to: b}]`), "two tiers")
	assert.NotEqual(t, plain, set("", `{targets: [{to: a}, {to: b}], order: priority}`))
	cost := set("", `{targets: [{to: a}, {to: b}], order: cost}`)
	assert.NotEqual(t, plain, cost)
	assert.Equal(t, cost, set("", `{assume_seconds: 180, targets: [{to: a}, {to: b}], order: cost, require_rate: false}`))
	assert.NotEqual(t, cost, set("", `{assume_seconds: 181, targets: [{to: a}, {to: b}], order: cost}`))
	other := compile(t, `{"currency":"EUR","rates":{"deck":[{"prefix":"+","per_minute":0.10,"from":"2026-01-01T00:00:00Z"}]},
		"destinations":{"a":{"uri":"sip:a","rates":"deck"},"b":{"uri":"sip:b"}},"rules":[{"id":"x","default":true,"route":[[{"to":"a"},{"to":"b"}]]}]}`)
	assert.Equal(t, plain, other.Hash())
}
