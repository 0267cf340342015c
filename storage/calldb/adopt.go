package calldb

import (
	"cmp"
	"context"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// Adopt puts a job in the ledger that is done already, with its outcome: of a recording
// that something else has made. It is Enqueue and Complete in one transaction, so that no
// worker ever sees it waiting. It is idempotent as Enqueue is: where there is a job of
// the key already, that is left as it is. An outcome that is empty or to be quarantined
// is refused with FieldErrors.
func (d *DB) Adopt(ctx context.Context, r ledger.Request, o ledger.Outcome) (id callmodel.JobID, created bool, err error) {
	if err := storeform.CheckAdopted(&o); err != nil {
		return "", false, err
	}
	actor := cmp.Or(r.Actor, storeform.System)
	err = d.update(ctx, "adopt a result", func(ctx context.Context, t *tx) error {
		if id, created, err = t.enqueue(ctx, &r, actor, false); err != nil || !created {
			return err
		}
		c, err := newCommit(ledger.Lease{Job: ledger.Job{ID: id, Kind: r.Kind}, Worker: actor}, o)
		if err != nil {
			return err
		}
		committed, err := t.commit(ctx, &c, `UPDATE jobs SET state = 'done', result = ?, finished_at = @now
			WHERE seq = ? AND nonce = ? AND token = ? AND state = 'queued'
			RETURNING tenant_id, call_id, recording_id, retries, finished_at`)
		if err == nil && !committed {
			err = callmodel.ErrLeaseLost // no one else can have seen it
		}
		return err
	})
	if err != nil {
		return "", false, err
	}
	return id, created, nil
}
