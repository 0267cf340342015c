package worker

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Doorbell tells of jobs that can run, so that idle workers needn't ask all the time.
// It may be silent: the ledger is asked all the same, at pauses of Options.IdlePoll.
// *calldb.DB is one.
type Doorbell interface {
	// Listen calls rung when it listens, and then whenever a job may have come into one
	// of the queues; nil means any. It returns when it can't listen any more, which is
	// an error, or when ctx ends. CodeUnsupported says that it never can.
	Listen(ctx context.Context, queues []string, rung func()) error
}

// How long until a doorbell is listened to again that was lost.
const (
	listenAgain = time.Second
	listenMost  = 30 * time.Second
)

// listen rings the worker's bell when the doorbell does, until ctx ends.
func (w *Worker) listen(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; failures++ {
		err := w.opts.Doorbell.Listen(ctx, w.opts.queues(), func() {
			w.listening.Store(true)
			failures = 0
			w.Ring()
		})
		w.listening.Store(false)
		w.Ring() // from now on it polls as often as without a doorbell
		if ctx.Err() != nil || callmodel.CodeOf(err) == callmodel.CodeUnsupported {
			return
		}
		w.opts.Logger.WarnContext(ctx, "the ledger doesn't tell of new jobs; it is asked for them instead until it does", "error", err)
		t := time.NewTimer(w.opts.Jitter(min(listenAgain<<min(failures, 10), listenMost)))
		select {
		case <-ctx.Done():
			t.Stop()
		case <-t.C:
		}
	}
}

// idlePause is how long a worker waits that has taken all it could. While it listens that
// is long: every job rings.
func (w *Worker) idlePause() time.Duration {
	if !w.listening.Load() {
		return w.opts.Jitter(w.opts.Poll)
	}
	return w.opts.Jitter(max(w.opts.IdlePoll, w.opts.Poll))
}

// remind rings when a job that this worker has put back can run again: nobody else
// would.
func (w *Worker) remind(wait time.Duration) {
	if w.opts.Doorbell != nil && wait > 0 && wait < w.opts.IdlePoll {
		time.AfterFunc(wait+time.Millisecond, w.Ring)
	}
}
