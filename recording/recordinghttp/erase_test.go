package recordinghttp_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/retention"
)

type ordered struct {
	JobID   callmodel.JobID `json:"job_id"`
	Kind    string          `json:"kind"`
	Created bool            `json:"created"`
}

// A recording is deleted by who may, once, unless it is held; then it is gone, with when
// and why, for who asks for its audio or to have it deleted or redacted.
func TestErase(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	id := s.enqueue(t, "c1")
	at := "/v1/recordings/jobs/" + string(id)
	who := as(complies(), "acme")
	why := `{"reason": "asked for by the customer"}`
	range1 := `{"reason": "a number", "redactions": [{"from_ms": 1000, "to_ms": 2000, "legs": ["agent"]}]}`

	h := s.hold(t) // on another call
	var held retention.Hold
	s.do(t, who, http.MethodPost, "/v1/holds", `{"scope": "recording", "subject": "c1", "reason": "case 7"}`, &held)
	for path, body := range map[string]string{"/erase": why, "/redact": range1} {
		p := s.fails(t, who, http.MethodPost, at+path, body, http.StatusConflict, callmodel.CodeConflict)
		assert.Contains(t, p.Detail, "legal hold "+string(held.ID))
		assert.NotContains(t, p.Detail, string(h))
		s.fails(t, as(callmodel.RoleScopes(callmodel.RoleOperator), "acme"), http.MethodPost, at+path, body, http.StatusForbidden, callmodel.CodeForbidden)
		s.fails(t, as(complies(), "globex"), http.MethodPost, at+path, body, http.StatusNotFound, callmodel.CodeNotFound)
		s.fails(t, who, http.MethodPost, at+path, `{}`, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	}
	s.do(t, who, http.MethodPost, "/v1/holds/"+string(held.ID)+"/lift", `{"reason": "closed"}`, nil)

	var first, again, redaction ordered
	w := s.do(t, who, http.MethodPost, at+"/redact", range1, &redaction)
	require.Equal(t, http.StatusAccepted, w.Code)
	require.Equal(t, retention.KindRedact, redaction.Kind)
	s.fails(t, who, http.MethodPost, at+"/redact", `{"reason": "x", "redactions": [{"to_ms": 9, "legs": ["nobody"]}]}`, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	w = s.do(t, who, http.MethodPost, at+"/erase", why, &first)
	require.Equal(t, http.StatusAccepted, w.Code)
	require.Equal(t, "/v1/jobs/"+string(first.JobID), w.Header().Get("Location"))
	require.True(t, first.Created)
	s.do(t, who, http.MethodPost, at+"/erase", why, &again)
	require.False(t, again.Created)
	require.Equal(t, first.JobID, again.JobID)
	job, err := s.db.Job(t.Context(), first.JobID)
	require.NoError(t, err)
	require.Equal(t, ledger.Queued, job.State)
	require.Equal(t, retention.KindErase, job.Kind)

	var list struct{ Erasures []retention.Erasure }
	s.do(t, as(reads(), "acme"), http.MethodGet, at+"/erasures", "", &list)
	require.Empty(t, list.Erasures)
	begun, err := s.db.BeginErasure(t.Context(), retention.Begin{Erasure: retention.Erasure{
		TenantID: "acme", JobID: id, ByJob: first.JobID, Kind: retention.KindErase, Reason: "asked for by the customer", Actor: "ann",
		Legs: []retention.Leg{{Name: "agent", Files: 1, URIs: []string{"secret/agent.wav"}}},
	}})
	require.NoError(t, err)
	p := s.fails(t, as(reads(), "acme"), http.MethodGet, at+"/media", "", http.StatusNotFound, callmodel.CodeNotFound)
	require.Contains(t, p.Detail, "can't be fetched", "without a bucket")
	var job2 ledger.Job
	s.do(t, as(reads(), "acme"), http.MethodGet, at, "", &job2)
	require.Equal(t, ledger.Done, job2.State)
	s.fails(t, as(operates(), "acme"), http.MethodPost, at+"/retry", "", http.StatusConflict, callmodel.CodeConflict)
	s.fails(t, as(submits(), "acme"), http.MethodPost, "/v1/recordings", submission(t, "c1", nil), http.StatusConflict, callmodel.CodeConflict)
	p = s.fails(t, who, http.MethodPost, at+"/erase", why, http.StatusGone, callmodel.CodeGone)
	require.Contains(t, p.Detail, "recording c1 is being deleted since")
	w = s.do(t, as(reads(), "acme"), http.MethodGet, at+"/erasures", "", &list)
	require.Len(t, list.Erasures, 1)
	require.NotContains(t, w.Body.String(), "secret")
	done, err := s.db.EndErasure(t.Context(), begun, "w")
	require.NoError(t, err)
	p = s.fails(t, who, http.MethodPost, at+"/redact", range1, http.StatusGone, callmodel.CodeGone)
	require.Contains(t, p.Detail, "recording c1 was deleted "+done.DoneAt.Format("2006-01-02T15:04:05Z")+": asked for by the customer")
}

// Audio that was deleted is gone, and no link to it is signed.
func TestMediaOfWhatWasErased(t *testing.T) {
	t.Parallel()
	s := newService(t, openStore(t, nil))
	id := s.enqueue(t, "c1")
	_, err := s.db.BeginErasure(t.Context(), retention.Begin{Erasure: retention.Erasure{
		TenantID: "acme", JobID: id, ByJob: "by-1", Kind: retention.KindErase, Reason: "its time was over", Actor: "retention",
	}})
	require.NoError(t, err)
	for _, at := range []string{"/v1/recordings/jobs/", "/v1/jobs/"} {
		p := s.fails(t, as(reads(), "acme"), http.MethodGet, at+string(id)+"/media", "", http.StatusGone, callmodel.CodeGone)
		require.Contains(t, p.Detail, "its time was over")
		s.fails(t, as(reads(), "globex"), http.MethodGet, at+string(id)+"/media", "", http.StatusNotFound, callmodel.CodeNotFound)
	}
}
