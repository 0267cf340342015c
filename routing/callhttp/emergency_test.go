package callhttp_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/callservice/journal"
	"github.com/switchtape/switchtape/storage/calldb"
)

// hanging is a database whose writes of calls wait until their context ends, while
// it is told to hang.
type hanging struct {
	*calldb.DB

	hangs   atomic.Bool
	waiting atomic.Int32
}

func (h *hanging) CreateCall(ctx context.Context, n calls.NewCall) (*calls.StoredResponse, error) {
	if h.hangs.Load() {
		h.waiting.Add(1)
		defer h.waiting.Add(-1)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return h.DB.CreateCall(ctx, n)
}

func emergencyDestinations() []calls.Destination {
	return []calls.Destination{{ID: "psap", URI: "sip:psap.example.com"}, {ID: "backup", URI: "sip:backup.example.com", Number: "+12025550911"}}
}

func help(t *testing.T, h http.Handler, body string) calls.Call {
	t.Helper()
	return ok[calls.Call](t, h, caller(), http.MethodPost, "/v1/calls", body, http.StatusCreated)
}

func TestEmergency(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{EmergencyDestinations: emergencyDestinations(), RulesRefresh: 20 * time.Millisecond})
		run(t, s)
		for body, number := range map[string]string{
			`{"from":"+12025550123","to":"911"}`:                               "911",
			`{"from":"+12025550123","to":"112"}`:                               "112",
			`{"from":"+12025550123","to":"112","region":"JP"}`:                 "112",
			`{"from":"+12025550123","to":"112","region":"nowhere"}`:            "112",
			`{"from":"+4930901820","to":"+49112","region":"DE"}`:               "112",
			`{"from":"+4930901820","to":"+49112","region":"de"}`:               "112",
			`{"from":"+4930901820","to":"sip:110@pbx","region":"DE"}`:          "110",
			`{"from":"+4930901820","to":"1 1 0","region":"DE"}`:                "110",
			`{"to":"urn:service:sos.fire"}`:                                    "urn:service:sos.fire",
			`{"from":"+12025550123","to":"(212) 555-0188","type":"emergency"}`: "+12125550188",
			`{"from":"+12025550123","to":"the ambulance!","type":"EMERGENCY"}`: "the ambulance!",
			`{"type":"emergency"}`:                                             "urn:service:sos",
			`{"to":112}`:                                                       "112",
			`{"TO":"112"}`:                                                     "112",
			`{"to":"+12125550188","to":"112"}`:                                 "112",
			`{"to":"112","to":"+12125550188"}`:                                 "112",
			`{"from":{"x":1},"to":"112","type":7,"region":[],"id":{},"host":1,"priority":"high","direction":false,"metadata":[1],"recording":"yes","extra":null}`:  "112",
			`{"to":"112","id":"../../etc","host":"a b","direction":"up","priority":99,"metadata":{"":"x"},"recording":{"enabled":true,"outputs":[{"codec":"x"}]}}`: "112",
			`{"to":"112","from":"+12025550123"`: "112", // cut off
			`{"to":"112","from":"\ud800`:        "112",
			`{"to":"112"}trailing`:              "112",
			// Broken before the callee, or no JSON at all, or longer than a body may be.
			`{"from":+12025550123,"to":"112"}`:                        "112",
			`{"metadata":{"a":},"region":"DE","to":"+49110"}`:         "110",
			`{"from":"+12025550123" "to":"112"}`:                      "112",
			`{from: '+12025550123', to: '112'}`:                       "112",
			`from=%2B12025550123&to=112`:                              "112",
			`[{"to":"112"}]`:                                          "112",
			`{"from":,"to":"\u0031\u0031\u0032"}`:                     "112",
			"\ufeff" + `{"to":"112"}`:                                 "112",
			`{"to":"112","x":"` + strings.Repeat("y", 300<<10) + `"}`: "112",
			`{"x":"` + strings.Repeat("y", 700<<10) + `","to":"112"}`: "112",
			`{"from":,"type":"emergency"}`:                            "urn:service:sos",
		} {
			c := help(t, s, body)
			assert.Equal(t, number, c.To.Number, body)
			assert.True(t, c.Emergency, body)
			assert.Equal(t, calls.Routed, c.State)
			assert.Equal(t, calls.MaxPriority, c.Priority)
			require.NotEmpty(t, c.Decision.Destinations, body)
			if number == "+12125550188" {
				assert.Equal(t, "nyc", c.Decision.Rule, "a rule that takes it, takes it")
			} else {
				assert.Equal(t, calls.SourceEmergency, c.Decision.Source, body)
				assert.Equal(t, number, c.Decision.Destinations[0].Number)
				assert.Equal(t, "+12025550911", c.Decision.Destinations[1].Number)
			}
			// On a busy machine the database may take longer than the call waits for it.
			require.Eventually(t, func() bool {
				got, err := db.Call(t.Context(), "acme", c.ID)
				return err == nil && got.To == c.To
			}, 30*time.Second, 5*time.Millisecond, body)
		}
		require.Eventually(t, func() bool { return s.Unstored() == 0 }, 30*time.Second, 5*time.Millisecond)
		fails(t, s, as(reads(), "acme"), http.MethodPost, "/v1/calls", `{"to":"112"}`, http.StatusForbidden, callmodel.CodeForbidden)
		fails(t, s, caller(), http.MethodPost, "/v1/calls", `{"from":"+12025550123","to":"110"`, http.StatusBadRequest, callmodel.CodeMalformed)
	})
}

// TestEmergencyAcrossTheLimit: not a byte is lost where the largest body ends.
func TestEmergencyAcrossTheLimit(t *testing.T) {
	t.Parallel()
	s := on(t, sqliteDB(t), callservice.Options{})
	const begin, end = `{"x":"`, `","to":"112"}`
	for before := range len(end) + 1 {
		fill := 256<<10 - len(begin) - before
		c := help(t, s, begin+strings.Repeat("y", fill)+end)
		assert.Equal(t, "112", c.To.Number, "%d bytes before the limit", before)
	}
}

// TestEmergencyKeepsWhatIsRight: one wrong field costs only itself.
func TestEmergencyKeepsWhatIsRight(t *testing.T) {
	t.Parallel()
	s := on(t, sqliteDB(t), callservice.Options{})
	c := help(t, s, `{"id":"own","from":"(202) 555-0123","to":"911","host":"pbx-1","direction":"up","metadata":{"cell":"7"},"recording":{"enabled":true,"outputs":[{"codec":"x"}]}}`)
	assert.Equal(t, callmodel.CallID("own"), c.ID)
	assert.Equal(t, calls.Party{Number: "+12025550123", Raw: "(202) 555-0123"}, c.From)
	assert.Equal(t, "pbx-1", c.Host)
	assert.Equal(t, map[string]string{"cell": "7"}, c.Metadata)
	assert.Equal(t, &calls.RecordingPreference{Enabled: true}, c.Recording)
	assert.Empty(t, c.Direction)
	assert.Empty(t, c.Decision.Destinations, "none is configured, and the call is answered all the same")

	c = help(t, s, `{"to":"911","direction":"inbound","metadata":{"":"x"}}`)
	assert.Equal(t, calls.Inbound, c.Direction)
	assert.Empty(t, c.Metadata)
}

// TestOverload: the normal lane is full and says so; the emergency lane
// doesn't notice.
func TestOverload(t *testing.T) {
	t.Parallel()
	db := sqliteDB(t)
	f := &hanging{DB: db}
	h := over(f, &callservice.Options{DefaultRegion: "US", MaxInFlight: 1, QueueWait: time.Millisecond})
	_, err := h.InstallRules(t.Context(), "acme", []byte(rules), "test", "")
	require.NoError(t, err)
	f.hangs.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	first := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(first, request(ctx, caller(), http.MethodPost, "/v1/calls", nyc("")))
	}()
	require.Eventually(t, func() bool { return f.waiting.Load() == 1 }, 30*time.Second, time.Millisecond)
	for _, c := range [][3]string{
		{http.MethodPost, "/v1/calls", nyc("")}, {http.MethodGet, "/v1/calls", ""}, {http.MethodPost, "/v1/calls/c/events", `{"id":"e","type":"ended"}`},
	} {
		w := do(t, h, caller(), c[0], c[1], c[2])
		require.Equal(t, http.StatusTooManyRequests, w.Code, "%s", w.Body)
		assert.Equal(t, "1", w.Header().Get("Retry-After"))
		assert.Contains(t, w.Body.String(), string(callmodel.CodeOverloaded))
	}
	help(t, h, `{"from":"+12025550123","to":"911"}`)
	cancel()
	<-done
	assert.Equal(t, http.StatusServiceUnavailable, first.Code, "given up, not a defect: %s", first.Body)
	f.hangs.Store(false)
	create(t, h, nyc(""))
	stop := run(t, h)
	stop()
	assert.Zero(t, h.Unstored())
}

// TestEmergencyKey: a call for help that is sent again with its key gets the same
// bytes; a key that can't be one costs nothing.
func TestEmergencyKey(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		t.Helper()
		s := on(t, db, callservice.Options{EmergencyDestinations: emergencyDestinations()})
		send := func(body string, keys ...string) *httptest.ResponseRecorder {
			var headers []string
			for _, k := range keys {
				headers = append(headers, "Idempotency-Key", k)
			}
			w := do(t, s, caller(), http.MethodPost, "/v1/calls", body, headers...)
			require.Equal(t, http.StatusCreated, w.Code, "%s", w.Body)
			return w
		}
		first := send(`{"to":"911"}`, "k")
		assert.Equal(t, first.Body.String(), send(`{"to":"911"}`, "k").Body.String())
		assert.NotEqual(t, first.Body.String(), send(`{"to":"112"}`, "k").Body.String())
		send(`{"to":"911"}`, "a", "b")
		send(`{"to":"911"}`, "not a key")
		run(t, s)()
		elsewhere := on(t, db, callservice.Options{})
		w := do(t, elsewhere, caller(), http.MethodPost, "/v1/calls", `{"to":"911"}`, "Idempotency-Key", "k")
		assert.Equal(t, first.Body.String(), w.Body.String(), "from every process on the same database")
		assert.Len(t, stored(t, db, "acme"), 4)
	})
}

// away is a database that can't be reached, while it is told to be.
type away struct {
	*calldb.DB

	gone atomic.Bool
}

func (a *away) AppendEvent(ctx context.Context, t callmodel.TenantID, id callmodel.CallID, ev calls.Event, actor string, defaults []record.OutputSpec) (calls.Call, error) {
	if a.gone.Load() {
		return calls.Call{}, callmodel.Errorf(callmodel.CodeUnavailable, "the database is down")
	}
	return a.DB.AppendEvent(ctx, t, id, ev, actor, defaults)
}

// TestEventWithoutDatabase: a hang-up that is told once makes its recording job,
// though the database was away. Without a journal the answer says try again.
func TestEventWithoutDatabase(t *testing.T) {
	t.Parallel()
	db := sqliteDB(t)
	f := &away{DB: db}
	j, err := journal.Open(t.TempDir(), nil)
	require.NoError(t, err)
	s := over(f, &callservice.Options{DefaultRegion: "US", Journal: j, RulesRefresh: 5 * time.Millisecond})
	forgetful := over(f, &callservice.Options{DefaultRegion: "US"})
	_, err = s.InstallRules(t.Context(), "acme", []byte(rules), "test", "")
	require.NoError(t, err)
	c := create(t, s, nyc(""))
	event(t, s, c.ID, `{"id":"1","type":"answered"}`)
	f.gone.Store(true)
	ended := `{"id":"2","type":"ended","legs":[{"name":"a","segments":[{"uri":"a.wav"}]}]}`
	fails(t, forgetful, caller(), http.MethodPost, "/v1/calls/"+string(c.ID)+"/events", ended, http.StatusServiceUnavailable, callmodel.CodeUnavailable)
	got := ok[map[string]any](t, s, caller(), http.MethodPost, "/v1/calls/"+string(c.ID)+"/events", ended, http.StatusAccepted)
	assert.Equal(t, map[string]any{"id": string(c.ID)}, got)
	fails(t, s, caller(), http.MethodPost, "/v1/calls/"+string(c.ID)+"/events", `{"id":"3","type":"x"}`, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	assert.Empty(t, jobs(t, db))
	f.gone.Store(false)
	stop := run(t, s)
	require.Eventually(t, func() bool { return len(jobs(t, db)) == 1 }, 30*time.Second, 5*time.Millisecond)
	stop()
	require.NoError(t, j.Close())
	assert.Equal(t, calls.Ended, ok[calls.Call](t, s, caller(), http.MethodGet, "/v1/calls/"+string(c.ID), "", http.StatusOK).State)
}
