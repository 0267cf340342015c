package recordinghttp_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/intake"
	"github.com/switchtape/switchtape/recording/recordinghttp"
)

// defaults are those of the tests' service: it knows one call.
func (s *service) defaults(_ context.Context, t callmodel.TenantID, call callmodel.CallID) (intake.Defaults, error) {
	d := intake.Defaults{Outputs: []record.OutputSpec{{Codec: record.CodecFLAC, Layout: record.LayoutStereo}}}
	if t == "acme" && call == "known" {
		d.StartedAt = time.Date(2026, 3, 1, 10, 20, 30, 0, time.UTC)
		d.Outputs[0].Codec = record.CodecMP3
	}
	if call == "away" {
		return d, callmodel.Errorf(callmodel.CodeUnavailable, "the calls are away")
	}
	return d, nil
}

// The call's id and its legs are enough.
func TestRecordingByCallAndLegs(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	caller := as(submits(), "acme")
	spec := func(id callmodel.JobID) record.Spec {
		job, err := s.db.Job(t.Context(), id)
		require.NoError(t, err)
		spec, err := record.SpecOf(&job)
		require.NoError(t, err)
		return spec
	}
	var done, again struct {
		JobID       callmodel.JobID       `json:"job_id"`
		RecordingID callmodel.RecordingID `json:"recording_id"`
		Created     bool                  `json:"created"`
	}
	const leg = `{"name":"agent","segments":[{"uri":"Müller *97.wav"}]}`
	w := s.do(t, caller, http.MethodPost, "/v1/recordings", `{"call_id":"known","legs":[`+leg+`]}`, &done)
	require.Equal(t, http.StatusAccepted, w.Code, w.Body)
	assert.Equal(t, callmodel.RecordingID("known"), done.RecordingID)
	got := spec(done.JobID)
	assert.Equal(t, time.Date(2026, 3, 1, 10, 20, 30, 0, time.UTC), got.StartedAt)
	assert.Equal(t, []record.OutputSpec{{Codec: record.CodecMP3, Layout: record.LayoutStereo}}, got.Outputs)

	before := time.Now().Add(-time.Second)
	w = s.do(t, caller, http.MethodPost, "/v1/recordings", `{"call_id":"unknown","legs":[`+leg+`]}`, &done)
	require.Equal(t, http.StatusAccepted, w.Code, w.Body)
	assert.WithinRange(t, spec(done.JobID).StartedAt, before, time.Now())
	assert.Equal(t, record.CodecFLAC, spec(done.JobID).Outputs[0].Codec)
	// However long after, and whatever the defaults are then.
	s.restart(t, time.Now().Add(time.Hour))
	w = s.do(t, caller, http.MethodPost, "/v1/recordings", `{"call_id":"unknown","legs":[`+leg+`]}`, &again)
	require.Equal(t, http.StatusAccepted, w.Code, w.Body)
	assert.Equal(t, done.JobID, again.JobID)
	assert.False(t, again.Created)

	for body, code := range map[string]int{
		`{"call_id":"unknown","started_at":"2020-01-01T00:00:00Z","legs":[` + leg + `]}`: http.StatusConflict,
		`{"call_id":"unknown","legs":[]}`:                                                http.StatusUnprocessableEntity,
		`{"call_id":"known","recording_id":"r","outputs":[],"legs":[` + leg + `]}`:       http.StatusUnprocessableEntity,
		`{"call_id":"away","legs":[` + leg + `]}`:                                        http.StatusServiceUnavailable,
	} {
		w := s.do(t, caller, http.MethodPost, "/v1/recordings", body, nil)
		assert.Equal(t, code, w.Code, "%s: %s", body, w.Body)
	}
}

// restart has the service begin anew at that time, with other defaults.
func (s *service) restart(t *testing.T, now time.Time) {
	t.Helper()
	s.h = recordinghttp.New(s.db, &recordinghttp.Options{
		Now: func() time.Time { return now },
		Defaults: func(ctx context.Context, tenant callmodel.TenantID, call callmodel.CallID) (intake.Defaults, error) {
			d, err := s.defaults(ctx, tenant, call)
			d.Outputs = append(d.Outputs, record.OutputSpec{Codec: record.CodecWAV, Layout: record.LayoutMono})
			return d, err
		},
	})
}
