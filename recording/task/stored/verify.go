package stored

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
)

// KindVerify is the kind of the jobs that read a recording back.
const KindVerify = "verify"

// What can be wrong with an object in the bucket.
const (
	DefectObjectMissing record.DefectCode = "object_missing" // it isn't there any more
	DefectObjectDiffers record.DefectCode = "object_differs" // it has other bytes than were stored
	DefectObjectUnsound record.DefectCode = "object_unsound" // it has the bytes that were stored, and can't be played through
)

// DamageError says that an object in the bucket isn't what was stored.
type DamageError struct {
	Key    string
	Code   record.DefectCode
	Bytes  int64  // that were read
	SHA256 string // of those, in hex; "" of an object that is missing, or couldn't be decrypted
	Want   Object
	Err    error // of an object that is unsound, or can't be decrypted for what was done to it
}

// Unwrap returns the fault of an object that is unsound or was tampered with; nil for others.
func (e *DamageError) Unwrap() error { return e.Err }

func (e *DamageError) Error() string {
	if e.Code == DefectObjectUnsound {
		return fmt.Sprintf("object %s is as it was stored, and isn't sound: %v", e.Key, e.Err)
	}
	if e.Code == DefectObjectDiffers && e.Err != nil {
		return fmt.Sprintf("object %s can't be decrypted any more: %v", e.Key, e.Err)
	}
	if e.Code == DefectObjectMissing {
		return fmt.Sprintf("object %s is missing", e.Key)
	}
	return fmt.Sprintf("object %s has %d bytes with the SHA-256 %s, and was stored with %d and %s", e.Key, e.Bytes, e.SHA256, e.Want.Bytes, e.Want.SHA256)
}

// OfRecording is a payload that names a recording and says nothing else.
type OfRecording struct {
	Recording Source `json:"recording"`
}

// Validate reports every fault of the payload, as FieldErrors.
func (p *OfRecording) Validate() error {
	var e callmodel.FieldErrors
	e.AddAll("recording", p.Recording.Validate())
	return e.Err()
}

// Verified is the result of a verify job.
type Verified struct {
	// Status is "completed" if every object is there with the bytes that were stored,
	// "completed_degraded" if one isn't, which Defects name, and "absent" if the recording
	// has no objects.
	Status  record.Status   `json:"status"`
	Reason  string          `json:"reason,omitempty"` // why the recording is absent
	JobID   callmodel.JobID `json:"job_id"`           // that made the recording
	Objects int             `json:"objects"`          // that were read
	Bytes   int64           `json:"bytes"`            // of those that are as they were
	Defects []record.Defect `json:"defects"`
}

// Retriable reports whether it is worth while to verify the recording again: what was
// missing may be back, and what wasn't made may be there.
func (v Verified) Retriable() bool { return v.Status != record.StatusCompleted }

// Verify is the kind of the jobs that read a recording's objects back and hold them
// against the sizes and hashes of its result; see [Library.ReadBack]. Their payload is an [OfRecording], their
// result a [Verified]. What is damaged is told to the outbox as "recording.damaged", with
// the result as its body, once a job. l may be nil where such jobs are only enqueued.
func Verify(l *Library) task.Kind {
	if l == nil {
		return task.Of[OfRecording](KindVerify, nil)
	}
	return task.Of(KindVerify, l.verify)
}

func (l *Library) verify(ctx context.Context, j *task.Job, p OfRecording) (any, error) {
	rec, err := l.Find(ctx, j, p.Recording)
	if err != nil {
		return nil, err
	}
	v := Verified{Status: record.StatusCompleted, JobID: rec.JobID, Defects: []record.Defect{}}
	if !rec.Result.Made() {
		v.Status, v.Reason = record.StatusAbsent, rec.Result.Reason
		return v, nil
	}
	objects, err := rec.Objects()
	if err != nil {
		return nil, err
	}
	for i := range objects {
		err := l.ReadBack(ctx, &objects[i])
		var damage *DamageError
		switch {
		case errors.As(err, &damage):
			v.Status, v.Defects = record.StatusCompletedDegraded, append(v.Defects, record.Defect{Code: damage.Code, Detail: damage.Error()})
		case err != nil:
			return nil, err
		default:
			v.Bytes += objects[i].Bytes
		}
		v.Objects++
	}
	if len(v.Defects) == 0 {
		return v, nil
	}
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return ledger.Outcome{Result: body, Retriable: true, Effects: func(c ledger.Commit) (ledger.Effects, error) {
		key := outbox.RecordingDamaged + ":" + string(c.JobID)
		if c.Retries > 0 { // a person had it looked at again: that is news
			key += ".r" + strconv.FormatInt(c.Retries, 10)
		}
		return ledger.Effects{Event: &callmodel.OutboxEvent{
			Key: key, TenantID: c.TenantID, Type: outbox.RecordingDamaged, Subject: string(rec.Spec.CallID), Body: body,
		}}, nil
	}}, nil
}
