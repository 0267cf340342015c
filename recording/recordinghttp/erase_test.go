package recordinghttp_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/erasure"
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

// finish has the recordings that wait made, as two legs in the channels of a WAV.
func (s *service) finish(t *testing.T, channels int) {
	t.Helper()
	leases, err := s.db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, Limit: 10})
	require.NoError(t, err)
	require.NotEmpty(t, leases)
	for _, l := range leases {
		o, err := record.Outcome(record.Result{
			Status: record.StatusCompleted, Duration: 10 * time.Second, Defects: []record.Defect{}, Legs: []record.LegResult{{Name: "agent"}, {Name: "customer"}},
			Outputs: []record.OutputResult{{URL: "mem://b/x.wav", Key: "acme/x.wav", Codec: record.CodecWAV, Channels: channels}},
		})
		require.NoError(t, err)
		require.NoError(t, s.db.Complete(t.Context(), l, o))
	}
}

// legsDeleted has the legs of the recording deleted.
func (s *service) legsDeleted(t *testing.T, id callmodel.JobID) {
	t.Helper()
	made, err := s.db.Job(t.Context(), id)
	require.NoError(t, err)
	_, _, err = s.db.Enqueue(t.Context(), ledger.Request{
		Kind: retention.KindDeleteLegs, TenantID: made.TenantID, CallID: made.CallID, Key: made.Key, Payload: []byte(`{"job_id":"` + string(id) + `"}`),
	})
	require.NoError(t, err)
	leases, err := s.db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{retention.KindDeleteLegs}})
	require.NoError(t, err)
	require.Len(t, leases, 1)
	require.NoError(t, s.db.Complete(t.Context(), leases[0], ledger.Outcome{Result: []byte(`{"status":"completed","files":[{"uri":"a.wav","end":"deleted"}]}`)}))
}

// What the ledger knows to be impossible is refused at once: a party of a mix whose legs
// are deleted, and a range behind the end.
func TestRedactionsThatCantBeDone(t *testing.T) {
	t.Parallel()
	who := as(complies(), "acme")
	party := `{"reason": "a number", "redactions": [{"from_ms": 1000, "to_ms": 2000, "legs": ["agent"]}]}`
	all := `{"reason": "a number", "redactions": [{"from_ms": 1000, "to_ms": 2000}]}`
	for channels, refused := range map[int]bool{1: true, 2: false} {
		s := newService(t, nil)
		id := s.enqueue(t, "c1")
		at := "/v1/recordings/jobs/" + string(id) + "/redact"
		s.finish(t, channels)
		p := s.fails(t, who, http.MethodPost, at, `{"reason": "x", "redactions": [{"from_ms": 10000, "to_ms": 11000}]}`, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		require.Contains(t, p.Detail, "lies behind the recording's end")
		require.Equal(t, http.StatusAccepted, s.do(t, who, http.MethodPost, at, party, nil).Code, "the legs may be there")
		s.legsDeleted(t, id)
		if refused {
			p := s.fails(t, who, http.MethodPost, at, party, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
			require.Contains(t, p.Detail, "redactions[0].legs: can't be redacted alone")
		} else {
			require.Equal(t, http.StatusAccepted, s.do(t, who, http.MethodPost, at, party, nil).Code)
		}
		require.Equal(t, http.StatusAccepted, s.do(t, who, http.MethodPost, at, all, nil).Code)
	}
	s := newService(t, nil)
	id := s.enqueue(t, "c1")
	require.NoError(t, s.db.Quarantine(t.Context(), id, "ann", "test"))
	p := s.fails(t, who, http.MethodPost, "/v1/recordings/jobs/"+string(id)+"/redact", all, http.StatusConflict, callmodel.CodeConflict)
	require.Contains(t, p.Detail, "retry its job")
}

// What only the worker finds out is shown with the recording's erasures, and what to do.
func TestOrdersAreShown(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	who := as(complies(), "acme")
	id, other := s.enqueue(t, "c1"), s.enqueue(t, "c2")
	at := "/v1/recordings/jobs/" + string(id)
	var redaction, erasing ordered
	s.do(t, who, http.MethodPost, at+"/redact", `{"reason": "a number", "redactions": [{"to_ms": 2000}]}`, &redaction)
	s.do(t, who, http.MethodPost, at+"/erase", `{"reason": "asked for"}`, &erasing)
	s.do(t, who, http.MethodPost, "/v1/recordings/jobs/"+string(other)+"/erase", `{"reason": "another's"}`, nil)
	leases, err := s.db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{retention.KindErase, retention.KindRedact}, Limit: 10})
	require.NoError(t, err)
	require.Len(t, leases, 3)
	for _, l := range leases {
		f := ledger.Failure{Cause: "x.wav is locked until 2030", RetryIn: time.Hour, Uncounted: true}
		if l.Job.Kind == retention.KindRedact {
			f = ledger.Failure{Cause: "its legs are in one channel", Quarantine: true}
		}
		require.NoError(t, s.db.Fail(t.Context(), l, f))
	}
	var list struct{ Orders []erasure.Order }
	s.do(t, as(reads(), "acme"), http.MethodGet, at+"/erasures", "", &list)
	require.Len(t, list.Orders, 2)
	first, second := list.Orders[0], list.Orders[1]
	require.Equal(t, redaction.JobID, first.JobID)
	require.Equal(t, ledger.Quarantined, first.State)
	require.Equal(t, "its legs are in one channel", first.Error)
	require.Contains(t, first.Help, "switchtape jobs retry "+string(redaction.JobID))
	require.Equal(t, erasing.JobID, second.JobID)
	require.Equal(t, ledger.Queued, second.State)
	require.Equal(t, "x.wav is locked until 2030", second.Error)
	require.False(t, second.NextAt.IsZero())
	require.Equal(t, "asked for", second.Reason)
}
