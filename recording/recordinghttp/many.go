package recordinghttp

import (
	"context"
	"net/http"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
)

// Changed is what a change of many jobs came to.
type Changed struct {
	Jobs   []callmodel.JobID `json:"jobs"`           // changed, or to be, in the order in which they were
	More   bool              `json:"more,omitempty"` // there are more than the limit
	DryRun bool              `json:"dry_run,omitempty"`
}

// changeMany changes the jobs that the filters select, one after the other, oldest
// first: at most limit of them; 0 means 100. change returns which of those that it is
// given it has changed. With dryRun it isn't called.
func changeMany(ctx context.Context, l Ledger, filters []ledger.Filter, limit int, dryRun bool,
	change func(ids []callmodel.JobID) ([]callmodel.JobID, error),
) (Changed, error) {
	done := Changed{Jobs: []callmodel.JobID{}, DryRun: dryRun}
	if limit <= 0 {
		limit = defaultPage
	}
	for _, f := range filters {
		for f.After = ""; ; {
			f.Limit = min(limit-len(done.Jobs)+1, maxPage) // one more tells whether there are more
			page, err := l.Jobs(ctx, f)
			if err != nil {
				return done, err
			}
			ids := make([]callmodel.JobID, min(len(page), limit-len(done.Jobs)))
			for i := range ids {
				ids[i] = page[i].ID
			}
			seen := len(ids)
			if !dryRun && seen > 0 {
				ids, err = change(ids)
			}
			done.Jobs = append(done.Jobs, ids...)
			if err != nil {
				return done, err
			}
			if len(page) > seen && len(done.Jobs) >= limit {
				done.More = true
				return done, nil
			}
			if len(page) < f.Limit {
				break
			}
			f.After = page[seen-1].ID
		}
	}
	return done, nil
}

// answerMany answers with what a change of many jobs came to.
func (h *Handler) answerMany(w http.ResponseWriter, done Changed, err error) error {
	if len(done.Jobs) > 0 && !done.DryRun {
		h.opts.JobEnqueued()
	}
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, done)
	return nil
}

// checkLimit adds the fault of a limit of a request about many jobs.
func checkLimit(faults *callmodel.FieldErrors, limit int) {
	if limit < 0 || limit > maxPage {
		faults.Add("limit", "must be 1 to %d", maxPage)
	}
}
