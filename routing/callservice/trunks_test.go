package callservice_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/decider"
	"github.com/switchtape/switchtape/routing/trunk"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
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

func carried(s *callservice.Service, id string) int {
	for _, x := range s.Trunks() {
		if x.Destination == id {
			return x.Calls
		}
	}
	return -1
}

// TestPlacesOfCallsThatAreNotStored are given back: an id that is taken, a key
// that was used.
func TestPlacesOfCallsThatAreNotStored(t *testing.T) {
	t.Parallel()
	s := on(t, memdb.New(nil), callservice.Options{})
	install(t, s, "acme", limited)
	create(t, s, nyc("one"))
	_, err := s.Create(t.Context(), "acme", nyc("one"), "test", nil)
	requireCode(t, callmodel.CodeConflict, err)
	for range 2 {
		_, err := s.Create(t.Context(), "acme", nyc("two"), "test", &callservice.Idempotency{Key: "k"})
		require.NoError(t, err)
	}
	assert.Equal(t, 1, carried(s, "a"))
	assert.Equal(t, 1, carried(s, "b"))
}

// TestLimitsHoldUnderARace: a hundred calls at once get three places.
func TestLimitsHoldUnderARace(t *testing.T) {
	t.Parallel()
	s := on(t, memdb.New(nil), callservice.Options{MaxInFlight: 100, QueueWait: time.Minute})
	install(t, s, "acme", limited)
	var created, refused atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			_, err := s.Create(t.Context(), "acme", nyc(""), "test", nil)
			switch callmodel.CodeOf(err) {
			case "":
				created.Add(1)
			case callmodel.CodeNoCapacity:
				refused.Add(1)
			default:
				t.Error(err)
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
	db := memdb.New(nil)
	var clock atomic.Int64
	now := func() time.Time { return noon.Add(time.Duration(clock.Load())) }
	here, there := on(t, db, callservice.Options{Now: now, RulesRefresh: time.Millisecond}), on(t, db, callservice.Options{Now: now})
	install(t, there, "acme", limited)
	install(t, here, "acme", limited)
	create(t, here, nyc("one"))
	tell(t, there, "one", failed("e1", 486))
	assert.Equal(t, 1, carried(here, "a"))
	run(t, here)
	clock.Store(int64(31 * time.Second))
	require.Eventually(t, func() bool { return carried(here, "a") == 0 && carried(here, "b") == 1 }, 30*time.Second, time.Millisecond)
	tell(t, there, "one", calls.Event{ID: "e2", Type: calls.EventEnded})
	clock.Store(int64(10 * time.Minute))
	require.Eventually(t, func() bool { return carried(here, "b") == 0 }, 30*time.Second, time.Millisecond)
}

// TestDownDestinations are left out, and known to be down by the causes that
// the telephone servers tell.
func TestDownDestinations(t *testing.T) {
	t.Parallel()
	var changes []string
	var mu sync.Mutex
	s := on(t, memdb.New(nil), callservice.Options{Trunks: &trunk.Options{Failures: 2}, TrunkChanged: func(owner callmodel.TenantID, c trunk.Change) {
		mu.Lock()
		defer mu.Unlock()
		changes = append(changes, fmt.Sprint(owner, " ", c.Destination, " ", c.Health))
	}})
	for i := range 2 {
		c := create(t, s, nyc(""))
		require.Equal(t, "a", c.Decision.Destinations[0].ID, i)
		tell(t, s, c.ID, calls.Event{ID: "e1", Type: calls.EventFailed, Cause: &calls.Cause{Q850: 38}})
	}
	c := create(t, s, nyc(""))
	assert.Equal(t, "b", c.Decision.Destinations[0].ID)
	assert.Equal(t, []calls.LeftOut{{ID: "a", Reason: calls.LeftDown}}, c.Decision.LeftOut)
	assert.Equal(t, []string{"acme a down"}, changes)
	// New rules change nothing of what is known.
	install(t, s, "acme", rules+"# again\n")
	assert.Equal(t, "b", create(t, s, nyc("")).Decision.Destinations[0].ID)
}

// TestTenantsTrunksAreTheirOwn: destinations of the same id in two tenants'
// rules are two.
func TestTenantsTrunksAreTheirOwn(t *testing.T) {
	t.Parallel()
	s := on(t, memdb.New(nil), callservice.Options{})
	install(t, s, "acme", limited)
	install(t, s, "other", limited)
	create(t, s, nyc(""))
	c, err := s.Create(t.Context(), "other", nyc(""), "test", nil)
	require.NoError(t, err)
	assert.Equal(t, "a", c.Call.Decision.Destinations[0].ID)
	assert.Len(t, s.Trunks(), 4)
}

// decides is a decision service that answers within the budget or not at all.
func decides(t *testing.T, budget time.Duration, handle http.HandlerFunc) routing.Decider {
	t.Helper()
	srv := httptest.NewServer(handle)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	d, err := decider.New(srv.URL, &decider.Options{Budget: budget, CacheSize: -1})
	require.NoError(t, err)
	return d
}

func TestDecider(t *testing.T) {
	t.Parallel()
	var mode atomic.Value
	mode.Store(`{"rule":"theirs","destinations":[{"id":"a","uri":"sip:else.example.com"},{"id":"z","uri":"sip:z.example.com"}]}`)
	var emergencies atomic.Int64 // that it was asked about
	var seen []string
	var mu sync.Mutex
	on := func(budget time.Duration) *callservice.Service {
		s := on(t, memdb.New(nil), callservice.Options{
			Decider: decides(t, budget, func(w http.ResponseWriter, r *http.Request) {
				question, _ := io.ReadAll(r.Body)
				if bytes.Contains(question, []byte(`"911"`)) {
					emergencies.Add(1)
				}
				body, _ := mode.Load().(string)
				if body == "" {
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
		install(t, s, "acme", limited)
		return s
	}
	s := on(time.Minute) // however slow the machine is
	c := create(t, s, nyc("one"))
	assert.Equal(t, calls.SourceDecider, c.Decision.Source)
	assert.Equal(t, "theirs", c.Decision.Rule)
	assert.Equal(t, "sip:else.example.com", c.Decision.Destinations[0].URI)
	assert.Equal(t, "+12125550188", c.Decision.Destinations[0].Number)
	assert.Equal(t, 1, carried(s, "a"), "its destination's limits are the rule set's")
	c = create(t, s, nyc(""))
	assert.Equal(t, "z", c.Decision.Destinations[0].ID)
	assert.Equal(t, []calls.LeftOut{{ID: "a", Reason: calls.LeftConcurrent}}, c.Decision.LeftOut)
	_, err := s.Explain(t.Context(), "acme", "one")
	requireCode(t, callmodel.CodeNotFound, err)

	mode.Store(`{"no_route":true,"reason":"closed"}`)
	made, err := s.Create(t.Context(), "acme", nyc("no"), "test", nil)
	require.NoError(t, err)
	requireCode(t, callmodel.CodeNoRoute, made.NoRoute)
	require.ErrorContains(t, made.NoRoute, "closed")
	no, err := s.Call(t.Context(), "acme", "no")
	require.NoError(t, err)
	assert.Equal(t, calls.Rejected, no.State)

	mode.Store(`{"destinations":[{"id":"a","uri":"sip:a"}]}`)
	_, err = s.Create(t.Context(), "acme", nyc(""), "test", nil)
	requireCode(t, callmodel.CodeNoCapacity, err)

	mode.Store(`garbage`)
	c = create(t, s, nyc("fallen"))
	assert.Equal(t, calls.SourceRules, c.Decision.Source)
	assert.Equal(t, decider.ReasonGarbage, c.Decision.Fallback)
	assert.Equal(t, "b", c.Decision.Destinations[0].ID)

	mode.Store("") // it hangs
	s = on(50 * time.Millisecond)
	c = create(t, s, nyc(""))
	assert.Equal(t, decider.ReasonTimeout, c.Decision.Fallback)
	help := create(t, s, sos(""))
	assert.Zero(t, emergencies.Load(), "an emergency call doesn't ask")
	assert.Equal(t, calls.SourceRules, help.Decision.Source)
	assert.Empty(t, help.Decision.Fallback)
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, []string{"decider  ", "decider  ", "decider  no_route", "decider  no_capacity", "rules garbage ", "rules timeout ", "rules  "}, seen)
}
