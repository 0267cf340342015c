package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// While a bucket is away its recordings are made in the backup, if there is one. They are
// published from there, so that their calls have a URL, and their jobs are put back. When
// the bucket is back, the objects are moved to it as they are: nothing is made twice for
// that, and the legs are kept until then. What the next turn must know is in the ledger.
//
//	bucket away ─▶ make in the backup ─▶ publish, in_backup ─▶ … bucket back
//	                                                              │
//	   removed from the backup ◀── complete, the bucket's URLs ◀── copied, verified

// Backup is a second place for recordings. Its Process is a Processor's, and puts what it
// makes in the backup.
type Backup interface {
	Processor
	// BringHome copies the object from the backup to the recording's own bucket under the
	// same key, create-only, verifies it, and says where it is. One that is there already
	// is a success. Other bytes under the key are a callmodel.CodeConflict error, an object that isn't as it
	// was stored is a callmodel.CodeDamaged one. Errors
	// of the buckets are callmodel.BucketAwayError; Bucket tells whose.
	BringHome(ctx context.Context, key, sha256 string) (url string, err error)
	// Remove removes the object from the backup, if it is the one with that hash.
	Remove(ctx context.Context, key, sha256 string) error
	// Bucket is the backup's URL, as its errors name it.
	Bucket() string
}

// homeAwayError says that a recording that is published stays where it is for now.
type homeAwayError struct{ why error }

func (e *homeAwayError) Error() string {
	return "the recording is published, and waits for its own bucket: " + e.why.Error()
}

// errKept is why a published recording in the backup stays there although its bucket is
// back: what is in the bucket under its keys is another one, and can't be made better.
var errKept = errors.New("its own has other objects under its keys, and the recording can't be made again with as much")

// backedUp is the published recording, if it is in the backup.
func (t *recordingAttempt) backedUp() bool {
	return t.w.opts.Backup != nil && t.published != nil && t.published.InBackup
}

// bringHome moves a published recording from the backup to its bucket. again says that it
// must be made again instead, as the bucket has other objects under its keys.
func (t *recordingAttempt) bringHome(ctx context.Context) (r record.Result, again bool, err error) {
	r = *t.published
	r.InBackup = false
	r.Outputs = append([]record.OutputResult(nil), r.Outputs...)
	if r.Manifest != nil {
		m := *r.Manifest
		r.Manifest = &m
	}
	err = eachObject(&r, func(key, sha256 string, url *string) error {
		u, err := t.w.opts.Backup.BringHome(ctx, key, sha256)
		*url = u
		return err
	})
	if code := callmodel.CodeOf(err); code == callmodel.CodeConflict || code == callmodel.CodeDamaged {
		if _, away := errors.AsType[*callmodel.BucketAwayError](err); !away {
			t.w.opts.Logger.WarnContext(ctx, "a recording can't be moved from the backup bucket, as its own has other objects under its keys, or an object is damaged; it is made again",
				"job", t.Job.ID, "error", err)
			return r, true, nil
		}
	}
	if err != nil {
		return r, false, fmt.Errorf("moving the recording from the backup bucket: %w", err)
	}
	return r, false, nil
}

// eachObject calls f for every object of the recording, the manifest last, until one fails.
func eachObject(r *record.Result, f func(key, sha256 string, url *string) error) error {
	for i := range r.Outputs {
		if o := &r.Outputs[i]; o.Key != "" {
			if err := f(o.Key, o.SHA256, &o.URL); err != nil {
				return err
			}
		}
	}
	if m := r.Manifest; m != nil && m.Key != "" {
		return f(m.Key, m.SHA256, &m.URL)
	}
	return nil
}

// movedHome removes the recording from the backup, once the ledger has it elsewhere. What
// stays by a fault is a copy too many.
func (t *recordingAttempt) movedHome(ctx context.Context, now *record.Result) {
	if !t.backedUp() || now.InBackup {
		return
	}
	err := eachObject(t.published, func(key, sha256 string, _ *string) error { return t.w.opts.Backup.Remove(ctx, key, sha256) })
	if err != nil {
		t.w.opts.Logger.WarnContext(ctx, "a recording was moved to its bucket, and couldn't be removed from the backup: it is there twice",
			"job", t.Job.ID, "backup", t.w.opts.Backup.Bucket(), "error", err)
		return
	}
	t.w.opts.Logger.InfoContext(ctx, "a recording was moved from the backup bucket to its own", "job", t.Job.ID, "url", now.URL())
}

// stateOf is the bucket, among those of the gate, that the error is of.
func (t *recordingAttempt) stateOf(err error) string {
	fault, ok := errors.AsType[*callmodel.BucketAwayError](err)
	if ok && t.w.opts.Backup != nil && fault.Bucket == t.w.opts.Backup.Bucket() {
		return backupState
	}
	return t.bucket
}

// homePause is the pause until it is looked again whether a recording can be moved home.
func (w *Worker) homePause(old time.Duration) time.Duration {
	return w.look(&w.late, w.awayPause(old), diarySeconds*time.Second)
}

// staysInBackup is what becomes of a job whose recording is in the backup for now.
func (t *recordingAttempt) staysInBackup(err error) (f ledger.Failure, ok bool) {
	if _, ok := errors.AsType[*homeAwayError](err); !ok {
		return f, false
	}
	old := age(t.Lease) + t.elapsed()
	return t.w.failureOf(t.attempt, callmodel.RetryAfter(err, t.w.homePause(old)), record.BucketAway), true
}
