package recordinghttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
)

// jobRequest is the body of POST /v1/jobs.
type jobRequest struct {
	Kind     string           `json:"kind"`
	Key      string           `json:"key"`
	CallID   callmodel.CallID `json:"call_id"`
	Payload  json.RawMessage  `json:"payload"`
	Queue    string           `json:"queue"`
	Priority int              `json:"priority"`

	tenant callmodel.TenantID // the principal's
	kinds  task.Kinds
}

func (q *jobRequest) request() ledger.Request {
	return ledger.Request{
		Kind: q.Kind, TenantID: q.tenant, CallID: q.CallID, Key: q.Key, Payload: q.Payload, Queue: q.Queue, Priority: q.Priority,
	}
}

// Validate reports every fault at once. callmodel.DecodeJSON calls it.
func (q *jobRequest) Validate() error {
	var faults callmodel.FieldErrors
	faults.CheckID("key", q.Key)
	if q.CallID != "" {
		faults.CheckID("call_id", string(q.CallID))
	}
	if q.Queue != "" {
		faults.CheckID("queue", q.Queue)
	}
	if q.Priority < calls.MinPriority || q.Priority > calls.MaxPriority {
		faults.Add("priority", "must be %d to %d, is %d", calls.MinPriority, calls.MaxPriority, q.Priority)
	}
	switch r := q.request(); {
	case q.Kind == record.Kind:
		faults.Add("kind", "%q is for POST /v1/recordings", q.Kind)
	case len(q.Payload) == 0:
		faults.Add("payload", "is missing; say what to do, in the form of the kind")
	default:
		err := q.kinds.Check(&r)
		var more callmodel.FieldErrors
		if err != nil && !errors.As(err, &more) {
			return err
		}
		faults = append(faults, more...)
	}
	return faults.Err()
}

// accepted is the answer to a job that was enqueued.
type accepted struct {
	JobID   callmodel.JobID `json:"job_id"`
	Kind    string          `json:"kind"`
	Key     string          `json:"key"`
	Created bool            `json:"created"` // false: the same job was asked for before
}

// enqueueJob puts a job of any kind but recordings into the ledger.
func (h *Handler) enqueueJob(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	q := jobRequest{tenant: p.TenantID, kinds: h.opts.Kinds}
	if err := problem.Decode(w, r, maxSpecBody, &q); err != nil {
		return err
	}
	job := q.request()
	job.Actor = p.Subject
	id, created, err := h.ledger.Enqueue(r.Context(), job)
	if err != nil {
		return err
	}
	if created {
		h.opts.JobEnqueued()
	} else if err := h.sameJob(r, id, &job); err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/jobs/"+string(id))
	problem.WriteJSON(w, http.StatusAccepted, accepted{JobID: id, Kind: job.Kind, Key: job.Key, Created: created})
	return nil
}

// sameJob refuses a job whose key is another's already: it would not be done, and nobody
// would notice.
func (h *Handler) sameJob(r *http.Request, id callmodel.JobID, want *ledger.Request) error {
	have, err := h.ledger.Job(r.Context(), id)
	if err != nil {
		return err
	}
	var a, b bytes.Buffer
	if err := errors.Join(json.Compact(&a, have.Payload), json.Compact(&b, want.Payload)); err != nil {
		return err
	}
	if have.CallID != want.CallID || !bytes.Equal(a.Bytes(), b.Bytes()) {
		return callmodel.Errorf(callmodel.CodeConflict, "the key %q is that of job %s, which does something else; give a key of its own", want.Key, id)
	}
	return nil
}

// tenants is the tenant's job of any kind that the path names. Another tenant's is not
// found, just like none.
func (h *Handler) tenants(r *http.Request, p callmodel.Principal) (ledger.Job, error) {
	job, err := h.ledger.Job(r.Context(), callmodel.JobID(r.PathValue("id")))
	if errors.Is(err, callmodel.ErrNotFound) || err == nil && job.TenantID != p.TenantID {
		return ledger.Job{}, callmodel.ErrNotFound
	}
	return job, err
}

// finder finds the job that a path names.
type finder func(r *http.Request, p callmodel.Principal) (ledger.Job, error)
