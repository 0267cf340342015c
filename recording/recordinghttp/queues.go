package recordinghttp

import (
	"context"
	"net/http"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Queue is a queue that jobs wait or run in.
type Queue struct {
	Queue      string  `json:"queue"`
	Kind       string  `json:"kind"`
	Waiting    int64   `json:"waiting"` // queued
	Due        int64   `json:"due"`     // of those, the ones that can run now
	Running    int64   `json:"running"`
	OldestDueS float64 `json:"oldest_due_s"` // how long the oldest one that can run has been able to
	Workers    int     `json:"workers"`      // living workers that serve it
	// Unserved says that jobs can run there, and that nobody serves it.
	Unserved bool `json:"unserved,omitempty"`
}

// QueueOf is the queue in the form in which it is shown.
func QueueOf(q *ledger.QueueState) Queue {
	return Queue{
		Queue: q.Queue, Kind: q.Kind, Waiting: q.Queued, Due: q.Due, Running: q.Running, OldestDueS: q.Oldest.Seconds(),
		Workers: q.Workers, Unserved: q.Due > 0 && !q.Served,
	}
}

// Moved is what moving many jobs came to.
type Moved struct {
	Jobs   []callmodel.JobID `json:"jobs"`           // moved, or to be: oldest first by state
	More   bool              `json:"more,omitempty"` // there are more than the limit
	DryRun bool              `json:"dry_run,omitempty"`
}

// MoveMany moves the jobs that f selects, and that wait or are set aside, into the
// queue to: at most f.Limit of them; 0 means 100. f.Queue is needed, and f.State may be
// queued or quarantined; "" means both. With dryRun nothing is changed. What was moved
// before an error is in the answer.
func MoveMany(ctx context.Context, l Ledger, f ledger.Filter, to, actor string, dryRun bool) (Moved, error) {
	done := Moved{Jobs: []callmodel.JobID{}, DryRun: dryRun}
	states := []ledger.State{ledger.Queued, ledger.Quarantined}
	var faults callmodel.FieldErrors
	if f.Queue == "" {
		faults.Add("from", "is missing; say of which queue")
	}
	if !callmodel.ValidID(to) {
		faults.Add("to", "is not a valid id; give a host's name, or %s", ledger.DefaultQueue)
	}
	if to == f.Queue && to != "" {
		faults.Add("to", "is the queue that they are in")
	}
	if f.State != "" {
		if !slices.Contains(states, f.State) {
			faults.Add("state", "is not one of queued, quarantined: no others can be moved")
		}
		states = []ledger.State{f.State}
	}
	if err := faults.Err(); err != nil {
		return done, err
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	for _, f.State = range states {
		for f.After = ""; ; {
			f.Limit = min(limit-len(done.Jobs)+1, maxPage) // one more tells whether there are more
			page, err := l.Jobs(ctx, f)
			if err != nil {
				return done, err
			}
			ids := make([]callmodel.JobID, 0, len(page))
			for i := range page {
				if len(done.Jobs)+len(ids) < limit {
					ids = append(ids, page[i].ID)
				}
			}
			if !dryRun && len(ids) > 0 {
				if ids, err = l.Move(ctx, ids, to, actor); err != nil {
					return done, err
				}
			}
			done.Jobs = append(done.Jobs, ids...)
			if len(page) < f.Limit {
				break
			}
			if len(done.Jobs) >= limit {
				done.More = true
				return done, nil
			}
			f.After = page[len(page)-1].ID
		}
	}
	return done, nil
}

func (h *Handler) queues(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	limit, err := problem.Int(r, "limit", defaultPage, 1, maxPage)
	if err != nil {
		return err
	}
	list, err := h.ledger.Queues(r.Context(), ledger.QueueFilter{TenantID: p.TenantID, Limit: maxPage})
	if err != nil {
		return err
	}
	page := struct {
		Queues []Queue `json:"queues"`
	}{[]Queue{}}
	for i := range list {
		if q := &list[i]; q.Kind == record.Kind && len(page.Queues) < limit {
			page.Queues = append(page.Queues, QueueOf(q))
		}
	}
	problem.WriteJSON(w, http.StatusOK, page)
	return nil
}

// moveRequest is the body of POST /v1/recordings/jobs/move.
type moveRequest struct {
	From   string       `json:"from"`
	To     string       `json:"to"`
	State  ledger.State `json:"state"`
	Limit  int          `json:"limit"`
	DryRun bool         `json:"dry_run"`
}

// Validate implements what callmodel.DecodeJSON calls.
func (q *moveRequest) Validate() error {
	var faults callmodel.FieldErrors
	if q.Limit < 0 || q.Limit > maxPage {
		faults.Add("limit", "must be 1 to %d", maxPage)
	}
	return faults.Err()
}

func (h *Handler) moveMany(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var q moveRequest
	if err := problem.Decode(w, r, maxReasonBody, &q); err != nil {
		return err
	}
	done, err := MoveMany(r.Context(), &h.ledger, ledger.Filter{
		Kind: record.Kind, TenantID: p.TenantID, Queue: q.From, State: q.State, Limit: q.Limit,
	}, q.To, p.Subject, q.DryRun)
	if len(done.Jobs) > 0 && !q.DryRun {
		h.opts.JobEnqueued()
	}
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, done)
	return nil
}
