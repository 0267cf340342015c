package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/task"
)

// recordingAttempt makes a recording. What only recordings have is here, in follow.go
// and in buckets.go: legs that are waited for and followed, results that are published
// before the job is done, and the gate of the bucket.
type recordingAttempt struct {
	*attempt

	w      *Worker
	bucket string      // that the recording goes to, by the gate
	away   *BucketAway // why that is the backup; nil if it isn't
	// What the job's payload and its published result say, once it was read.
	spec      record.Spec
	published *record.Result // nil if there is none
}

func (t *recordingAttempt) read() (err error) {
	if t.spec, err = record.SpecOf(&t.Job); err == nil {
		t.published, err = record.PublishedBy(&t.Job)
	}
	if err != nil {
		return callmodel.Permanent(fmt.Errorf("%w: %w", task.ErrUndecodable, err))
	}
	return nil
}

func (t *recordingAttempt) do(ctx context.Context) (made, error) {
	if r := t.w.finished.take(&t.Job); r != nil {
		t.w.opts.Logger.InfoContext(ctx, "the recording was finished before, and the ledger wasn't told", "job", t.Job.ID)
		return made{recording: *r}, nil
	}
	switch {
	case t.away != nil && t.published != nil && t.published.Made() && !t.published.InBackup:
		// It has a URL, and its next version under the same key would be in the backup.
		return made{}, &homeAwayError{t.away.Err}
	case !t.backedUp():
	case t.away == nil:
		if r, again, err := t.bringHome(ctx); err != nil || !again {
			return made{recording: r}, err
		}
	case !incomplete(t.published) || !t.w.follows(age(t.Lease)):
		return made{}, &homeAwayError{t.away.Err}
	}
	r, err := t.w.make(ctx, t)
	r.Software, r.HostSoftware = cmp.Or(r.Software, t.w.opts.Software), t.spec.HostSoftware
	r.Consent = t.spec.Consent
	r.InBackup = t.away != nil && r.Made()
	return made{recording: r}, err
}

// commit puts the result in the ledger, and says what that makes of the job. It
// changes m to what is on the call then.
func (t *recordingAttempt) commit(ctx context.Context, m *made) (Outcome, error) {
	w, r := t.w, &m.recording
	if r.Made() {
		w.gate.stored(t.bucket, t.Job.ID, t.started)
	} else {
		_ = w.gate.failed(t.bucket, t.Job.ID, nil)
	}
	kept := w.keeps(ctx, t, r)
	if kept {
		*r = *t.published
	}
	awaited := !kept && incomplete(r) && (r.Made() || noAudio(r)) && w.follows(age(t.Lease))
	switch {
	case r.InBackup && kept && t.away == nil:
		return Waiting, &homeAwayError{errKept}
	case r.InBackup && (kept || !t.isNew(r)):
		return Waiting, &homeAwayError{t.away.Err}
	case r.InBackup:
		return t.publish(ctx, m)
	case !awaited:
	case !t.isNew(r), noAudio(r) && !w.tellsAbsence(t, r):
		return Waiting, lacking(r)
	default:
		return t.publish(ctx, m)
	}
	if r.Status == record.StatusQuarantined {
		return Quarantined, callmodel.Permanent(fmt.Errorf("the recording can't be made: %s%s", r.Reason, describe(r.Defects, r.Reason)))
	}
	o, err := t.outcome(ctx, r)
	if err != nil {
		return Failed, err
	}
	m.outcome = o
	return Done, t.committed(ctx, r, func() error { return w.ledger.Complete(ctx, t.Lease, o) })
}

// outcome is how the ledger commits the result, whose event tells of the span that it was
// made in.
func (t *recordingAttempt) outcome(ctx context.Context, r *record.Result) (ledger.Outcome, error) {
	told := *r
	told.Traceparent = cmp.Or(tracing.Traceparent(ctx, t.w.opts.Tracer), t.spec.Traceparent)
	return record.Outcome(told)
}

// publish puts the result in the ledger, and the job back to be followed.
func (t *recordingAttempt) publish(ctx context.Context, m *made) (Outcome, error) {
	w := t.w
	o, err := t.outcome(ctx, &m.recording)
	if err != nil {
		return Failed, err
	}
	m.outcome = o
	o.Empty = false // that there is nothing so far is told, too
	old := age(t.Lease) + t.elapsed()
	var again time.Duration
	if m.recording.InBackup {
		again = w.homePause(old)
	} else {
		again = w.look(&w.late, w.followIn(old), w.opts.FollowGrowing-old)
	}
	defer w.remind(again)
	return Published, t.committed(ctx, &m.recording, func() error { return w.ledger.Publish(ctx, t.Lease, o, again) })
}

// failed tells the bucket's gate of the error.
func (t *recordingAttempt) failed(err error) error {
	of := t.stateOf(err)
	if of != t.bucket {
		_ = t.w.gate.failed(t.bucket, t.Job.ID, nil)
	}
	return t.w.gate.failed(of, t.Job.ID, err)
}

// failure is what becomes of a job by the error of its attempt. What is waited for
// may come any moment while the job is fresh, and hardly after long: waits grow
// with the job's age.
func (t *recordingAttempt) failure(err error) (f ledger.Failure, leave time.Duration) {
	if f, ok := t.staysInBackup(err); ok {
		return f, 0
	}
	w, old := t.w, age(t.Lease)+t.elapsed()
	var notReady *recording.LegsNotReadyError
	var away *recording.LegsAwayError
	var later *callmodel.RetryAfterError
	var why ledger.Reason
	switch {
	case errors.As(err, &away):
		why = record.LegsAway
		if !errors.As(err, &later) || later.After == 0 {
			err = callmodel.RetryAfter(err, w.look(&w.late, w.awayPause(old), diarySeconds*time.Second))
		}
	case errors.As(err, &notReady):
		why, err = record.LegsMissing, callmodel.RetryAfter(err, w.legsPause(t))
		if len(notReady.Growing) > 0 {
			why = record.LegsGrowing
		}
	}
	f = w.failureOf(t.attempt, err, why)
	return f, w.leaveToOthers(t, f.Reason)
}

// describe is what the defects say, but for the one that was told.
func describe(defects []record.Defect, told string) string {
	var b strings.Builder
	for _, d := range defects {
		if d.Reason() == told {
			continue
		}
		fmt.Fprintf(&b, "; %s", d.Code)
		if d.Leg != "" {
			fmt.Fprintf(&b, " (leg %s)", d.Leg)
		}
		if d.Detail != "" {
			fmt.Fprintf(&b, ": %s", d.Detail)
		}
	}
	return b.String()
}

// withoutAway puts back the recordings whose bucket is away, and returns the other jobs.
func (w *Worker) withoutAway(ctx context.Context, leases []ledger.Lease) []ledger.Lease {
	return slices.DeleteFunc(leases, func(l ledger.Lease) bool {
		if l.Job.Kind != record.Kind {
			return false
		}
		wait, why := w.gate.turnsAway(&l.Job)
		if why == nil {
			return false
		}
		f := ledger.FailureOf(callmodel.RetryAfter(why, w.opts.Jitter(wait)+time.Millisecond), wait)
		f.Reason = record.BucketAway
		defer w.remind(f.RetryIn)
		if err := w.ledger.Fail(ctx, l, f); err != nil {
			w.opts.Logger.WarnContext(ctx, "a job couldn't be put back whose bucket is away; its lease will end by itself", "job", l.Job.ID, "error", err)
		}
		return true
	})
}
