package worker

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Report is how an attempt at a job ended.
type Report struct {
	Job     ledger.Job
	Outcome Outcome
	// Result is what is on the call now, of a recording job that is done or published.
	Result record.Result
	// JSON is the result of a job of any kind that is done or published, as the ledger
	// keeps it; nil for none.
	JSON    json.RawMessage
	Err     error         // why it is not
	Elapsed time.Duration // of the attempt
	// Abandoned says that the attempt did not end in its time, and that the worker
	// let go of it: see Options.LetGo.
	Abandoned bool
}

// Outcome is what became of an attempt.
type Outcome string

// The outcomes of an attempt.
const (
	Done        Outcome = "done"
	Published   Outcome = "published" // of what legs there were, if any; a later version may follow
	Waiting     Outcome = "waiting"   // for legs, a bucket, or what the kind waits for; not counted
	Failed      Outcome = "failed"    // counted
	Quarantined Outcome = "quarantined"
	Released    Outcome = "released" // by a drain
	Lost        Outcome = "lost"     // the lease was: another worker has the job
)

// report logs how the attempt ended, and tells Options.Finished.
func (w *Worker) report(ctx context.Context, r Report) {
	attrs := []any{
		"job", r.Job.ID, "tenant", r.Job.TenantID, "call", r.Job.CallID, "queue", r.Job.Queue, "outcome", r.Outcome,
		"attempt", r.Job.Attempts + 1, "elapsed", r.Elapsed,
	}
	if r.Job.Kind == record.Kind {
		w.logRecording(ctx, &r, attrs)
		w.watchPlace(ctx, &r)
	} else {
		w.logTask(ctx, &r, append(attrs, "kind", r.Job.Kind, "key", r.Job.Key))
	}
	w.opts.Finished(r)
}

func (w *Worker) logRecording(ctx context.Context, r *Report, attrs []any) {
	switch r.Outcome {
	case Done:
		w.opts.Logger.InfoContext(ctx, "recording finished", append(attrs, "status", r.Result.Status, "defects", defectLines(r.Result.Defects))...)
	case Published:
		if r.Result.InBackup {
			w.opts.Logger.WarnContext(ctx, "recording published in the backup bucket, as its own is away; it will be moved there",
				append(attrs, "status", r.Result.Status, "url", r.Result.URL())...)
			return
		}
		w.opts.Logger.InfoContext(ctx, "recording published, with a leg that is missing or still being written; a later version may follow",
			append(attrs, "status", r.Result.Status, "defects", defectLines(r.Result.Defects), "url", r.Result.URL())...)
	case Waiting, Released:
		w.opts.Logger.Log(ctx, r.level(), "recording waits", append(attrs, "reason", r.Err)...)
	default:
		w.opts.Logger.ErrorContext(ctx, "recording failed", append(attrs, "error", r.Err)...)
	}
}

// maxDefectLines bounds the defects that a line of the log names.
const maxDefectLines = 20

// defectLines are the defects as the log names them, each once: its code, and its leg's
// name, unless that is a number. Those beyond the bound are a count.
func defectLines(list []record.Defect) []string {
	lines := make([]string, 0, min(len(list), maxDefectLines+1))
	left := 0
	for _, d := range list {
		line := string(d.Code)
		if d.Leg != "" {
			line += " of " + shownLeg(d.Leg)
		}
		switch {
		case slices.Contains(lines, line):
		case len(lines) < maxDefectLines:
			lines = append(lines, line)
		default:
			left++
		}
	}
	if left > 0 {
		lines = append(lines, strconv.Itoa(left)+" more")
	}
	return lines
}

// shownLeg is a leg's name as logs have it: some telephone servers name legs for the
// number at their end, of which the last digits are shown.
func shownLeg(name string) string {
	const most, last = 6, 3
	digits := 0
	for i := range len(name) {
		if name[i] >= '0' && name[i] <= '9' {
			digits++
		}
	}
	if digits <= most {
		return name
	}
	return "…" + strings.ToValidUTF8(name[max(len(name)-last, 0):], "")
}

func (w *Worker) logTask(ctx context.Context, r *Report, attrs []any) {
	switch r.Outcome {
	case Done:
		w.opts.Logger.InfoContext(ctx, "job finished", attrs...)
	case Waiting, Released:
		w.opts.Logger.Log(ctx, r.level(), "job waits", append(attrs, "reason", r.Err)...)
	default:
		w.opts.Logger.ErrorContext(ctx, "job failed", append(attrs, "error", r.Err)...)
	}
}

// level is that of the line about a job that waits: it may wait often, and for one thing.
func (r *Report) level() slog.Level {
	if r.Err != nil && r.Err.Error() == r.Job.LastError {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
