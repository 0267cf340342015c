package callservice_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

func emergencyDestinations() []calls.Destination {
	return []calls.Destination{{ID: "psap", URI: "sip:psap.example.com"}, {ID: "backup", URI: "sip:backup.example.com", Number: "+12025550911"}}
}

// TestEmergencyIsRecognised by its number, in any region that it may have been
// dialled in, or by its type, whatever else is wrong.
func TestEmergencyIsRecognised(t *testing.T) {
	t.Parallel()
	s := on(t, memdb.New(nil), callservice.Options{EmergencyDestinations: emergencyDestinations()})
	type request = callservice.Request
	for want, list := range map[string][]request{
		"911": {{To: "911"}, {To: "9-1-1"}, {To: "911", Region: "DE"}},
		"112": {
			{To: "112"},
			{To: "112", Region: "JP"},
			{To: "112", Region: "nowhere"},
			{To: "+49112", Region: "DE"},
			{To: "+49112", Region: "de"},
			{To: "112", ID: "../../etc", Host: "a b", Direction: "up", Priority: 99, Metadata: map[string]string{"": "x"}, Trunk: "no trunk"},
		},
		"110":             {{To: "sip:110@pbx", Region: "DE"}, {To: "1 1 0", Region: "DE"}},
		"urn:service:sos": {{Type: "emergency"}, {Type: "EMERGENCY"}},
		"the ambulance!":  {{To: "the ambulance!", Type: "Emergency"}},
		"+12125550188":    {{To: "(212) 555-0188", Type: "emergency"}},
	} {
		for _, req := range list {
			help, ok := s.Emergency("acme", req)
			require.True(t, ok, "%+v", req)
			for _, c := range []calls.Call{create(t, s, req), s.CreateEmergency(t.Context(), "acme", help, "test")} {
				assert.Equal(t, want, c.To.Number, "%+v", req)
				assert.True(t, c.Emergency)
				assert.Equal(t, calls.TypeEmergency, c.Type)
				assert.Equal(t, calls.MaxPriority, c.Priority)
				assert.NotEmpty(t, c.Decision.Destinations)
			}
		}
	}
	for _, req := range []request{{}, {To: "+12125550188"}, {To: "110"}, {To: "911x"}, {To: "help", Type: "voice"}} {
		_, ok := s.Emergency("acme", req)
		assert.False(t, ok, "%+v", req)
	}
	assert.Zero(t, s.Unstored())
}

// TestTestCalls: a call to a test URN takes the way of the emergency call that it stands
// for, and is none: it takes the normal lane, and is stored before it is answered.
func TestTestCalls(t *testing.T) {
	t.Parallel()
	const rules = `
destinations: {psap: {uri: "sip:psap.example.com", prepend: "9"}, a: {uri: "sip:a.example.com"}}
rules:
  - {id: all, default: true, route: {to: a}}
  - {id: help, match: {to: {service: emergency}}, route: [[{to: psap}], [{to: a}]]}
`
	for _, to := range []string{"urn:service:test.sos", "URN:service:test.sos.fire", "<urn:service:test.sos>"} {
		db := memdb.New(nil)
		s := on(t, db, callservice.Options{})
		install(t, s, "acme", rules)
		_, is := s.Emergency("acme", callservice.Request{To: to})
		assert.False(t, is, to)
		c := create(t, s, callservice.Request{ID: "t1", From: "+12025550123", To: to})
		assert.False(t, c.Emergency)
		assert.Equal(t, calls.TypeVoice, c.Type)
		assert.Equal(t, "help", c.Decision.Rule)
		require.Len(t, c.Decision.Destinations, 2)
		assert.Equal(t, c.To.Number, c.Decision.Destinations[0].Number, "as it was dialled")
		assert.True(t, strings.HasPrefix(c.To.Number, "urn:service:test.sos"))
		stored, err := db.Call(t.Context(), "acme", "t1")
		require.NoError(t, err)
		assert.Equal(t, c.Decision, stored.Decision)
		why, err := s.Explain(t.Context(), "acme", "t1")
		require.NoError(t, err)
		assert.Equal(t, *c.Decision, why.Decision)
		require.NotEmpty(t, why.Considered)
		assert.True(t, why.Considered[0].Won, "%+v", why.Considered)
		dry, err := s.Try(t.Context(), "acme", callservice.Request{To: to}, noon)
		require.NoError(t, err)
		assert.Equal(t, "help", dry.Decision.Rule)
	}
	alone := over(memdb.New(nil), callservice.Options{EmergencyDestinations: emergencyDestinations()})
	c := create(t, alone, callservice.Request{To: "urn:service:test.sos"})
	assert.Equal(t, calls.SourceEmergency, c.Decision.Source, "the configured ones take it, as there are no rules")
	assert.Equal(t, "psap", c.Decision.Destinations[0].ID)
	nowhere := over(memdb.New(nil), callservice.Options{})
	made, err := nowhere.Create(t.Context(), "acme", callservice.Request{To: "urn:service:test.sos"}, "test", nil)
	require.NoError(t, err)
	assert.Equal(t, callmodel.CodeNoRoute, callmodel.CodeOf(made.NoRoute))
	for _, to := range []string{"urn:service:test.sosx", "urn:service:test.counseling", "urn:x"} {
		_, err := nowhere.Create(t.Context(), "acme", callservice.Request{To: to}, "test", nil)
		assert.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err), to)
	}
}

// TestEmergencyKeepsWhatIsRight: one wrong field costs only itself.
func TestEmergencyKeepsWhatIsRight(t *testing.T) {
	t.Parallel()
	s := on(t, memdb.New(nil), callservice.Options{})
	c := s.CreateEmergency(t.Context(), "acme", callservice.Request{
		ID: "own", From: "(202) 555-0123", To: "911", Host: "pbx-1", Direction: "up", Metadata: map[string]string{"cell": "7"},
		Recording: &calls.RecordingPreference{Enabled: true, Outputs: []record.OutputSpec{{Codec: "x"}}}, Capabilities: []string{"a b"},
	}, "test")
	assert.Equal(t, callmodel.CallID("own"), c.ID)
	assert.Equal(t, calls.Party{Number: "+12025550123", Raw: "(202) 555-0123"}, c.From)
	assert.Equal(t, "pbx-1", c.Host)
	assert.Equal(t, map[string]string{"cell": "7"}, c.Metadata)
	assert.Equal(t, &calls.RecordingPreference{Enabled: true}, c.Recording)
	assert.Empty(t, c.Direction)
	assert.Empty(t, c.Capabilities)
	assert.Empty(t, c.Decision.Destinations, "none is configured, and the call is taken all the same")
	got, err := s.Call(t.Context(), "acme", "own")
	require.NoError(t, err)
	assert.Equal(t, c.To, got.To)
}

// TestEmergencyIDTaken: the wait for the stores is a minute here, so that the
// test is about the id and not about how fast the machine is.
func TestEmergencyIDTaken(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		s := on(t, db, callservice.Options{EmergencyDestinations: emergencyDestinations()})
		normal := create(t, s, nyc("mine"))
		c := s.CreateEmergency(t.Context(), "acme", sos("mine"), "test")
		assert.NotEqual(t, normal.ID, c.ID, "its events must not go to the other call")
		got, err := db.Call(t.Context(), "acme", c.ID)
		require.NoError(t, err)
		assert.True(t, got.Emergency)
		again, err := s.Call(t.Context(), "acme", "mine")
		require.NoError(t, err)
		assert.Equal(t, normal, again)
		assert.Zero(t, s.Unstored())
	})
}

// TestEmergencyWithoutDatabase: answered within its wait whatever the stores do,
// and stored once they are back. Not parallel: it looks at all goroutines.
func TestEmergencyWithoutDatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	for name, mode := range map[string]faults{"down": down, "hanging": hanging, "deaf": deaf} {
		t.Run(name, func(t *testing.T) {
			db := memdb.New(nil)
			f := newFaulty(db)
			s := over(f, callservice.Options{
				EmergencyDestinations: emergencyDestinations(), RulesRefresh: 5 * time.Millisecond,
				EmergencyWait: 50 * time.Millisecond, MaxInFlight: 2, QueueWait: time.Millisecond,
			})
			f.set(mode)
			const many = 20
			var wg sync.WaitGroup
			ids := make([]callmodel.CallID, many)
			for i := range many {
				wg.Go(func() {
					start := time.Now()
					ids[i] = s.CreateEmergency(t.Context(), "acme", sos(fmt.Sprint("sos-", i)), "test").ID
					assert.Less(t, time.Since(start), 10*time.Second) // two waits of 50 ms, on a busy machine
				})
			}
			wg.Wait()
			assert.Equal(t, many, s.Unstored())
			if mode == down {
				_, err := s.Create(t.Context(), "acme", nyc(""), "test", nil)
				requireCode(t, callmodel.CodeUnavailable, err)
			}
			// Another's call takes one of the ids meanwhile.
			taken := calls.Call{ID: "sos-0", TenantID: "acme", State: calls.Routed, CreatedAt: noon.Add(time.Hour)}
			_, err := db.CreateCall(t.Context(), calls.NewCall{Call: taken})
			require.NoError(t, err)
			f.set(healthy)
			close(f.release)
			stop := run(t, s)
			require.Eventually(t, func() bool { return s.Unstored() == 0 }, 30*time.Second, 5*time.Millisecond)
			stop()
			assert.Len(t, stored(t, db), many+1, "each once, under an id of its own")
			for _, id := range ids[1:] {
				c, err := db.Call(t.Context(), "acme", id)
				require.NoError(t, err)
				assert.True(t, c.Emergency)
			}
			require.Eventually(t, func() bool { return f.waiting.Load() == 0 && !strings.Contains(stacks(), "callservice.(*Service)") },
				30*time.Second, 5*time.Millisecond,
				"no goroutine is left")
		})
	}
}

// stacks is what every goroutine is at.
func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// TestEmergencyIsStoredAtTheEnd: what waits is stored when the service stops.
func TestEmergencyIsStoredAtTheEnd(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	f := newFaulty(db)
	s := over(f, callservice.Options{RulesRefresh: time.Hour})
	f.set(down)
	create(t, s, sos(""))
	require.Equal(t, 1, s.Unstored())
	f.set(healthy)
	run(t, s)()
	assert.Zero(t, s.Unstored())
	assert.Len(t, stored(t, db), 1)
}

// TestOneBadCallHoldsUpNoOther: a call that can never be stored is not in the
// way of those behind it.
func TestOneBadCallHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	f := newFaulty(db)
	s := over(f, callservice.Options{RulesRefresh: time.Hour})
	f.set(down)
	s.CreateEmergency(t.Context(), "no such/tenant", sos(""), "test")
	create(t, s, sos(""))
	f.set(healthy)
	run(t, s)()
	assert.Equal(t, 1, s.Unstored(), "it is kept, and counted")
	assert.Len(t, stored(t, db), 1)
}

// TestEmergencyWaitsForItsRules: the first call after a start is routed by the
// tenant's rules, if they can be had in time.
func TestEmergencyWaitsForItsRules(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		install(t, over(db, callservice.Options{}), "acme", strings.Replace(rules, `prefix: "+1212"`, `exact: ["911"]`, 1))
		fresh := over(db, callservice.Options{EmergencyDestinations: emergencyDestinations()})
		assert.Equal(t, "nyc", create(t, fresh, sos("")).Decision.Rule)
	})
}

// TestEmergencyTakesNoPlace: with the normal lane full, an emergency call is
// taken at once, and every other request is refused.
func TestEmergencyTakesNoPlace(t *testing.T) {
	t.Parallel()
	s := on(t, memdb.New(nil), callservice.Options{MaxInFlight: 1, QueueWait: time.Millisecond})
	ctx, leave, err := s.Enter(t.Context(), "acme")
	require.NoError(t, err)
	_, err = s.Create(t.Context(), "acme", nyc(""), "test", nil)
	requireCode(t, callmodel.CodeOverloaded, err)
	_, err = s.Calls(t.Context(), "acme", calls.Filter{})
	requireCode(t, callmodel.CodeOverloaded, err)
	_, err = s.Event(t.Context(), "acme", "c", calls.Event{ID: "e", Type: calls.EventEnded}, "test")
	requireCode(t, callmodel.CodeOverloaded, err)
	assert.True(t, create(t, s, sos("")).Emergency)

	_, err = s.Create(ctx, "acme", nyc("own"), "test", nil)
	require.NoError(t, err, "who has a place needs no other")
	leave()
	create(t, s, nyc(""))
}

// TestEmergencyIsMeasured: how long each took is told, by the id that counts.
func TestEmergencyIsMeasured(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	took := map[callmodel.CallID]time.Duration{}
	s := on(t, memdb.New(nil), callservice.Options{EmergencyDestinations: emergencyDestinations(), EmergencyTaken: func(id callmodel.CallID, elapsed time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		took[id] = elapsed
	}})
	c := create(t, s, callservice.Request{To: "112"})
	create(t, s, callservice.Request{To: "+12125550188"})
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, took, 1)
	assert.Contains(t, took, c.ID)
	assert.GreaterOrEqual(t, took[c.ID], time.Duration(0))
}
