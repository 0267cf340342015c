package callhttp_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb"
)

// limited sends calls to a, which takes one at a time, and then to b, which
// takes two.
const limited = `
destinations:
  a: {uri: "sip:a.example.com", limits: {concurrent: 1}}
  b: {uri: "sip:b.example.com", limits: {concurrent: 2}}
rules:
  - {id: all, default: true, route: [[{to: a}], [{to: b}]], failover: {retry: ["sip:486"], final: ["sip:503"]}}
`

func limit(t *testing.T, s *service) {
	t.Helper()
	_, err := s.InstallRules(t.Context(), "acme", []byte(limited), "test", "")
	require.NoError(t, err)
}

func tell(t *testing.T, s *service, id callmodel.CallID, body string) calls.Call {
	t.Helper()
	return ok[calls.Call](t, s, caller(), http.MethodPost, "/v1/calls/"+string(id)+"/events", body, http.StatusOK)
}

func carried(s *service, id string) int {
	for _, x := range s.Trunks() {
		if x.Destination == id {
			return x.Calls
		}
	}
	return -1
}

func TestLimits(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		limit(t, s)
		first := create(t, s, nyc(`,"id":"one"`))
		assert.Equal(t, "a", first.Decision.Destinations[0].ID)
		second := create(t, s, nyc(`,"id":"two"`))
		assert.Equal(t, "b", second.Decision.Destinations[0].ID)
		assert.Equal(t, []calls.LeftOut{{ID: "a", Reason: calls.LeftConcurrent}}, second.Decision.LeftOut)
		create(t, s, nyc(`,"id":"three"`))

		p := fails(t, s, caller(), http.MethodPost, "/v1/calls", nyc(`,"id":"four"`), http.StatusServiceUnavailable, callmodel.CodeNoCapacity)
		assert.Contains(t, p.Detail, "as many calls as it may")
		fails(t, s, caller(), http.MethodGet, "/v1/calls/four", "", http.StatusNotFound, callmodel.CodeNotFound)
		// An emergency call is let through, and counts.
		sos := create(t, s, `{"from":"+12025550123","to":"911","id":"sos"}`)
		assert.Equal(t, "a", sos.Decision.Destinations[0].ID)
		assert.Equal(t, 2, carried(s, "a"))
		// Until it is stored its events are accepted and stored behind it.
		require.Eventually(t, func() bool { return s.Backlog().EmergencyCalls == 0 }, 30*time.Second, time.Millisecond)
		tell(t, s, "sos", `{"id":"e1","type":"ended"}`)

		// Busy is retried by this rule: the call moves to b, though that is full.
		moved := tell(t, s, "one", `{"id":"e1","type":"failed","cause":{"sip":486}}`)
		assert.Equal(t, 1, moved.Attempt)
		tell(t, s, "one", `{"id":"e1","type":"failed","cause":{"sip":486}}`) // told again
		assert.Equal(t, 0, carried(s, "a"))
		assert.Equal(t, 3, carried(s, "b"))
		assert.Equal(t, "a", create(t, s, nyc(`,"id":"four"`)).Decision.Destinations[0].ID)
		// 503 is final by this rule.
		assert.Equal(t, calls.Failed, tell(t, s, "two", `{"id":"e1","type":"failed","cause":{"sip":503}}`).State)
		tell(t, s, "three", `{"id":"e1","type":"answered"}`)
		tell(t, s, "three", `{"id":"e2","type":"ended"}`)
		tell(t, s, "one", `{"id":"e2","type":"ended"}`)
		assert.Equal(t, 1, carried(s, "a"))
		assert.Equal(t, 0, carried(s, "b"))

		// The stored decision is explained as it was made.
		x := ok[routing.Explanation](t, s, caller(), http.MethodGet, "/v1/calls/two/explanation", "", http.StatusOK)
		require.Len(t, x.Destinations, 2)
		assert.Equal(t, "left out when the call was routed: concurrent", x.Destinations[0].Reason)
		assert.Equal(t, 1, x.Destinations[1].Position)
		assert.Equal(t, second.Decision, &x.Decision)
		// A dry run tells of this moment.
		x = ok[routing.Explanation](t, s, caller(), http.MethodGet, "/v1/route?from=%2B12025550123&to=%2B12125550188", "", http.StatusOK)
		assert.Contains(t, x.Destinations[0].Reason, "it carries as many calls as it may, 1")
		assert.Equal(t, "b", x.Decision.Destinations[0].ID)
	})
}

// TestDecisionsAreStoredWhole: callers, costs and failover survive the store.
func TestDecisionsAreStoredWhole(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		_, err := s.InstallRules(t.Context(), "acme", []byte(`
currency: USD
rates: {deck: [{prefix: "+1212", per_minute: 0.0123, connect: 0.01, first_seconds: 30, next_seconds: 6}]}
destinations:
  a: {uri: "sip:a", rates: deck, strip: 1, caller: {policy: replace, replace: "+12025550000"}}
  b: {uri: "sip:b", caller: {policy: withhold}}
rules: [{id: all, default: true, route: {order: cost, assume_seconds: 61, targets: [{to: b}, {to: a}]}, failover: {retry: ["sip:5xx"], attempt_seconds: 20}}]
`), "test", "")
		require.NoError(t, err)
		made := create(t, s, nyc(`,"id":"one"`))
		cost, err := callmodel.ParseAmount("0.02353")
		require.NoError(t, err)
		assert.Equal(t, []calls.Destination{
			{
				ID: "a", URI: "sip:a", Number: "2125550188", Caller: "+12025550000",
				Cost: calls.Cost{Amount: cost, Currency: "USD", Length: 61 * time.Second, Prefix: "+1212"},
			},
			{ID: "b", URI: "sip:b", Number: "+12125550188", Caller: "anonymous", CallerPrivacy: "id"},
		}, made.Decision.Destinations)
		got := ok[calls.Call](t, s, caller(), http.MethodGet, "/v1/calls/one", "", http.StatusOK)
		assert.Equal(t, made, got)
		b, err := json.Marshal(got.Decision)
		require.NoError(t, err)
		assert.Contains(t, string(b), `"cost":{"amount":"0.02353","currency":"USD","seconds":61,"prefix":"+1212"}`)
		assert.Contains(t, string(b), `"failover":{"retry":["sip:5xx"],"attempt_seconds":20}`)
		x := ok[routing.Explanation](t, s, caller(), http.MethodGet, "/v1/calls/one/explanation", "", http.StatusOK)
		assert.True(t, slices.ContainsFunc(x.Destinations, func(v routing.DestinationVerdict) bool {
			return v.Reason == "by cost: 0.02353 USD for 61 seconds to +1212…"
		}), "%+v", x.Destinations)
	})
}
