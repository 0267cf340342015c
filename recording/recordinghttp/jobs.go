package recordinghttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
)

// submission is the body of POST /v1/recordings: a spec, and where it is to wait.
type submission struct {
	record.Spec

	Queue    string `json:"queue"`
	Priority int    `json:"priority"`

	tenant callmodel.TenantID // the principal's
	check  func(record.Spec) error
	below  func(t callmodel.TenantID, host string) (dir string, err error)
	dir    string // that the legs are confined to, by below

	defaults func(callmodel.CallID) (Defaults, error) // nil: there are none
	now      func() time.Time
	given    struct{ start, outputs bool } // what the request says itself
}

// spec is the recording that is asked for, always of the principal's tenant and of
// its own legs.
func (s *submission) spec() record.Spec {
	spec := s.Spec
	spec.TenantID, spec.LegsBelow = s.tenant, s.dir
	return spec
}

// Validate reports every fault at once. callmodel.DecodeJSON calls it.
func (s *submission) Validate() error {
	var faults callmodel.FieldErrors
	if s.TenantID != "" && s.TenantID != s.tenant {
		faults.Add("tenant_id", "is not the tenant of the credentials; leave it out")
	}
	if s.Queue != "" && !callmodel.ValidID(s.Queue) {
		faults.Add("queue", "must be 1 to %d letters, digits, '.', '_' or '-'", callmodel.MaxIDLen)
	}
	if s.Priority < calls.MinPriority || s.Priority > calls.MaxPriority {
		faults.Add("priority", "must be %d to %d, is %d", calls.MinPriority, calls.MaxPriority, s.Priority)
	}
	dir, err := s.below(s.tenant, s.Queue)
	if err != nil {
		return err
	}
	if s.LegsBelow != "" && s.LegsBelow != dir {
		faults.Add("legs_below", "is for the service to say; leave it out")
	}
	s.dir = dir
	if s.SettingsFrom != (origin.Settings{}) {
		faults.Add("settings_from", "is of recordings that a call's end asks for; leave it out")
	}
	if err := s.fill(); err != nil {
		return err
	}
	spec := s.spec()
	if err = spec.Validate(); err == nil {
		err = s.check(spec)
	}
	var more callmodel.FieldErrors
	if err != nil && !errors.As(err, &more) {
		return err
	}
	faults = append(faults, more...)
	faults.AddAll("", record.ValidateRelative(spec.Legs))
	return faults.Err()
}

// submitted is the answer to a recording that was enqueued.
type submitted struct {
	JobID       callmodel.JobID       `json:"job_id"`
	RecordingID callmodel.RecordingID `json:"recording_id"`
	Created     bool                  `json:"created"` // false: the same recording was asked for before
}

func (h *Handler) enqueue(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	s := submission{tenant: p.TenantID, check: h.opts.Check, below: h.opts.LegsBelow, now: h.opts.Now}
	if h.opts.Defaults != nil {
		s.defaults = h.defaultsOf(r.Context(), p.TenantID)
	}
	if err := problem.Decode(w, r, maxSpecBody, &s); err != nil {
		return err
	}
	spec := s.spec()
	job, err := record.NewJob(spec, s.Queue, s.Priority)
	if err != nil {
		return err
	}
	job.Actor = p.Subject
	id, created, err := h.ledger.Enqueue(r.Context(), job)
	if err != nil {
		return err
	}
	if created {
		h.opts.JobEnqueued()
	} else if err := h.sameSpec(r, id, &s); err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/recordings/jobs/"+string(id))
	problem.WriteJSON(w, http.StatusAccepted, submitted{JobID: id, RecordingID: spec.RecordingID, Created: created})
	return nil
}

// sameSpec refuses a recording whose id is another's already: it would not be
// made, and nobody would notice.
func (h *Handler) sameSpec(r *http.Request, id callmodel.JobID, s *submission) error {
	spec := s.spec()
	job, err := h.ledger.Job(r.Context(), id)
	if err != nil {
		return err
	}
	have, err := record.SpecOf(&job)
	if err != nil {
		return callmodel.Errorf(callmodel.CodeConflict, "recording %s: %w; give another recording_id", spec.RecordingID, err)
	}
	have.LegsBelow, have.SettingsFrom = spec.LegsBelow, spec.SettingsFrom // the service's own
	s.asBefore(&spec, &have)
	haveJSON, err := json.Marshal(&have)
	if err != nil {
		return err
	}
	wantJSON, err := json.Marshal(&spec)
	if err != nil {
		return err
	}
	if !bytes.Equal(haveJSON, wantJSON) {
		return callmodel.Errorf(callmodel.CodeConflict, "recording %s is made of another spec by job %s; give a recording_id of its own", spec.RecordingID, id)
	}
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
	return h.listJobs(w, r, p, r.URL.Query().Get("kind"))
}

func (h *Handler) listJobs(w http.ResponseWriter, r *http.Request, p callmodel.Principal, kind string) error {
	q := r.URL.Query()
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
