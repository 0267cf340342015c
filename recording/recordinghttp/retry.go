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

// RetriableStatuses are those that jobs can be put back from, in the order in which
// [RetryMany] does.
func RetriableStatuses() []string {
	return []string{string(record.StatusQuarantined), string(record.StatusAbsent), string(record.StatusCompletedDegraded)}
}

// RetryMany puts back the jobs that f selects, at most f.Limit of them; 0 means 100.
// f.Status "" means every status of [RetriableStatuses]; another one is refused with
// FieldErrors. A job that somebody else has moved meanwhile is passed over. With
// dryRun nothing is changed. What was put back before an error is in the answer.
func RetryMany(ctx context.Context, l Ledger, f ledger.Filter, actor string, dryRun bool) (Changed, error) {
	statuses := RetriableStatuses()
	if f.Status != "" {
		if !slices.Contains(statuses, f.Status) {
			return Changed{}, callmodel.FieldErrors{{Path: "status", Message: "is not one of quarantined, absent, completed_degraded: of no others can more come"}}
		}
		statuses = []string{f.Status}
	}
	filters := make([]ledger.Filter, len(statuses))
	for i, status := range statuses {
		filters[i] = f
		filters[i].Status = status
	}
	return changeMany(ctx, l, filters, f.Limit, dryRun, func(ids []callmodel.JobID) (changed []callmodel.JobID, err error) {
		for _, id := range ids {
			switch err := l.Retry(ctx, id, actor); callmodel.CodeOf(err) {
			case "":
				changed = append(changed, id)
			case callmodel.CodeConflict, callmodel.CodeNotFound: // somebody else was first
			default:
				return changed, err
			}
		}
		return changed, nil
	})
}

// retryRequest is the body of POST /v1/recordings/jobs/retry.
type retryRequest struct {
	Status string    `json:"status"`
	Code   string    `json:"code"`
	Queue  string    `json:"queue"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Limit  int       `json:"limit"`
	DryRun bool      `json:"dry_run"`
}

// Validate implements what callmodel.DecodeJSON calls.
func (q *retryRequest) Validate() error {
	var faults callmodel.FieldErrors
	if q.Status == "" && q.Code == "" {
		faults.Add("status", "is missing, and code, too; say which jobs: quarantined, absent or completed_degraded, or those with a code")
	}
	checkLimit(&faults, q.Limit)
	return faults.Err()
}

// retryRecordings puts back many recordings.
func (h *Handler) retryRecordings(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var q retryRequest
	if err := problem.Decode(w, r, maxReasonBody, &q); err != nil {
		return err
	}
	return h.retryMany(w, r, p, record.Kind, &q)
}

// retryAllRequest is the body of POST /v1/jobs/retry.
type retryAllRequest struct {
	retryRequest

	Kind string `json:"kind"` // "" for every kind
}

// retryAll puts back many jobs of any kind.
func (h *Handler) retryAll(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var q retryAllRequest
	if err := problem.Decode(w, r, maxReasonBody, &q); err != nil {
		return err
	}
	return h.retryMany(w, r, p, q.Kind, &q.retryRequest)
}

func (h *Handler) retryMany(w http.ResponseWriter, r *http.Request, p callmodel.Principal, kind string, q *retryRequest) error {
	done, err := RetryMany(r.Context(), &h.ledger, ledger.Filter{
		Kind: kind, TenantID: p.TenantID, Status: q.Status, Code: q.Code, Queue: q.Queue, Since: q.Since, Until: q.Until, Limit: q.Limit,
	}, p.Subject, q.DryRun)
	return h.answerMany(w, done, err)
}
