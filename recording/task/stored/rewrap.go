package stored

import (
	"context"
	"errors"
	"io/fs"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
)

// KindRewrap is the kind of the jobs that give an encrypted recording other recipients.
const KindRewrap = "rewrap"

// Rewrapper is a bucket whose objects may be encrypted. *storage.Store is one.
type Rewrapper interface {
	// Rewrap gives the object the recipients that its tenant has now, and says what it has
	// found and done. It may be cut short and repeated. The error for a missing one wraps
	// fs.ErrNotExist.
	Rewrap(ctx context.Context, key string) (record.Rewrapped, error)
}

// RewrapResult is the result of a rewrap job.
type RewrapResult struct {
	// Status is "completed" if no object is left with other recipients,
	// "completed_degraded" if one isn't there any more, and "absent" if the recording has no
	// objects.
	Status    record.Status   `json:"status"`
	Reason    string          `json:"reason,omitempty"` // why the recording is absent
	JobID     callmodel.JobID `json:"job_id"`           // that made the recording
	Rewrapped int             `json:"rewrapped"`        // objects that have a new header
	Current   int             `json:"current"`          // that had it already
	Plain     int             `json:"plain"`            // that aren't encrypted, and stay so
	Defects   []record.Defect `json:"defects"`
}

// Retriable reports whether another job may find more.
func (r RewrapResult) Retriable() bool { return r.Status != record.StatusCompleted }

// Rewrap is the kind of the jobs that give a recording's objects the recipients that their
// tenant has now, as its keys are rotated. Their payload is an [OfRecording], their result a
// [RewrapResult]. The worker needs an identity that decrypts them; without one the job
// waits. l may be nil where such jobs are only enqueued.
func Rewrap(l *Library) task.Kind {
	if l == nil {
		return task.Of[OfRecording](KindRewrap, nil)
	}
	return task.Of(KindRewrap, l.rewrap)
}

func (l *Library) rewrap(ctx context.Context, j *task.Job, p OfRecording) (any, error) {
	bucket, ok := l.objects.(Rewrapper)
	if !ok {
		return nil, callmodel.Permanent(callmodel.Errorf(callmodel.CodeUnsupported, "the bucket of this worker encrypts nothing"))
	}
	rec, err := l.Find(ctx, j, p.Recording)
	if err != nil {
		return nil, err
	}
	r := RewrapResult{Status: record.StatusCompleted, JobID: rec.JobID, Defects: []record.Defect{}}
	if !rec.Result.Made() {
		r.Status, r.Reason = record.StatusAbsent, rec.Result.Reason
		return r, nil
	}
	objects, err := rec.Objects()
	if err != nil {
		return nil, err
	}
	for i := range objects {
		done, err := bucket.Rewrap(ctx, objects[i].Key)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			damage := &DamageError{Key: objects[i].Key, Code: DefectObjectMissing}
			r.Status, r.Defects = record.StatusCompletedDegraded, append(r.Defects, record.Defect{Code: damage.Code, Detail: damage.Error()})
		case err != nil:
			return nil, err
		case done == record.RewrapDone:
			r.Rewrapped++
		case done == record.RewrapCurrent:
			r.Current++
		default:
			r.Plain++
		}
	}
	return r, nil
}
