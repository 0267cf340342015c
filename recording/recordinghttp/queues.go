package recordinghttp

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Queue is a queue that jobs wait or run in, or that a worker serves.
type Queue struct {
	Queue      string  `json:"queue"`   // "*" of workers that serve every queue, and have nothing to do
	Kind       string  `json:"kind"`    // of its jobs; "" if it has none
	Waiting    int64   `json:"waiting"` // queued
	Due        int64   `json:"due"`     // of those, the ones that can run now
	Running    int64   `json:"running"`
	OldestDueS float64 `json:"oldest_due_s"` // how long the oldest one that can run has been able to
	Workers    int     `json:"workers"`      // living workers that serve it
	// ServedBy names the first maxServers of them.
	ServedBy []Server `json:"served_by,omitempty"`
	// Unserved says that jobs can run there, and that nobody serves it.
	Unserved bool `json:"unserved,omitempty"`
}

// Server is a worker that serves a queue.
type Server struct {
	Name  string    `json:"name"`
	Since time.Time `json:"since"` // it has been there, by the database's clock
}

const (
	maxServers = 100
	maxListed  = 1000 // queues with jobs: what the ledger lists at most
)

// everyQueue stands for all of them.
const everyQueue = "*"

// QueuesOf are the queues with jobs as l lists them, and then those without that the
// living workers serve: at most limit in all. kind: only those that have jobs of that
// kind, or workers for it; "" for every kind.
func QueuesOf(ctx context.Context, l Ledger, f ledger.QueueFilter, kind string) ([]Queue, error) {
	limit := f.Limit
	f.Limit = maxListed
	list, err := l.Queues(ctx, f)
	if err != nil {
		return nil, err
	}
	there, err := l.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	queues, known := []Queue{}, map[string]bool{}
	for i := range list {
		q := &list[i]
		if kind != "" && q.Kind != kind {
			continue
		}
		known[q.Queue] = true
		queues = append(queues, Queue{
			Queue: q.Queue, Kind: q.Kind, Waiting: q.Queued, Due: q.Due, Running: q.Running, OldestDueS: q.Oldest.Seconds(),
			Workers: q.Workers, ServedBy: firstOf(serversOf(there, q.Kind, q.Queue)), Unserved: q.Due > 0 && !q.Served,
		})
	}
	var idle []string
	for i := range there {
		serves := there[i].Queues
		if len(serves) == 0 {
			serves = []string{everyQueue}
		}
		for _, name := range serves {
			if !known[name] && there[i].Role == ledger.RoleWorker && (kind == "" || there[i].Does(kind)) {
				known[name] = true
				idle = append(idle, name)
			}
		}
	}
	slices.Sort(idle)
	for _, name := range idle {
		by := serversOf(there, kind, name)
		queues = append(queues, Queue{Queue: name, Workers: len(by), ServedBy: firstOf(by)})
	}
	return queues[:min(len(queues), limit)], nil
}

func firstOf(by []Server) []Server { return by[:min(len(by), maxServers)] }

// serversOf are the workers that serve a queue for that kind; "" for any.
func serversOf(there []ledger.Presence, kind, queue string) []Server {
	var by []Server
	for i := range there {
		if p := &there[i]; p.Serves(kind, queue) {
			by = append(by, Server{p.Name, p.Since})
		}
	}
	return by
}

// MoveMany moves the jobs that f selects, and that wait or are set aside, into the
// queue to: at most f.Limit of them; 0 means 100. f.Queue is needed, and f.State may be
// queued or quarantined; "" means both. With dryRun nothing is changed. What was moved
// before an error is in the answer.
func MoveMany(ctx context.Context, l Ledger, f ledger.Filter, to, actor string, dryRun bool) (Changed, error) {
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
		return Changed{}, err
	}
	filters := make([]ledger.Filter, len(states))
	for i, state := range states {
		filters[i] = f
		filters[i].State = state
	}
	return changeMany(ctx, l, filters, f.Limit, dryRun, func(ids []callmodel.JobID) ([]callmodel.JobID, error) {
		return l.Move(ctx, ids, to, actor)
	})
}

// queuesOfRecordings lists the queues that recordings wait or are made in.
func (h *Handler) queuesOfRecordings(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	return h.queues(w, r, p, record.Kind)
}

// allQueues lists the queues of the jobs of every kind, or of the one that the query names.
func (h *Handler) allQueues(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	return h.queues(w, r, p, problem.Values(r).Get("kind"))
}

func (h *Handler) queues(w http.ResponseWriter, r *http.Request, p callmodel.Principal, kind string) error {
	limit, err := problem.Int(r, "limit", defaultPage, 1, maxPage)
	if err != nil {
		return err
	}
	list, err := QueuesOf(r.Context(), &h.ledger, ledger.QueueFilter{TenantID: p.TenantID, Limit: limit}, kind)
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, struct {
		Queues []Queue `json:"queues"`
	}{list})
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
	checkLimit(&faults, q.Limit)
	return faults.Err()
}

// moveRecordings moves many recordings.
func (h *Handler) moveRecordings(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var q moveRequest
	if err := problem.Decode(w, r, maxReasonBody, &q); err != nil {
		return err
	}
	return h.moveMany(w, r, p, record.Kind, &q)
}

// moveAllRequest is the body of POST /v1/jobs/move.
type moveAllRequest struct {
	moveRequest

	Kind string `json:"kind"` // "" for every kind
}

// moveAll moves many jobs of any kind.
func (h *Handler) moveAll(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var q moveAllRequest
	if err := problem.Decode(w, r, maxReasonBody, &q); err != nil {
		return err
	}
	return h.moveMany(w, r, p, q.Kind, &q.moveRequest)
}

func (h *Handler) moveMany(w http.ResponseWriter, r *http.Request, p callmodel.Principal, kind string, q *moveRequest) error {
	done, err := MoveMany(r.Context(), &h.ledger, ledger.Filter{
		Kind: kind, TenantID: p.TenantID, Queue: q.From, State: q.State, Limit: q.Limit,
	}, q.To, p.Subject, q.DryRun)
	return h.answerMany(w, done, err)
}
