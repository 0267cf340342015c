package recordinghttp_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/storage/storetest"
)

// ended is a job of the tenant that came to r.
func (s *service) ended(t *testing.T, tenant callmodel.TenantID, id, queue string, r record.Result) callmodel.JobID {
	t.Helper()
	sp := storetest.Spec(id)
	sp.TenantID = tenant
	request := storetest.RequestOf(sp)
	request.Queue = queue
	job, _, err := s.db.Enqueue(t.Context(), request)
	require.NoError(t, err)
	leases, err := s.db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour})
	require.NoError(t, err)
	require.Len(t, leases, 1)
	require.NoError(t, s.db.Complete(t.Context(), leases[0], storetest.Outcome(r)))
	return job
}

func TestRetryMany(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	absent := record.Result{Status: record.StatusAbsent, Reason: record.ReasonNoMedia, Defects: []record.Defect{{Code: record.DefectLegMissing, Leg: "agent"}}}
	short := record.Result{Status: record.StatusAbsent, Reason: record.ReasonTooShort}
	whole := storetest.Result("whole")
	whole.Status, whole.Defects = record.StatusCompleted, nil
	late1 := s.ended(t, "acme", "late1", "pbx-1", absent)
	s.ended(t, "umbrella", "other", "pbx-1", absent)
	late2 := s.ended(t, "acme", "late2", "pbx-2", absent)
	s.ended(t, "acme", "whole", "pbx-1", whole)
	tooShort := s.ended(t, "acme", "short", "pbx-1", short)
	degraded := s.ended(t, "acme", "degraded", "pbx-1", storetest.Result("degraded"))

	operator := as(operates(), "acme")
	const path = "/v1/recordings/jobs/retry"
	retry := func(body string) recordinghttp.Changed {
		t.Helper()
		var got recordinghttp.Changed
		w := s.do(t, operator, http.MethodPost, path, body, &got)
		require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
		return got
	}
	ids := func(list ...callmodel.JobID) []callmodel.JobID { return append([]callmodel.JobID{}, list...) }
	require.Equal(t, recordinghttp.Changed{Jobs: ids(late1, late2), DryRun: true}, retry(`{"code": "leg_missing", "dry_run": true}`))
	require.Equal(t, recordinghttp.Changed{Jobs: ids(late1), DryRun: true, More: true}, retry(`{"code": "leg_missing", "dry_run": true, "limit": 1}`))
	require.Zero(t, s.rang.Load())
	require.Equal(t, ids(), retry(`{"status": "absent", "until": "2020-01-01T00:00:00Z"}`).Jobs)
	require.Equal(t, ids(late2), retry(`{"status": "absent", "code": "leg_missing", "queue": "pbx-2", "since": "2020-01-01T00:00:00Z"}`).Jobs)
	require.EqualValues(t, 1, s.rang.Load())
	require.Equal(t, ids(late1, tooShort), retry(`{"status": "absent"}`).Jobs, "its own, and not what is under way")
	require.Equal(t, ids(degraded), retry(`{"status": "completed_degraded"}`).Jobs)
	require.Equal(t, ids(), retry(`{"status": "quarantined"}`).Jobs)
	job, err := s.db.Job(t.Context(), degraded)
	require.NoError(t, err)
	require.True(t, job.Published)

	for body, faults := range map[string]int{`{}`: 1, `{"status": "completed"}`: 1, `{"code": "%", "status": "absent"}`: 1, `{"limit": 501}`: 2} {
		p := s.fails(t, operator, http.MethodPost, path, body, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		require.Len(t, p.Errors, faults, body)
	}
	var page struct{ Jobs []ledger.Job }
	w := s.do(t, as(reads(), "umbrella"), http.MethodGet, "/v1/recordings/jobs?status=absent&code=no_media&since=2020-01-01T00:00:00Z", "", &page)
	require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
	require.Len(t, page.Jobs, 1)
	s.fails(t, as(reads(), "acme"), http.MethodGet, "/v1/recordings/jobs?since=yesterday", "", 422, callmodel.CodeInvalid)
}
