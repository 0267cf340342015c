package routing_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

const priced = `
currency: EUR
destinations:
  a:
    uri: "sip:a"
    rates: a
    origin_rates: {"+49": a-home, "+4930": a-berlin, anonymous: a-hidden}
  b: {uri: "sip:b", rates: b}
  c: {uri: "sip:c"}
rates:
  a: [{prefix: "+", per_minute: 0.05}]
  a-home: [{prefix: "+", per_minute: 0.01}]
  a-berlin: [{prefix: "+", per_minute: 0.04}]
  a-hidden: [{prefix: "+", per_minute: 0.09}]
  b: [{prefix: "+", per_minute: 0.03}]
  retail: [{prefix: "+1", per_minute: 0.05}, {prefix: "+44", per_minute: 0.03}, {prefix: "+33", per_minute: 0.02}]
rules:
  - {id: guarded, match: {to: {prefix: "+"}, tenant: shop}, route: [{order: cost, margin: {rates: retail, percent: 20}, targets: [{to: a}, {to: b}, {to: c}]}]}
  - {id: listed, match: {to: {prefix: "+"}, tenant: list}, route: [{order: priority, margin: {rates: retail}, targets: [{to: a}, {to: b}]}, [{to: c}]]}
  - {id: good, match: {to: {prefix: "+"}, tenant: good}, route: [{order: cost, min_quality: 10, targets: [{to: a}, {to: b}, {to: c}]}]}
  - {id: rest, default: true, route: [{order: cost, targets: [{to: a}, {to: b}, {to: c}]}]}
`

func decided(t *testing.T, r *routing.Router, live routing.Live, req calls.Request) (ids, left string, d calls.Decision, err error) {
	t.Helper()
	req.CallID, req.At = "c", time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	err = r.RouteLive(&req, live, &d)
	for _, x := range d.Destinations {
		ids += x.ID
	}
	for _, x := range d.LeftOut {
		left += x.ID + ":" + string(x.Reason) + " "
	}
	x := r.ExplainLive(&req, live)
	assert.Equal(t, d, x.Decision, "the explanation is of the same decision")
	return ids, strings.TrimSpace(left), d, err
}

func compiled(t *testing.T, text string) *routing.Router {
	t.Helper()
	r, err := routing.CompileText([]byte(text))
	require.NoError(t, err)
	return r
}

// TestOriginRates: what a call costs is a matter of its caller, too.
func TestOriginRates(t *testing.T) {
	t.Parallel()
	r := compiled(t, priced)
	rs, err := routing.Parse([]byte(priced))
	require.NoError(t, err)
	spec := rs.Destinations["a"]
	for from, want := range map[string]struct{ ids, deck, amount string }{
		"+12125550100": {"bac", "a", "0.15"},
		"+498912345":   {"abc", "a-home", "0.03"},
		"+493012345":   {"bac", "a-berlin", "0.12"}, // the longest prefix holds
		"anonymous":    {"bac", "a-hidden", "0.27"},
		"":             {"bac", "a-hidden", "0.27"},
	} {
		ids, _, d, err := decided(t, r, nil, calls.Request{From: from, To: "+12125550100"})
		require.NoError(t, err)
		assert.Equal(t, want.ids, ids, from)
		for _, x := range d.Destinations {
			if x.ID == "a" {
				assert.Equal(t, want.amount, x.Cost.Amount.String(), from)
			}
		}
		assert.Equal(t, want.deck, spec.RatesFor(from), from)
	}
}

// TestMargin: no destination is tried that costs more than the price less the margin.
func TestMargin(t *testing.T) {
	t.Parallel()
	r := compiled(t, priced)
	for _, test := range []struct {
		tenant    callmodel.TenantID
		from, to  string
		ids, left string
		err       error
	}{
		{"shop", "+12125550100", "+12125550100", "b", "a:margin c:no_rate", nil}, // 0.05, 0.03 of 0.04
		{"shop", "+498912345", "+12125550100", "ab", "c:no_rate", nil},           // 0.01, 0.03
		{"shop", "+493012345", "+12125550100", "ba", "c:no_rate", nil},           // exactly the margin
		{"shop", "+498912345", "+442012345", "a", "b:margin c:no_rate", nil},     // 0.03 of 0.024
		{"shop", "+12125550100", "+33123456", "", "a:margin b:margin c:no_rate", routing.ErrNoMargin},
		{"shop", "+498912345", "+8112345", "", "a:margin b:margin c:no_rate", routing.ErrNoMargin}, // no price
		{"list", "+12125550100", "+442012345", "bc", "a:margin", nil},                              // one tier's margin, and the price itself is within it
		{"list", "+12125550100", "+33123456", "c", "a:margin b:margin", nil},
	} {
		ids, left, _, err := decided(t, r, nil, calls.Request{TenantID: test.tenant, From: test.from, To: test.to})
		assert.Equal(t, test.err, err, "%v", test)
		assert.Equal(t, test.ids, ids, "%v", test)
		assert.Equal(t, test.left, left, "%v", test)
	}
	ids, _, _, err := decided(t, r, nil, calls.Request{TenantID: "shop", From: "+12125550100", To: "+33123456", Emergency: true})
	require.NoError(t, err)
	assert.Equal(t, "bac", ids, "never for an emergency call")
	req := calls.Request{TenantID: "shop", From: "+12125550100", To: "+12125550100", CallID: "c", At: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}
	x := r.Explain(&req)
	assert.Contains(t, x.Destinations[0].Reason, "it costs 0.15 EUR, and of the price of 0.15 EUR it may cost 80 percent")
}

// TestMarginsDoNotAllocate, and neither do rates by the caller.
func TestMarginsDoNotAllocate(t *testing.T) {
	r := compiled(t, priced)
	req := calls.Request{TenantID: "shop", From: "+493012345", To: "+12125550100", CallID: "c", At: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}
	var d calls.Decision
	require.NoError(t, r.RouteInto(&req, &d))
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = r.RouteInto(&req, &d) }))
}

// TestMinQuality: the cheapest of those that are good enough, and then the others.
func TestMinQuality(t *testing.T) {
	t.Parallel()
	r := compiled(t, priced)
	for _, test := range []struct {
		a, b int16
		ids  string
	}{{10, 10, "bac"}, {10, 9, "abc"}, {9, 9, "bac"}, {9, 10, "bac"}, {20, 3, "abc"}} {
		live := moment{"a": {Quality: test.a}, "b": {Quality: test.b}, "c": {Quality: 20}}
		ids, _, _, err := decided(t, r, live, calls.Request{TenantID: "good", From: "+12125550100", To: "+12125550100"})
		require.NoError(t, err)
		assert.Equal(t, test.ids, ids, "%v", test)
		x := r.ExplainLive(&calls.Request{TenantID: "good", From: "+12125550100", To: "+12125550100", CallID: "c", At: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)}, live)
		for _, v := range x.Destinations {
			below := v.ID == "a" && test.a < 10 || v.ID == "b" && test.b < 10
			assert.Equal(t, below, strings.Contains(v.Reason, "is below 10"), "%v: %s", test, v.Reason)
		}
	}
	ids, _, _, err := decided(t, r, nil, calls.Request{TenantID: "good", From: "+12125550100", To: "+12125550100"})
	require.NoError(t, err)
	assert.Equal(t, "bac", ids, "nothing is known of quality")
}

// TestPricingFaults: each with its path.
func TestPricingFaults(t *testing.T) {
	t.Parallel()
	for change, path := range map[[2]string]string{
		{"margin: {rates: retail}", "margin: {rates: nowhere}"}:            "rules[1].route[0].margin.rates",
		{"percent: 20", "percent: 100"}:                                    "rules[0].route[0].margin.percent",
		{"min_quality: 10", "min_quality: 21"}:                             "rules[2].route[0].min_quality",
		{"order: cost, min_quality: 10", "order: quality, min_quality: 9"}: "rules[2].route[0].min_quality",
		{`anonymous: a-hidden`, `nobody: a-hidden`}:                        "destinations.a.origin_rates.nobody",
		{`anonymous: a-hidden`, `anonymous: nowhere`}:                      "destinations.a.origin_rates.anonymous",
	} {
		_, err := routing.CompileText([]byte(strings.Replace(priced, change[0], change[1], 1)))
		require.ErrorContains(t, err, path, change)
	}
}

// TestPricingInTheBinaryForm: it has all of it, and the same hash.
func TestPricingInTheBinaryForm(t *testing.T) {
	t.Parallel()
	limited := strings.Replace(priced, "id: good,", "id: good, limits: {concurrent: 3},", 1) + "limits: {tenants: {\"*\": {cps: 2}}}\n"
	r, packed, err := routing.CompileAndPack([]byte(limited))
	require.NoError(t, err)
	form, err := packed.MarshalBinary()
	require.NoError(t, err)
	again, err := routing.CompileBinary(form)
	require.NoError(t, err)
	assert.Equal(t, r.Hash(), again.Hash())
	assert.Equal(t, r.Limits(), again.Limits())
	assert.Equal(t, map[string]routing.Limits{"good": {Concurrent: 3}}, again.Limits().Rules)
	assert.NotEqual(t, r.Hash(), compiled(t, priced).Hash())
	ids, left, _, err := decided(t, again, nil, calls.Request{TenantID: "shop", From: "+12125550100", To: "+12125550100"})
	require.NoError(t, err)
	assert.Equal(t, "b", ids)
	assert.Equal(t, "a:margin c:no_rate", left)
}
