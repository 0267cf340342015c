package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording"
)

// awayAlarm is up while a job finds the place of its legs away. The job that
// raised it takes it back, by an attempt that finds the place there.
type awayAlarm struct {
	mu          sync.Mutex
	job         callmodel.JobID // that raised it; "" while it is down
	err         error           // that the job met last
	since, seen time.Time       // when it was raised, and when its job was run last
}

// awayForgotten is after how long without an attempt the alarm's job is taken to
// be gone: set aside by a person, or with another worker. It is longer than any
// pause of such a job.
const awayForgotten = 5 * time.Minute

// LegsAway is for how long the place of the legs of a job has been away, and what
// it says; 0 and nil while that is true of none. See recording.LegsAwayError.
func (w *Worker) LegsAway() (time.Duration, error) {
	w.away.mu.Lock()
	defer w.away.mu.Unlock()
	if w.away.job == "" || time.Since(w.away.seen) > awayForgotten {
		return 0, nil
	}
	return time.Since(w.away.since), w.away.err
}

// watchPlace raises the alarm or takes it back, by an attempt that has ended. Each
// is logged once.
func (w *Worker) watchPlace(ctx context.Context, r *Report) {
	a := &w.away
	a.mu.Lock()
	defer a.mu.Unlock()
	gone := a.job != "" && time.Since(a.seen) > awayForgotten
	away, isAway := errors.AsType[*recording.LegsAwayError](r.Err)
	switch {
	case isAway && (a.job == "" || gone):
		a.job, a.since, a.seen, a.err = r.Job.ID, now(), now(), away
		w.opts.Logger.ErrorContext(ctx, "the place of the legs is away; recordings wait for it",
			"job", r.Job.ID, "queue", r.Job.Queue, "leg", away.Leg, "error", away)
	case isAway && a.job == r.Job.ID:
		a.seen, a.err = now(), away
	case !isAway && a.job == r.Job.ID && r.Outcome != Lost && r.Outcome != Released && r.Outcome != Failed:
		w.opts.Logger.InfoContext(ctx, "the place of the legs is back", "job", r.Job.ID, "queue", r.Job.Queue, "after", now().Sub(a.since))
		a.job, a.err = "", nil
	}
}

// awayPause is the pause until the next look at a place that is away, of a job of
// that age.
func (w *Worker) awayPause(old time.Duration) time.Duration {
	return w.opts.Jitter(min(max(old/2, time.Second), time.Minute))
}
