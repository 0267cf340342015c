package record_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

func jobSpec() record.Spec {
	return record.Spec{
		TenantID: "acme", CallID: "c1", RecordingID: "r1",
		StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), EndedAt: time.Date(2026, 3, 1, 12, 1, 0, 0, time.UTC),
		Legs:    []record.LegSpec{{Name: "agent", Segments: []record.SegmentSpec{{URI: "agent.wav"}}}},
		Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono}},
	}
}

func TestJobHoldsTheSpec(t *testing.T) {
	t.Parallel()
	r, err := record.NewJob(jobSpec(), "pbx-1", 7)
	require.NoError(t, err)
	require.NoError(t, record.CheckJob(&r))
	assert.Equal(t, ledger.Request{
		Kind: record.Kind, TenantID: "acme", CallID: "c1", Key: "r1", Payload: r.Payload, Queue: "pbx-1", Priority: 7,
	}, r)
	j := ledger.Job{ID: "j1", Kind: record.Kind, Payload: r.Payload}
	s, err := record.SpecOf(&j)
	require.NoError(t, err)
	assert.Equal(t, jobSpec(), s)

	j.Kind = "verify"
	_, err = record.SpecOf(&j)
	require.ErrorContains(t, err, `"verify"`)
	j.Kind, j.Payload = record.Kind, json.RawMessage(`"torn"`)
	_, err = record.SpecOf(&j)
	require.ErrorContains(t, err, "the spec of job j1")

	bad := jobSpec()
	bad.Legs, bad.Outputs = nil, nil
	r, err = record.NewJob(bad, "", 0)
	require.NoError(t, err)
	r.Key = "r2"
	var faults callmodel.FieldErrors
	require.ErrorAs(t, record.CheckJob(&r), &faults)
	assert.GreaterOrEqual(t, len(faults), 3, "all at once: %v", faults)
}

func TestResultOfAJob(t *testing.T) {
	t.Parallel()
	j := ledger.Job{ID: "j1", Kind: record.Kind, State: ledger.Queued}
	for _, of := range []func(*ledger.Job) (*record.Result, error){record.ResultOf, record.PublishedBy} {
		r, err := of(&j)
		require.NoError(t, err)
		assert.Nil(t, r)
	}
	o, err := record.Outcome(recorded(1000, 8000))
	require.NoError(t, err)
	j.Result = o.Result
	r, err := record.ResultOf(&j)
	require.NoError(t, err)
	assert.Equal(t, recorded(1000, 8000), *r)
	r, err = record.PublishedBy(&j)
	require.NoError(t, err)
	assert.Nil(t, r, "it isn't said to be")
	j.Published = true
	r, err = record.PublishedBy(&j)
	require.NoError(t, err)
	assert.NotNil(t, r)
	j.Result = json.RawMessage(`"torn"`)
	_, err = record.PublishedBy(&j)
	require.ErrorContains(t, err, "the result of job j1")
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	made, absent := recorded(1000, 8000), record.Result{Status: record.StatusAbsent, Reason: record.ReasonNoMedia}
	odd := made
	odd.Status = record.StatusAbsent
	bare := record.Result{Status: record.StatusQuarantined, Reason: "bad"}
	known := bare
	known.Defects = []record.Defect{{Code: record.DefectUnreadableLeg, Leg: "a"}}
	for name, c := range map[string]struct {
		r                         record.Result
		empty, aside, hasDocument bool
	}{
		"made":                         {made, false, false, true},
		"absent":                       {absent, true, false, true},
		"absent, with outputs":         {odd, true, false, true},
		"quarantined":                  {bare, true, true, false},
		"quarantined, and known of it": {known, true, true, true},
	} {
		o, err := record.Outcome(c.r)
		require.NoError(t, err, name)
		assert.Equal(t, c.empty, o.Empty, name)
		assert.Equal(t, c.aside, o.Quarantine, name)
		assert.Equal(t, c.hasDocument, o.Result != nil, name)
		assert.Equal(t, c.r.Reason, o.Reason, name)
	}
	_, err := record.Outcome(record.Result{Status: "fine"})
	assert.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
}

func TestEffects(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	commit := ledger.Commit{JobID: "j", TenantID: "acme", CallID: "c1", Key: "r1", At: at}
	effects := func(o ledger.Outcome, c ledger.Commit) ledger.Effects {
		t.Helper()
		fx, err := o.Effects(c)
		require.NoError(t, err)
		return fx
	}
	of := func(s record.Status, retries int64) string {
		t.Helper()
		o, err := record.Outcome(record.Result{Status: s})
		require.NoError(t, err)
		c := commit
		c.Retries = retries
		return effects(o, c).Event.Key
	}
	assert.Equal(t, "recording.completed:j", of(record.StatusCompleted, 0))
	assert.Equal(t, "recording.completed:j", of(record.StatusCompletedDegraded, 0), "done is once")
	assert.Equal(t, "recording.completed:j.r3", of(record.StatusCompletedDegraded, 3), "and once for each time that a person put it back")
	assert.Equal(t, "recording.absent:j", of(record.StatusAbsent, 0))
	assert.Equal(t, "recording.quarantined:j", of(record.StatusQuarantined, 0))
	assert.Equal(t, "recording.quarantined:j.1", of(record.StatusQuarantined, 1), "twice is news twice")

	o, err := record.Outcome(recorded(1000, 8000))
	require.NoError(t, err)
	fx := effects(o, commit)
	var entry record.CallEntry
	require.NoError(t, json.Unmarshal(fx.Recording, &entry))
	assert.Equal(t, record.CallEntry{
		RecordingID: "r1", JobID: "j", Status: record.StatusCompleted, URL: "file:///a.wav",
		Outputs: recorded(1000).Outputs, Duration: time.Second, FinishedAt: at,
	}, entry)
	assert.JSONEq(t, `{"type": "recording.completed", "tenant_id": "acme", "call_id": "c1", "at": "2026-03-01T12:00:00.123456Z", "recording": `+
		string(fx.Recording)+`}`, string(fx.Event.Body))
	assert.Equal(t, map[string]string{"call_id": "c1", "recording_id": "r1", "status": "completed", "url": "file:///a.wav"}, fx.Detail)

	commit.Token = 7
	fx = effects(o, commit)
	assert.Equal(t, "recording.completed:j.7", fx.Event.Key, "a version before the last has a key of its own")
	assert.Contains(t, string(fx.Event.Body), `"provisional":true`)

	fx = effects(record.SetAside("it is a fax"), ledger.Commit{JobID: "j", Key: "r1"})
	assert.Equal(t, "recording.quarantined:j", fx.Event.Key)
	assert.Equal(t, "it is a fax", fx.Detail["reason"])
}
