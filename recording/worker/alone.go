package worker

import (
	"context"
	"errors"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
)

// A job whose lease expired may be what crashed its worker, or may only have run
// beside it. Which of both shows when it runs with nothing beside it in its process.
// A worker takes one such suspect at a time and gives suspects half of its time at
// most, so that neither the others nor they wait for ever: after a power cut, when
// there are as many suspects as there were jobs running, all are done after twice the
// time that they take one by one.

// runAlone lets the running jobs end, runs the suspect, and returns when that has
// ended, or ctx has.
func (w *Worker) runAlone(ctx context.Context, l ledger.Lease, start func(ledger.Lease)) {
	began := now()
	defer func() {
		ended := now()
		w.rest = ended.Add(ended.Sub(began))
	}()
	if !l.Alone {
		var kept bool
		if l, kept = w.keep(ctx, l); !kept {
			return
		}
	}
	start(l)
	for w.Running() > 0 && ctx.Err() == nil {
		w.awaitFreed(ctx, w.opts.LeaseTTL)
	}
}

// keep holds a suspect's lease until nothing else is running. It reports false if the
// suspect isn't to be run: its lease is lost or was given back.
func (w *Worker) keep(ctx context.Context, l ledger.Lease) (ledger.Lease, bool) {
	beat := max(w.opts.LeaseTTL/3, time.Millisecond)
	next := now().Add(beat)
	for w.Running() > 0 && ctx.Err() == nil {
		w.awaitFreed(ctx, next.Sub(now()))
		if now().Before(next) {
			continue
		}
		next = now().Add(beat)
		longer, err := w.ledger.Extend(ctx, l, w.opts.LeaseTTL)
		switch {
		case err == nil:
			l = longer
		case errors.Is(err, callmodel.ErrLeaseLost):
			return l, false
		case ctx.Err() == nil:
			w.opts.Logger.WarnContext(ctx, "the heartbeat failed of a job that is to run alone", "job", l.Job.ID, "error", err)
		}
	}
	if ctx.Err() == nil {
		l.Alone = true
		longer, err := w.ledger.Extend(ctx, l, w.opts.LeaseTTL)
		if err == nil {
			return longer, true
		}
		if errors.Is(err, callmodel.ErrLeaseLost) {
			return l, false
		}
		w.opts.Logger.WarnContext(ctx, "a job couldn't be begun that is to run alone", "job", l.Job.ID, "error", err)
	}
	w.release(context.WithoutCancel(ctx), l, w.releaseTime())
	return l, false
}

// awaitFreed waits for a job to end, or the end of d.
func (w *Worker) awaitFreed(ctx context.Context, d time.Duration) {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-w.freed:
	case <-t.C:
	}
}
