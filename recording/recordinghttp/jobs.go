package recordinghttp

import (
	"net/http"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/intake"
)

// submitted is the answer to a recording that was enqueued.
type submitted struct {
	JobID       callmodel.JobID       `json:"job_id"`
	RecordingID callmodel.RecordingID `json:"recording_id"`
	Created     bool                  `json:"created"` // false: the same recording was asked for before
}

func (h *Handler) enqueue(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	s := h.door.Recording(r.Context(), p.TenantID)
	if err := problem.Decode(w, r, intake.MaxBody, s); err != nil {
		return err
	}
	job, err := s.Asked(p.Subject)
	if err != nil {
		return err
	}
	id, created, err := intake.Enqueue(r.Context(), &h.ledger, &job)
	if err != nil {
		return err
	}
	if created {
		h.opts.JobEnqueued()
	}
	w.Header().Set("Location", "/v1/recordings/jobs/"+string(id))
	problem.WriteJSON(w, http.StatusAccepted, submitted{JobID: id, RecordingID: s.RecordingID, Created: created})
	return nil
}

// own is the recording job that the path names. Another tenant's, and a job of
// another kind, is not found, just like none.
func (h *Handler) own(r *http.Request, p callmodel.Principal) (ledger.Job, error) {
	job, err := h.tenants(r, p)
	if err == nil && job.Kind != record.Kind {
		return ledger.Job{}, callmodel.ErrNotFound
	}
	return job, err
}

// getJob shows a job that find finds.
func (h *Handler) getJob(find finder) problem.Endpoint {
	return func(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
		job, err := find(r, p)
		if err != nil {
			return err
		}
		problem.WriteJSON(w, http.StatusOK, job)
		return nil
	}
}

const (
	defaultPage = 100
	maxPage     = 500
)

// noCall asks for the jobs of calls that aren't stored.
const noCall = "none"

// listRecordings lists the jobs that make recordings.
func (h *Handler) listRecordings(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	return h.listJobs(w, r, p, record.Kind)
}

// listAll lists the jobs of any kind, or of the one that the query names.
func (h *Handler) listAll(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	return h.listJobs(w, r, p, problem.Values(r).Get("kind"))
}

func (h *Handler) listJobs(w http.ResponseWriter, r *http.Request, p callmodel.Principal, kind string) error {
	q := problem.Values(r)
	var faults callmodel.FieldErrors
	limit, err := problem.Int(r, "limit", defaultPage, 1, maxPage)
	faults.AddAll("", err)
	state := ledger.State(q.Get("state"))
	since, err := problem.Time(r, "since", time.Time{})
	faults.AddAll("", err)
	until, err := problem.Time(r, "until", time.Time{})
	faults.AddAll("", err)
	states := []ledger.State{"", ledger.Queued, ledger.Running, ledger.Done, ledger.Quarantined}
	if !slices.Contains(states, state) {
		faults.Add("state", "is not one of queued, running, done, quarantined")
	}
	if call := q.Get("call"); call != "" && call != noCall {
		faults.Add("call", "is not %q; give call_id for the jobs of a call", noCall)
	}
	if err := faults.Err(); err != nil {
		return err
	}
	jobs, err := h.ledger.Jobs(r.Context(), ledger.Filter{
		State: state, Kind: kind, Queue: q.Get("queue"), TenantID: p.TenantID, After: callmodel.JobID(q.Get("after")),
		Status: q.Get("status"), Code: q.Get("code"), Since: since, Until: until,
		CallID: callmodel.CallID(q.Get("call_id")), NoCall: q.Get("call") == noCall,
		Limit: limit + 1, // one more tells whether there is a next page
	})
	if err != nil {
		return err
	}
	page := struct {
		Jobs []ledger.Job    `json:"jobs"`
		Next callmodel.JobID `json:"next,omitempty"` // the "after" of the next page
	}{Jobs: jobs}
	if len(jobs) > limit {
		page.Jobs, page.Next = jobs[:limit], jobs[limit-1].ID
	}
	if page.Jobs == nil {
		page.Jobs = []ledger.Job{}
	}
	problem.WriteJSON(w, http.StatusOK, page)
	return nil
}

// retry puts a job back that find finds.
func (h *Handler) retry(find finder) problem.Endpoint {
	return func(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
		job, err := find(r, p)
		if err != nil {
			return err
		}
		if err := h.ledger.Retry(r.Context(), job.ID, p.Subject); err != nil {
			return err
		}
		h.opts.JobEnqueued()
		return h.getJob(find)(w, r, p)
	}
}

// quarantineRequest is the body of POST …/quarantine.
type quarantineRequest struct {
	Reason string `json:"reason"`
}

const maxReason = 1024 // bytes

// Validate implements what callmodel.DecodeJSON calls.
func (q *quarantineRequest) Validate() error {
	var faults callmodel.FieldErrors
	if q.Reason == "" || len(q.Reason) > maxReason {
		faults.Add("reason", "must be 1 to %d bytes; say why the job is set aside", maxReason)
	}
	return faults.Err()
}

// quarantine sets a job aside that find finds.
func (h *Handler) quarantine(find finder) problem.Endpoint {
	return func(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
		job, err := find(r, p)
		if err != nil {
			return err
		}
		var q quarantineRequest
		if err := problem.Decode(w, r, maxReasonBody, &q); err != nil {
			return err
		}
		if err := h.ledger.Quarantine(r.Context(), job.ID, p.Subject, q.Reason); err != nil {
			return err
		}
		return h.getJob(find)(w, r, p)
	}
}
