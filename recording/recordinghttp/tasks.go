package recordinghttp

import (
	"errors"
	"net/http"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/recording/intake"
)

// accepted is the answer to a job that was enqueued.
type accepted struct {
	JobID   callmodel.JobID `json:"job_id"`
	Kind    string          `json:"kind"`
	Key     string          `json:"key"`
	Created bool            `json:"created"` // false: the same job was asked for before
}

// enqueueJob puts a job of any kind but recordings into the ledger.
func (h *Handler) enqueueJob(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	q := h.door.Task(p.TenantID)
	if err := problem.Decode(w, r, intake.MaxBody, q); err != nil {
		return err
	}
	job := q.Asked(p.Subject)
	id, created, err := intake.Enqueue(r.Context(), &h.ledger, &job)
	if err != nil {
		return err
	}
	if created {
		h.opts.JobEnqueued()
	}
	w.Header().Set("Location", "/v1/jobs/"+string(id))
	problem.WriteJSON(w, http.StatusAccepted, accepted{JobID: id, Kind: job.Kind, Key: job.Key, Created: created})
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
