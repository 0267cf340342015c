package lifecycle

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/erasure"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
)

// redact makes the recording again without what is redacted, and deletes what it was.
func (e *Eraser) redact(ctx context.Context, j *task.Job, d erasure.RedactionPayload) (any, error) {
	begun, err := e.begun(ctx, j)
	if err != nil {
		return nil, err
	}
	if begun == nil {
		if begun, err = e.beginRedaction(ctx, j, &d); err != nil {
			return nil, err
		}
	}
	made, err := e.ledger.Job(ctx, d.JobID)
	if err != nil {
		return nil, err
	}
	result, err := record.ResultOf(&made)
	if err != nil {
		return nil, callmodel.Permanent(err)
	}
	return e.destroy(ctx, j, begun, keysOf(result))
}

// keysOf are the keys of the result's objects.
func keysOf(r *record.Result) map[string]bool {
	keys := map[string]bool{}
	if r == nil {
		return keys
	}
	for i := range r.Outputs {
		keys[r.Outputs[i].Key] = true
	}
	if r.Manifest != nil {
		keys[r.Manifest.Key] = true
	}
	return keys
}

func (e *Eraser) beginRedaction(ctx context.Context, j *task.Job, d *erasure.RedactionPayload) (*retention.Erasure, error) {
	made, err := e.made(ctx, j, d.JobID)
	if err != nil {
		return nil, err
	}
	if made.State != ledger.Done {
		return nil, callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, "recording %s isn't finished: its job is %s", made.Key, made.State), soon)
	}
	rec := &stored.Recording{JobID: made.ID}
	if rec.Spec, err = record.SpecOf(made); err != nil {
		return nil, callmodel.Permanent(err)
	}
	was, err := record.ResultOf(made)
	if err != nil || was == nil {
		return nil, callmodel.Permanent(cmp.Or(err, callmodel.Errorf(callmodel.CodeConflict, "recording %s has no result", made.Key)))
	}
	if was.InBackup {
		return nil, waits("recording %s is in the backup bucket: it is redacted when it has been moved home", made.Key)
	}
	if err := erasure.CheckRanges(was, d.Redactions); err != nil {
		return nil, callmodel.Permanent(err)
	}
	rec.Result = *was
	spec, result, err := e.opts.Redactor.Redact(ctx, rec, d.Redactions)
	if err != nil {
		return nil, err
	}
	b := retention.Begin{Erasure: retention.Erasure{
		TenantID: j.TenantID, JobID: made.ID, ByJob: j.ID, Kind: retention.KindRedact, Reason: d.Reason, Actor: cmp.Or(d.Actor, j.Worker),
	}}
	if b.Result, err = json.Marshal(result); err != nil {
		return nil, callmodel.Permanent(err)
	}
	if b.Spec, err = json.Marshal(spec); err != nil {
		return nil, callmodel.Permanent(err)
	}
	if err := e.plan(ctx, made, &b, keysOf(&result)); err != nil {
		return nil, err
	}
	return e.commit(ctx, &b)
}
