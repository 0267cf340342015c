package worker

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
)

// taskAttempt does a job of one of Options.Kinds. Its payload is read by the kind.
type taskAttempt struct {
	*attempt

	w    *Worker
	kind task.Kind
}

func (t *taskAttempt) read() error { return nil }

func (t *taskAttempt) do(ctx context.Context) (made, error) {
	o, err := t.kind.Do(ctx, &task.Job{Job: t.Job, Token: t.Token})
	return made{outcome: o}, err
}

func (t *taskAttempt) commit(ctx context.Context, m *made) (Outcome, error) {
	err := t.w.untilAnswered(ctx, t.attempt, func() error { return t.w.ledger.Complete(ctx, t.Lease, m.outcome) })
	if m.outcome.Quarantine {
		return Quarantined, err
	}
	return Done, err
}

func (t *taskAttempt) failed(err error) error { return err }

// failure is what becomes of the job. What it needed and was down, as the ledger, is no
// fault of its own.
func (t *taskAttempt) failure(err error) (ledger.Failure, time.Duration) {
	if _, later := errors.AsType[*callmodel.RetryAfterError](err); !later && callmodel.CodeOf(err) == callmodel.CodeUnavailable {
		err = callmodel.RetryAfter(err, 0)
	}
	return t.w.failureOf(t.attempt, err, ""), 0
}

// kinds are the kinds of job that the worker does.
func (o *Options) kinds(recordings bool) []string {
	kinds := slices.DeleteFunc(o.Kinds.Doing().Names(), func(kind string) bool { return kind == record.Kind })
	if recordings {
		kinds = append(kinds, record.Kind)
	}
	return kinds
}

// claims says which kinds of job to claim now, and how many at most. While the bucket of
// the recordings is away recordings are left out, but for one job at a time that probes
// it: wait is how long until that is asked again. No kinds: nothing is to be claimed
// before.
func (w *Worker) claims(ctx context.Context, free int) (kinds []string, n int, wait time.Duration) {
	kinds = w.withRoom()
	if !slices.Contains(kinds, record.Kind) {
		return kinds, free, min(w.opts.IdlePoll, roomPause)
	}
	n, wait = w.gate.admit(ctx, free)
	if n > 0 {
		return kinds, n, roomPause
	}
	others := slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool { return kind == record.Kind })
	return others, free, wait
}

// roomPause is how often it is looked at least whether there is room again.
const roomPause = 5 * time.Second

// withRoom are the kinds that the worker does and that there is room for.
func (w *Worker) withRoom() []string {
	if w.opts.Room == nil {
		return w.kinds
	}
	return slices.DeleteFunc(slices.Clone(w.kinds), func(kind string) bool { return w.opts.Room(kind) != nil })
}
