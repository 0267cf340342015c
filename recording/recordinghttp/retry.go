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

// Retried is what putting many jobs back came to.
type Retried struct {
	Jobs   []callmodel.JobID `json:"jobs"`           // put back, or to be: oldest first by status
	More   bool              `json:"more,omitempty"` // there are more than the limit
	DryRun bool              `json:"dry_run,omitempty"`
}

// RetriableStatuses are those that jobs can be put back from, in the order in which
// [RetryMany] does.
func RetriableStatuses() []string {
	return []string{string(record.StatusQuarantined), string(record.StatusAbsent), string(record.StatusCompletedDegraded)}
}

// RetryMany puts back the jobs that f selects, at most f.Limit of them; 0 means 100.
// f.Status "" means every status of [RetriableStatuses]; another one is refused with
// FieldErrors. A job that somebody else has moved meanwhile is passed over. With
// dryRun nothing is changed. What was put back before an error is in the answer.
func RetryMany(ctx context.Context, l Ledger, f ledger.Filter, actor string, dryRun bool) (Retried, error) {
	done := Retried{Jobs: []callmodel.JobID{}, DryRun: dryRun}
	statuses := RetriableStatuses()
	if f.Status != "" {
		if !slices.Contains(statuses, f.Status) {
			return done, callmodel.FieldErrors{{Path: "status", Message: "is not one of quarantined, absent, completed_degraded: of no others can more come"}}
		}
		statuses = []string{f.Status}
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	for _, f.Status = range statuses {
		for f.After = ""; ; {
			f.Limit = min(limit-len(done.Jobs)+1, maxPage) // one more tells whether there are more
			page, err := l.Jobs(ctx, f)
			if err != nil {
				return done, err
			}
			for i := range page {
				id := page[i].ID
				if len(done.Jobs) == limit {
					done.More = true
					return done, nil
				}
				if !dryRun {
					switch err := l.Retry(ctx, id, actor); callmodel.CodeOf(err) {
					case "":
					case callmodel.CodeConflict, callmodel.CodeNotFound:
						continue
					default:
						return done, err
					}
				}
				done.Jobs = append(done.Jobs, id)
			}
			if len(page) < f.Limit {
				break
			}
			f.After = page[len(page)-1].ID
		}
	}
	return done, nil
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
	if q.Limit < 0 || q.Limit > maxPage {
		faults.Add("limit", "must be 1 to %d", maxPage)
	}
	return faults.Err()
}

func (h *Handler) retryMany(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var q retryRequest
	if err := problem.Decode(w, r, maxReasonBody, &q); err != nil {
		return err
	}
	done, err := RetryMany(r.Context(), &h.ledger, ledger.Filter{
		Kind: record.Kind, TenantID: p.TenantID, Status: q.Status, Code: q.Code, Queue: q.Queue, Since: q.Since, Until: q.Until, Limit: q.Limit,
	}, p.Subject, q.DryRun)
	if len(done.Jobs) > 0 && !q.DryRun {
		h.opts.JobEnqueued()
	}
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, done)
	return nil
}
