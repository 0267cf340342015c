package erasure_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/erasure"
)

func made(t testing.TB) *ledger.Job {
	t.Helper()
	spec, err := json.Marshal(record.Spec{
		TenantID: "acme", CallID: "c1", RecordingID: "c1", StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Legs: []record.LegSpec{record.NewLeg("agent", "agent.wav")},
	})
	require.NoError(t, err)
	return &ledger.Job{ID: "j1", Kind: record.Kind, TenantID: "acme", CallID: "c1", Key: "c1", Queue: "pbx-1", Payload: spec}
}

func TestJobs(t *testing.T) {
	t.Parallel()
	r, err := erasure.Job(made(t), "asked for", "ann")
	require.NoError(t, err)
	assert.Equal(t, "pbx-1", r.Queue, "where the legs are")
	assert.Equal(t, "c1", r.Key)
	var p erasure.Payload
	require.NoError(t, callmodel.DecodeJSON(r.Payload, &p))

	some := []record.Redaction{{From: time.Second, To: 2 * time.Second, Legs: []string{"agent"}}}
	one, err := erasure.RedactionJob(made(t), some, "a number", "ann")
	require.NoError(t, err)
	same, err := erasure.RedactionJob(made(t), some, "a number", "ann")
	require.NoError(t, err)
	assert.Equal(t, one, same)
	some[0].To = 3 * time.Second
	other, err := erasure.RedactionJob(made(t), some, "a number", "ann")
	require.NoError(t, err)
	assert.NotEqual(t, one.Key, other.Key)
	var q erasure.RedactionPayload
	require.NoError(t, callmodel.DecodeJSON(one.Payload, &q))

	for _, bad := range [][]record.Redaction{nil, {{From: 2, To: 1}}, {{To: time.Second, Legs: []string{"nobody"}}}} {
		_, err := erasure.RedactionJob(made(t), bad, "x", "ann")
		assert.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
	}
	for _, bad := range []string{`{}`, `{"job_id":"j1","reason":" ","actor":"ann"}`, `{"job_id":"../j","reason":"x","actor":"ann"}`} {
		assert.Error(t, callmodel.DecodeJSON([]byte(bad), &erasure.Payload{}), bad)
		assert.Error(t, callmodel.DecodeJSON([]byte(bad), &erasure.RedactionPayload{}), bad)
	}
}

func ExampleJob() {
	r, err := erasure.Job(&ledger.Job{ID: "j1", TenantID: "acme", CallID: "c1", Key: "c1", Queue: "pbx-1"}, "asked for by the customer", "ann")
	fmt.Println(r.Kind, r.Key, r.Queue, err)
	// Output: erase-recording c1 pbx-1 <nil>
}

// What isn't there can't be redacted: nothing would be silenced, and all that the recording
// was be deleted.
func TestRangesOutside(t *testing.T) {
	t.Parallel()
	result := func(r record.Result) *ledger.Job {
		j := made(t)
		var err error
		j.Result, err = json.Marshal(r)
		require.NoError(t, err)
		return j
	}
	ten := record.Result{
		Status: record.StatusCompleted, Duration: 10 * time.Second, Trimmed: time.Second,
		Outputs: []record.OutputResult{{URL: "mem://x", Codec: record.CodecWAV}},
	}
	cut := ten
	cut.Timeline = []record.TimelinePiece{{CallFrom: time.Second, CallTo: 2 * time.Second}, {At: time.Second, CallFrom: 8 * time.Second, CallTo: 17 * time.Second}}
	for _, c := range []struct {
		name  string
		job   *ledger.Job
		from  time.Duration
		fault string
	}{
		{"begins within", result(ten), 10900 * time.Millisecond, ""},
		{"begins behind", result(ten), 11 * time.Second, "lies behind the recording's end, at 11000"},
		{"within what was cut", result(cut), 16 * time.Second, ""},
		{"behind what was cut", result(cut), 17 * time.Second, "lies behind the recording's end, at 17000"},
		{"nothing was recorded", result(record.Result{Status: record.StatusAbsent, Reason: "no_consent"}), 0, "nothing to redact: the recording is absent, no_consent"},
		{"nobody knows yet", made(t), time.Hour, ""},
	} {
		_, err := erasure.RedactionJob(c.job, []record.Redaction{{From: c.from, To: c.from + time.Hour}}, "a number", "ann")
		if c.fault == "" {
			require.NoError(t, err, c.name)
			continue
		}
		require.ErrorContains(t, err, c.fault, c.name)
	}
}
