package calldb

import (
	"context"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// Jobs implements recordinghttp.Ledger.
func (d *DB) Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error) {
	after, err := storeform.AfterJob(f.After)
	if err != nil {
		return nil, err
	}
	if err := storeform.CheckFilter(&f); err != nil {
		return nil, err
	}
	var jobs []ledger.Job
	err = d.view(ctx, "list jobs", func(ctx context.Context, t *tx) error {
		jobs = []ledger.Job{}
		where, ok := t.whichJobs(&f)
		limit, from := storeform.JobsLimit(f.Limit), after
		// What a job came to is in its result, which only its kind can read: the
		// statement passes over most that don't match, and here the rest is.
		for more := ok; more; {
			page := 0
			err := t.each(ctx, func(s scanner) error {
				var r jobRow
				if err := r.scan(s); err != nil {
					return err
				}
				page, from = page+1, r.seq
				if len(jobs) < limit && storeform.Matches(&f, &r.Job) {
					jobs = append(jobs, r.Job)
				}
				return nil
			}, "SELECT "+t.columns()+" FROM jobs WHERE seq > ?"+where.text()+" ORDER BY seq LIMIT ?",
				slices.Concat([]any{from}, where.args, []any{limit})...)
			if err != nil {
				return err
			}
			more = page == limit && len(jobs) < limit
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return jobs, nil
}

// condition is a conjunction in a statement, with its arguments.
type condition struct {
	parts []string
	args  []any
}

func (c *condition) and(part string, args ...any) {
	c.parts, c.args = append(c.parts, part), append(c.args, args...)
}

// text is the conjunction behind another condition.
func (c *condition) text() string {
	if len(c.parts) == 0 {
		return ""
	}
	return " AND " + strings.Join(c.parts, " AND ")
}

// whichJobs is the condition that holds for every job of the filter, and for few
// others; false if there can be none.
func (t *tx) whichJobs(f *ledger.Filter) (c condition, possible bool) {
	for _, is := range [][2]string{{"state", string(f.State)}, {"queue", f.Queue}, {"tenant_id", string(f.TenantID)}} {
		if is[1] != "" {
			c.and(is[0]+" = ?", storeform.Text(is[1], storeform.MaxKey))
		}
	}
	if f.CallID != "" {
		c.and("call_id = ?", storeform.Text(string(f.CallID), storeform.MaxKey))
	}
	if f.NoCall {
		c.and("NOT EXISTS (SELECT 1 FROM calls AS c WHERE c.tenant_id = jobs.tenant_id AND c.id = jobs.call_id)")
	}
	switch {
	case f.Kind == "" || !t.kinds && f.Kind == kindBefore:
	case t.kinds:
		c.and("kind = ?", storeform.Text(f.Kind, storeform.MaxKey))
	default:
		return c, false
	}
	if !f.Since.IsZero() {
		c.and("created_at >= ?", storeform.Micros(f.Since))
	}
	if !f.Until.IsZero() {
		c.and("created_at < ?", storeform.Micros(f.Until))
	}
	switch f.Status {
	case "":
	case string(record.StatusQuarantined):
		c.and("state = 'quarantined'")
	default:
		c.and("state = 'done' AND result LIKE ?", `%"`+f.Status+`"%`)
	}
	switch {
	case f.Code == "":
	case t.kinds:
		c.and("(reason = ? OR result LIKE ?)", f.Code, `%"`+f.Code+`"%`)
	default:
		c.and("result LIKE ?", `%"`+f.Code+`"%`)
	}
	return c, true
}
