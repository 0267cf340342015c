package callhttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callhttp"
	"github.com/switchtape/switchtape/routing/decider"
	"github.com/switchtape/switchtape/routing/trunk"
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
	_, err := s.InstallRules(t.Context(), "acme", []byte(limited), "test")
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
		s := on(t, db, callhttp.Options{})
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

// TestPlacesOfCallsThatAreNotStored are given back: an id that is taken, a key
// that was used.
func TestPlacesOfCallsThatAreNotStored(t *testing.T) {
	t.Parallel()
	s := on(t, sqliteDB(t), callhttp.Options{})
	limit(t, s)
	create(t, s, nyc(`,"id":"one"`))
	fails(t, s, caller(), http.MethodPost, "/v1/calls", nyc(`,"id":"one"`), http.StatusConflict, callmodel.CodeConflict)
	for range 2 {
		w := do(t, s, caller(), http.MethodPost, "/v1/calls", nyc(`,"id":"two"`), "Idempotency-Key", "k")
		require.Equal(t, http.StatusCreated, w.Code)
	}
	assert.Equal(t, 1, carried(s, "a"))
	assert.Equal(t, 1, carried(s, "b"))
}

// TestLimitsHoldUnderARace: a hundred calls at once get three places.
func TestLimitsHoldUnderARace(t *testing.T) {
	t.Parallel()
	s := on(t, sqliteDB(t), callhttp.Options{MaxInFlight: 100, QueueWait: time.Minute})
	limit(t, s)
	var created, refused atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, request(t.Context(), caller(), http.MethodPost, "/v1/calls", nyc("")))
			switch w.Code {
			case http.StatusCreated:
				created.Add(1)
			case http.StatusServiceUnavailable:
				refused.Add(1)
			default:
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 3, created.Load())
	assert.EqualValues(t, 97, refused.Load())
}

// TestEventsToldElsewhere: a call that another process saw end gives its place
// back here, and so does one that isn't there.
func TestEventsToldElsewhere(t *testing.T) {
	t.Parallel()
	db := sqliteDB(t)
	var clock atomic.Int64
	now := func() time.Time { return noon.Add(time.Duration(clock.Load())) }
	here, there := on(t, db, callhttp.Options{Now: now, RulesRefresh: time.Millisecond}), on(t, db, callhttp.Options{Now: now})
	limit(t, there)
	limit(t, here)
	create(t, here, nyc(`,"id":"one"`))
	tell(t, there, "one", `{"id":"e1","type":"failed","cause":{"sip":486}}`)
	assert.Equal(t, 1, carried(here, "a"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- here.Run(ctx) }()
	clock.Store(int64(31 * time.Second))
	require.Eventually(t, func() bool { return carried(here, "a") == 0 && carried(here, "b") == 1 }, 10*time.Second, time.Millisecond)
	tell(t, there, "one", `{"id":"e2","type":"ended"}`)
	clock.Store(int64(10 * time.Minute))
	require.Eventually(t, func() bool { return carried(here, "b") == 0 }, 10*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-done)
}

// TestDownDestinations are left out, and known to be down by the causes that
// the telephone servers tell.
func TestDownDestinations(t *testing.T) {
	t.Parallel()
	var changes []string
	var mu sync.Mutex
	s := on(t, sqliteDB(t), callhttp.Options{Trunks: &trunk.Options{Failures: 2}, TrunkChanged: func(owner callmodel.TenantID, c trunk.Change) {
		mu.Lock()
		defer mu.Unlock()
		changes = append(changes, fmt.Sprint(owner, " ", c.Destination, " ", c.Health))
	}})
	for i := range 2 {
		c := create(t, s, nyc(""))
		require.Equal(t, "a", c.Decision.Destinations[0].ID, i)
		tell(t, s, c.ID, `{"id":"e1","type":"failed","cause":{"q850":38}}`)
	}
	c := create(t, s, nyc(""))
	assert.Equal(t, "b", c.Decision.Destinations[0].ID)
	assert.Equal(t, []calls.LeftOut{{ID: "a", Reason: calls.LeftDown}}, c.Decision.LeftOut)
	assert.Equal(t, []string{"acme a down"}, changes)
	// New rules change nothing of what is known.
	_, err := s.InstallRules(t.Context(), "acme", []byte(rules+"# again\n"), "test")
	require.NoError(t, err)
	assert.Equal(t, "b", create(t, s, nyc("")).Decision.Destinations[0].ID)
}

// TestTenantsTrunksAreTheirOwn: destinations of the same id in two tenants'
// rules are two.
func TestTenantsTrunksAreTheirOwn(t *testing.T) {
	t.Parallel()
	s := on(t, sqliteDB(t), callhttp.Options{})
	limit(t, s)
	_, err := s.InstallRules(t.Context(), "other", []byte(limited), "test")
	require.NoError(t, err)
	create(t, s, nyc(""))
	c := ok[calls.Call](t, s, as(calling(), "other"), http.MethodPost, "/v1/calls", nyc(""), http.StatusCreated)
	assert.Equal(t, "a", c.Decision.Destinations[0].ID)
	assert.Len(t, s.Trunks(), 4)
}

func decided(t *testing.T, handle http.HandlerFunc) routing.Decider {
	t.Helper()
	srv := httptest.NewServer(handle)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	d, err := decider.New(srv.URL, &decider.Options{Budget: 5 * time.Second, CacheSize: -1})
	require.NoError(t, err)
	return d
}

func TestDecider(t *testing.T) {
	t.Parallel()
	var mode atomic.Value
	mode.Store(`{"rule":"theirs","destinations":[{"id":"a","uri":"sip:else.example.com"},{"id":"z","uri":"sip:z.example.com"}]}`)
	var asked atomic.Int64
	var seen []string
	var mu sync.Mutex
	s := on(t, sqliteDB(t), callhttp.Options{
		Decider: decided(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			body, _ := mode.Load().(string)
			if body == "" {
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		}),
		Decided: func(d *calls.Decision, err error) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, fmt.Sprint(d.Source, " ", d.Fallback, " ", callmodel.CodeOf(err)))
		},
	})
	limit(t, s)
	c := create(t, s, nyc(`,"id":"one"`))
	assert.Equal(t, calls.SourceDecider, c.Decision.Source)
	assert.Equal(t, "theirs", c.Decision.Rule)
	assert.Equal(t, "sip:else.example.com", c.Decision.Destinations[0].URI)
	assert.Equal(t, "+12125550188", c.Decision.Destinations[0].Number)
	assert.Equal(t, 1, carried(s, "a"), "its destination's limits are the rule set's")
	c = create(t, s, nyc(""))
	assert.Equal(t, "z", c.Decision.Destinations[0].ID)
	assert.Equal(t, []calls.LeftOut{{ID: "a", Reason: calls.LeftConcurrent}}, c.Decision.LeftOut)
	fails(t, s, caller(), http.MethodGet, "/v1/calls/one/explanation", "", http.StatusNotFound, callmodel.CodeNotFound)

	mode.Store(`{"no_route":true,"reason":"closed"}`)
	p := fails(t, s, caller(), http.MethodPost, "/v1/calls", nyc(`,"id":"no"`), http.StatusNotFound, callmodel.CodeNoRoute)
	assert.Contains(t, p.Detail, "closed")
	assert.Equal(t, calls.Rejected, ok[calls.Call](t, s, caller(), http.MethodGet, "/v1/calls/no", "", http.StatusOK).State)

	mode.Store(`{"destinations":[{"id":"a","uri":"sip:a"}]}`)
	fails(t, s, caller(), http.MethodPost, "/v1/calls", nyc(""), http.StatusServiceUnavailable, callmodel.CodeNoCapacity)

	mode.Store(`garbage`)
	c = create(t, s, nyc(`,"id":"fallen"`))
	assert.Equal(t, calls.SourceRules, c.Decision.Source)
	assert.Equal(t, decider.ReasonGarbage, c.Decision.Fallback)
	assert.Equal(t, "b", c.Decision.Destinations[0].ID)

	mode.Store("") // it hangs
	c = create(t, s, nyc(""))
	assert.Equal(t, decider.ReasonTimeout, c.Decision.Fallback)
	before := asked.Load()
	sos := create(t, s, `{"from":"+12025550123","to":"911"}`)
	assert.Equal(t, before, asked.Load(), "an emergency call doesn't ask")
	assert.Equal(t, calls.SourceRules, sos.Decision.Source)
	assert.Empty(t, sos.Decision.Fallback)
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, []string{"decider  ", "decider  ", "decider  no_route", "decider  no_capacity", "rules garbage ", "rules timeout ", "rules  "}, seen)
}

// TestDecisionsAreStoredWhole: callers, costs and failover survive the store.
func TestDecisionsAreStoredWhole(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callhttp.Options{})
		_, err := s.InstallRules(t.Context(), "acme", []byte(`
currency: USD
rates: {deck: [{prefix: "+1212", per_minute: 0.0123, connect: 0.01, first_seconds: 30, next_seconds: 6}]}
destinations:
  a: {uri: "sip:a", rates: deck, strip: 1, caller: {policy: replace, replace: "+12025550000"}}
  b: {uri: "sip:b", caller: {policy: withhold}}
rules: [{id: all, default: true, route: {order: cost, assume_seconds: 61, targets: [{to: b}, {to: a}]}, failover: {retry: ["sip:5xx"], attempt_seconds: 20}}]
`), "test")
		require.NoError(t, err)
		made := create(t, s, nyc(`,"id":"one"`))
		cost, err := callmodel.ParseAmount("0.02353")
		require.NoError(t, err)
		assert.Equal(t, []calls.Destination{
			{ID: "a", URI: "sip:a", Number: "2125550188", Caller: "+12025550000", Cost: calls.Cost{Amount: cost, Currency: "USD", Seconds: 61, Prefix: "+1212"}},
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
