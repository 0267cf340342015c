package reporthttp_test

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem/contracttest"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/reports/reporthttp"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// theContract is read once for all tests.
var theContract = sync.OnceValues(func() (*contracttest.Contract, error) { return contracttest.New(reporthttp.OpenAPI()) })

func contract(t *testing.T) *contracttest.Contract {
	t.Helper()
	c, err := theContract()
	require.NoError(t, err)
	return c
}

// now is when the tests' requests are made.
func now() time.Time { return time.Date(2026, 1, 31, 16, 30, 0, 0, time.UTC) }

// on is a handler over four calls: two of the trunk t1, one of which was answered, one
// of the day before, and another tenant's.
func on(t *testing.T) *reporthttp.Handler {
	t.Helper()
	db := memdb.New(now)
	for id, change := range map[string]func(c *calls.Call){
		"answered": func(c *calls.Call) {
			c.Trunk, c.State = "t1", calls.Ended
			c.RingingAt, c.AnsweredAt, c.EndedAt = now().Add(time.Second), now().Add(2*time.Second), now().Add(62*time.Second)
		},
		"busy":      func(c *calls.Call) { c.Trunk, c.State, c.Cause = "t1", calls.Failed, &calls.Cause{SIP: 486} },
		"yesterday": func(c *calls.Call) { c.State, c.CreatedAt = calls.Rejected, now().Add(-30*time.Hour) },
		"another":   func(c *calls.Call) { c.TenantID, c.State = "beta", calls.Failed },
	} {
		n := storetest.NewCall(id)
		n.Call.CreatedAt = now()
		change(&n.Call)
		_, err := db.CreateCall(t.Context(), n)
		require.NoError(t, err)
	}
	return reporthttp.New(db, &reporthttp.Options{Now: now})
}

func get(t *testing.T, h http.Handler, p callmodel.Principal, url, accept string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(callmodel.WithPrincipal(t.Context(), p), http.MethodGet, url, nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	contract(t).Serve(t, h, w, r)
	return w
}

func acme(scopes ...callmodel.Scope) callmodel.Principal {
	return callmodel.Principal{TenantID: "acme", Subject: "ann", Scopes: scopes}
}

func TestRoutesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	contract(t).SameRoutes(t, on(t).Routes())
}

func TestReportCalls(t *testing.T) {
	t.Parallel()
	h := on(t)
	w := get(t, h, acme(callmodel.ScopeCallsRead), "/v1/reports/calls?by=trunk,cause", "")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.JSONEq(t, `{
		"since": "2026-01-30T16:00:00Z", "until": "2026-01-31T17:00:00Z", "by": ["trunk", "cause"], "waiting": 0,
		"rows": [
			{"trunk": "t1", "cause": "", "calls": 1, "answered": 1, "abandoned": 0, "failed": 0, "rejected": 0,
			 "answer_seizure_ratio": 1.0000, "talk_ms": 60000, "mean_duration_ms": 60000, "mean_post_dial_delay_ms": 1000},
			{"trunk": "t1", "cause": "sip:486", "calls": 1, "answered": 0, "abandoned": 0, "failed": 1, "rejected": 0,
			 "answer_seizure_ratio": 0, "talk_ms": 0, "mean_duration_ms": 0, "mean_post_dial_delay_ms": 0}],
		"total": {"calls": 2, "answered": 1, "abandoned": 0, "failed": 1, "rejected": 0,
			 "answer_seizure_ratio": 0.5, "talk_ms": 60000, "mean_duration_ms": 60000, "mean_post_dial_delay_ms": 1000}
	}`, w.Body.String())

	w = get(t, h, acme(callmodel.ScopeCallsRead), "/v1/reports/calls?by=day&since=2026-01-30T00:00:00Z&cause=sip:486", "text/csv")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	lines, err := csv.NewReader(strings.NewReader(w.Body.String())).ReadAll()
	require.NoError(t, err)
	require.Equal(t, [][]string{
		{"day", "calls", "answered", "abandoned", "failed", "rejected", "answer_seizure_ratio", "talk_ms", "mean_duration_ms", "mean_post_dial_delay_ms"},
		{"2026-01-31", "1", "0", "0", "1", "0", "0.0000", "0", "0", "0"},
	}, lines)
}

func TestReportRecordings(t *testing.T) {
	t.Parallel()
	w := get(t, on(t), acme(callmodel.ScopeRecordingsRead), "/v1/reports/recordings?by=status,hour", "")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	var r struct {
		Rows  []any
		Total map[string]int64
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &r))
	require.Empty(t, r.Rows)
	require.Zero(t, r.Total["recordings"])
}

// Whose reports who may have.
func TestTenants(t *testing.T) {
	t.Parallel()
	h := on(t)
	every := acme(callmodel.ScopeCallsRead, callmodel.ScopeTenantsEvery)
	for name, c := range map[string]struct {
		p      callmodel.Principal
		url    string
		status int
		calls  string
	}{
		"one's own":               {acme(callmodel.ScopeCallsRead), "?tenant=acme", 200, `"calls":2`},
		"another's":               {acme(callmodel.ScopeCallsRead), "?tenant=beta", 403, ""},
		"everybody's":             {acme(callmodel.ScopeCallsRead), "?tenant=*", 403, ""},
		"another's, the platform": {every, "?tenant=beta", 200, `"calls":1`},
		"everybody's, by tenant":  {every, "?tenant=*&by=tenant", 200, `"calls":3`},
		"without the scope":       {acme(callmodel.ScopeRecordingsRead), "", 403, ""},
		"no tenant":               {every, "?tenant=a%2Fb", 422, ""},
		"an unknown dimension":    {every, "?by=colour", 422, ""},
		"an unknown parameter":    {every, "?status=completed", 422, ""},
		"no time":                 {every, "?since=yesterday", 422, ""},
		"too long":                {every, "?since=2020-01-01T00:00:00Z", 422, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := get(t, h, c.p, "/v1/reports/calls"+c.url, "")
			require.Equal(t, c.status, w.Code, w.Body)
			require.Contains(t, w.Body.String(), c.calls)
		})
	}
}

// The promise's report leads with what is unexplained, and has each call once.
func TestReportPromise(t *testing.T) {
	t.Parallel()
	h := on(t)
	w := get(t, h, acme(callmodel.ScopeRecordingsRead), "/v1/promise?by=server,version,reason", "")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	var r struct {
		Rows      []map[string]any
		Total     map[string]float64
		WithinMS  int64   `json:"within_ms"`
		Objective float64 `json:"objective"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &r))
	require.Len(t, r.Rows, 1)
	require.Equal(t, "pbx-1", r.Rows[0]["server"])
	require.Equal(t, "no_job", r.Rows[0]["reason"])
	require.InDelta(t, 1, r.Total["unexplained"], 0)
	require.InDelta(t, 1, r.Total["calls"], 0)
	require.InDelta(t, 0, r.Total["kept_ratio"], 0)
	require.InDelta(t, 1000, r.Total["burn_rate"], 0)
	require.EqualValues(t, 10_000, r.WithinMS)
	require.InDelta(t, 0.999, r.Objective, 0)

	w = get(t, h, acme(callmodel.ScopeRecordingsRead), "/v1/promise?reason=no_media", "text/csv")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.True(t, strings.HasPrefix(w.Body.String(), "unexplained,calls,"), w.Body)
	require.Equal(t, http.StatusForbidden, get(t, h, acme(callmodel.ScopeCallsRead), "/v1/promise", "").Code)
	require.Equal(t, http.StatusUnprocessableEntity, get(t, h, acme(callmodel.ScopeRecordingsRead), "/v1/promise?by=trunk", "").Code)
}

// Recordings are reported by the defects that they have, the telephone server and what its
// software is.
func TestReportDefects(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	started := time.Now().Add(-time.Minute)
	n := storetest.NewCall("c1")
	n.Call.CreatedAt = started
	_, err := db.CreateCall(t.Context(), n)
	require.NoError(t, err)
	for i, ev := range []calls.Event{{Type: calls.EventAnswered, At: started}, {Type: calls.EventEnded, At: started.Add(time.Second), HostSoftware: "Asterisk 20.9.1"}} {
		ev.ID = string(rune('a' + i))
		_, err = db.AppendEvent(t.Context(), "acme", "c1", ev, "pbx", storetest.Defaults())
		require.NoError(t, err)
	}
	leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, TTL: time.Minute})
	require.NoError(t, err)
	require.Len(t, leases, 1)
	made := storetest.Result("c1")
	made.HostSoftware = "Asterisk 20.9.1"
	made.Defects = append(made.Defects, record.Defect{Code: record.DefectEndBurst, Leg: "agent"}, record.Defect{Code: record.DefectEndBurst, Leg: "customer"})
	require.NoError(t, db.Complete(t.Context(), leases[0], storetest.Outcome(made)))
	for more := true; more; {
		more, err = db.CountReports(t.Context())
		require.NoError(t, err)
	}
	h := reporthttp.New(db, nil)
	w := get(t, h, acme(callmodel.ScopeRecordingsRead), "/v1/reports/defects?by=server,software,defect", "")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	var r struct {
		By    []string
		Rows  []map[string]any
		Total map[string]float64
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &r))
	require.Equal(t, []string{"server", "software", "defect"}, r.By)
	require.Equal(t, []map[string]any{
		{"server": "pbx-1", "software": "Asterisk 20.9.1", "defect": "end_burst", "recordings": 1.0},
		{"server": "pbx-1", "software": "Asterisk 20.9.1", "defect": "truncated", "recordings": 1.0},
	}, r.Rows)
	require.InDelta(t, 2, r.Total["recordings"], 0)
	w = get(t, h, acme(callmodel.ScopeRecordingsRead), "/v1/reports/defects?defect=end_burst&by=software", "text/csv")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Equal(t, "software,recordings\nAsterisk 20.9.1,1\n", w.Body.String())
	require.Equal(t, http.StatusForbidden, get(t, h, acme(callmodel.ScopeCallsRead), "/v1/reports/defects", "").Code)
	require.Equal(t, http.StatusUnprocessableEntity, get(t, h, acme(callmodel.ScopeRecordingsRead), "/v1/reports/defects?by=version", "").Code)
}
