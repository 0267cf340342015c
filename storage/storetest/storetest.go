// Package storetest is what stores promise to those who use them, as tests. The
// promises are written where they are used, as in package callservice; what the
// suites call is in ports.go. Every implementation runs them:
//
//	func TestStores(t *testing.T) {
//		storetest.All(t, func(t *testing.T) storetest.Env { … })
//	}
//
// Each test opens an empty store of its own. Nothing sleeps: a store whose
// clock can be moved is moved, of others the suites use short times and ask
// again until the time has come.
package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Env is one empty set of stores that share their transactions.
type Env struct {
	Jobs   JobLedger
	Calls  Calls
	Rules  RuleSets
	Audit  AuditLines
	Outbox OutboxEvents
	// Users is nil on a schema that doesn't keep users.
	Users Users
	Keys  APIKeys
	// NoReports says that the store is on a schema without reports.
	NoReports bool
	// NoPromise says that the store is on a schema that doesn't count the promise.
	NoPromise bool
	Reports   Reporter
	// NoIntake says that the store is on a schema without dead letters and without
	// places in the outbox.
	NoIntake bool
	Letters  Letters
	Places   Places
	// NoWebhooks says that the store is on a schema without webhooks.
	NoWebhooks bool
	Webhooks   WebhookStore
	// NoKeeping says that the store is on a schema without legal holds and deletions.
	NoKeeping bool
	Keeping   Keeping
	// NoShares says that the store is on a schema without shares.
	NoShares bool
	Shares   ShareStore
	// Advance moves the stores' clock forward; nil if their clock runs by itself.
	Advance func(time.Duration)
	// RecordsOnly says that the store is on a schema whose jobs have no kind: those
	// of other kinds are refused, and reasons are not kept.
	RecordsOnly bool
	// NoFleet says that the store is on a schema that doesn't keep which processes are
	// there.
	NoFleet bool
	// OldClaims says that the store is on a schema in which an expired lease counts at
	// once, whatever ran beside the job.
	OldClaims bool
	// NoTurns says that the store is on a schema in which jobs are claimed by priority
	// and age alone.
	NoTurns bool
	// NoKeys says that the store is on a schema without API keys.
	NoKeys bool
	// Older makes every job one that was enqueued so long before; nil if the store can't,
	// or has Advance.
	Older func(t *testing.T, d time.Duration)
}

// Stores is what [Of] makes an Env of: one value that implements every port.
type Stores interface {
	JobLedger
	Calls
	RuleSets
	AuditLines
	OutboxEvents
	Users
	APIKeys
	Reporter
	Letters
	Places
	WebhookStore
	Keeping
	ShareStore
}

// Of is the Env of one value that implements every port.
func Of(s Stores) Env {
	return Env{Jobs: s, Calls: s, Rules: s, Audit: s, Outbox: s, Users: s, Keys: s, Reports: s, Letters: s, Places: s, Webhooks: s, Keeping: s, Shares: s}
}

// All runs every suite.
func All(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	t.Run("Jobs", func(t *testing.T) { t.Parallel(); Jobs(t, open) })
	t.Run("CallStore", func(t *testing.T) { t.Parallel(); CallStore(t, open) })
	t.Run("RuleSetStore", func(t *testing.T) { t.Parallel(); RuleSetStore(t, open) })
	t.Run("AuditLog", func(t *testing.T) { t.Parallel(); AuditLog(t, open) })
	t.Run("KeyStore", func(t *testing.T) { t.Parallel(); KeyStore(t, open) })
	t.Run("Outbox", func(t *testing.T) { t.Parallel(); Outbox(t, open) })
	t.Run("Reports", func(t *testing.T) { t.Parallel(); Reports(t, open) })
	t.Run("DeadLetters", func(t *testing.T) { t.Parallel(); DeadLetters(t, open) })
	t.Run("OutboxPlaces", func(t *testing.T) { t.Parallel(); OutboxPlaces(t, open) })
	t.Run("Webhooks", func(t *testing.T) { t.Parallel(); Webhooks(t, open) })
	t.Run("Keeping", func(t *testing.T) { t.Parallel(); Retention(t, open) })
	t.Run("Shares", func(t *testing.T) { t.Parallel(); Shares(t, open) })
	t.Run("UserStore", func(t *testing.T) { t.Parallel(); UserStore(t, open) })
}

// short is a lease or a wait that the suites let pass; long is one that does
// not end while a test runs, however slow the machine is.
const (
	short = 60 * time.Millisecond
	long  = time.Hour
	slow  = 30 * time.Second // until a test gives up waiting
	tick  = 5 * time.Millisecond
)

// run is one named test of a suite, on a store of its own.
type run struct {
	name string
	test func(t *testing.T, e Env)
}

func runAll(t *testing.T, open func(t *testing.T) Env, runs []run) {
	t.Helper()
	for _, r := range runs {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.test(t, open(t))
		})
	}
}

// until lets d pass and then repeats try until it is true.
func (e Env) until(t *testing.T, d time.Duration, try func() bool) {
	t.Helper()
	if e.Advance != nil {
		e.Advance(d)
		require.True(t, try(), "not even after %v", d)
		return
	}
	require.Eventually(t, try, slow, tick)
}

// claimWithin lets d pass and claims until there is a job.
func (e Env) claimWithin(t *testing.T, d time.Duration, r ledger.Claim) ledger.Lease {
	t.Helper()
	var leases []ledger.Lease
	e.until(t, d, func() bool {
		var err error
		leases, err = e.Jobs.Claim(t.Context(), r)
		return err == nil && len(leases) > 0
	})
	require.Len(t, leases, 1)
	return leases[0]
}

func (e Env) claim(t *testing.T, r ledger.Claim) []ledger.Lease {
	t.Helper()
	leases, err := e.Jobs.Claim(t.Context(), r)
	require.NoError(t, err)
	return leases
}

// one claims exactly one job for a long time.
func (e Env) one(t *testing.T, worker string) ledger.Lease {
	t.Helper()
	leases := e.claim(t, ledger.Claim{Worker: worker, TTL: long})
	require.Len(t, leases, 1)
	return leases[0]
}

func (e Env) enqueue(t *testing.T, r ledger.Request) callmodel.JobID {
	t.Helper()
	id, created, err := e.Jobs.Enqueue(t.Context(), r)
	require.NoError(t, err)
	require.True(t, created)
	require.NotEmpty(t, id)
	return id
}

func (e Env) job(t *testing.T, id callmodel.JobID) ledger.Job {
	t.Helper()
	j, err := e.Jobs.Job(t.Context(), id)
	require.NoError(t, err)
	return j
}

func (e Env) outbox(t *testing.T) []callmodel.OutboxEvent {
	t.Helper()
	events, err := e.Outbox.OutboxEvents(t.Context(), 0, 1000)
	require.NoError(t, err)
	return events
}

// actions are a tenant's audit lines with that action.
func (e Env) actions(t *testing.T, tenant callmodel.TenantID, action string) []callmodel.AuditEvent {
	t.Helper()
	all, err := e.Audit.AuditEvents(t.Context(), tenant, 0, 1000)
	require.NoError(t, err)
	var with []callmodel.AuditEvent
	for _, a := range all {
		if a.Action == action {
			with = append(with, a)
		}
	}
	return with
}

func (e Env) call(t *testing.T, tenant callmodel.TenantID, id callmodel.CallID) calls.Call {
	t.Helper()
	c, err := e.Calls.Call(t.Context(), tenant, id)
	require.NoError(t, err)
	return c
}

// started is the beginning of every call of the suites, with all the digits
// that a time can have.
var started = time.Date(2026, 3, 1, 10, 20, 30, 123456789, time.UTC)

// Spec is a valid recording spec of the call id, in the tenant "acme".
func Spec(id string) record.Spec {
	return record.Spec{
		TenantID: "acme", CallID: callmodel.CallID(id), RecordingID: callmodel.RecordingID(id),
		StartedAt: started, EndedAt: started.Add(time.Minute),
		Legs: []record.LegSpec{
			{Name: "agent", Segments: []record.SegmentSpec{{URI: id + "/agent.wav"}}},
			{Name: "customer", Segments: []record.SegmentSpec{{URI: id + "/customer.wav", Offset: 2 * time.Second}}},
		},
		Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo}},
	}
}

// Request is a valid job for [Spec].
func Request(id string) ledger.Request { return RequestOf(Spec(id)) }

// RequestOf is the job that makes the recording, in the default queue.
func RequestOf(s record.Spec) ledger.Request {
	r, err := record.NewJob(s, "", 0)
	if err != nil { // a spec can always be encoded
		return ledger.Request{Kind: record.Kind, TenantID: s.TenantID, CallID: s.CallID, Key: string(s.RecordingID)}
	}
	return r
}

// SpecOf is the spec of a recording job.
func SpecOf(t testing.TB, j *ledger.Job) record.Spec {
	t.Helper()
	s, err := record.SpecOf(j)
	require.NoError(t, err)
	return s
}

// ResultOf is the result of a recording job; nil if there is none.
func ResultOf(t testing.TB, j *ledger.Job) *record.Result {
	t.Helper()
	r, err := record.ResultOf(j)
	require.NoError(t, err)
	return r
}

// Outcome is that of a recording's result. One that is none is quarantined.
func Outcome(r record.Result) ledger.Outcome {
	o, err := record.Outcome(r)
	if err != nil {
		return ledger.Outcome{Quarantine: true, Reason: err.Error()}
	}
	return o
}

// Completed is the outcome of [Result].
func Completed(id string) ledger.Outcome { return Outcome(Result(id)) }

// Result is a plausible result of [Spec].
func Result(id string) record.Result {
	return record.Result{
		Status: record.StatusCompletedDegraded, Duration: time.Minute,
		Defects: []record.Defect{{Code: record.DefectTruncated, Leg: "agent", Detail: "ends early", Count: 7}},
		Legs:    []record.LegResult{{Name: "agent", Frames: 480000, Rate: 8000, SHA256: "aa"}},
		Outputs: []record.OutputResult{{
			URL: "file:///bucket/" + id + ".v1.wav", Codec: record.CodecWAV, Layout: record.LayoutStereo,
			Channels: 2, Rate: 8000, Bitrate: 256000, Frames: 480000, Bytes: 1920044, SHA256: "bb",
		}},
	}
}

// NewCall is a valid, routed call that is to be recorded, in the tenant "acme".
func NewCall(id string) calls.NewCall {
	return calls.NewCall{Actor: "api-key-1", Call: calls.Call{
		ID: callmodel.CallID(id), TenantID: "acme", State: calls.Routed, Type: calls.TypeVoice,
		Direction: calls.Inbound, Priority: 3, Host: "pbx-1", CreatedAt: started,
		From:     calls.Party{Number: "+12025550123"},
		To:       calls.Party{Number: "+12025550188", Raw: "(202) 555-0188"},
		Metadata: map[string]string{"odd": "quote \" nul \x00 π"},
		Decision: &calls.Decision{
			Source: calls.SourceRules, Rule: "r1", RuleSet: "hash",
			Destinations: []calls.Destination{{ID: "a", URI: "sip:a.example.com"}, {ID: "b", URI: "sip:b.example.com"}},
		},
		Recording: &calls.RecordingPreference{Enabled: true},
	}}
}

// Defaults are outputs to record with.
func Defaults() []record.OutputSpec {
	return []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo}}
}

func (e Env) create(t *testing.T, id string) calls.Call {
	t.Helper()
	n := NewCall(id)
	replay, err := e.Calls.CreateCall(t.Context(), n)
	require.NoError(t, err)
	require.Nil(t, replay)
	return n.Call
}

func (e Env) event(t *testing.T, id callmodel.CallID, ev calls.Event) calls.Call {
	t.Helper()
	c, err := e.Calls.AppendEvent(t.Context(), "acme", id, ev, "pbx-1", Defaults())
	require.NoError(t, err)
	return c
}

// same compares two values as JSON: times by their instant, no map order.
func same(t *testing.T, want, got any, more ...any) {
	t.Helper()
	w, err := json.Marshal(want)
	require.NoError(t, err)
	g, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, string(w), string(g), more...)
}

func names(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s%04d", prefix, i)
	}
	return all
}

func requireCode(t *testing.T, code callmodel.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, callmodel.CodeOf(err), "%v", err)
}

func requireIllegal(t *testing.T, err error) {
	t.Helper()
	var illegal *callmodel.TransitionError
	require.ErrorAs(t, err, &illegal)
	require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err))
}
