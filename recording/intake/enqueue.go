package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Asked is a job that was asked for and passed the check.
type Asked struct {
	ledger.Request

	given given
}

// Ledger is where jobs go. *calldb.DB and *memdb.Store are ledgers: every one passes
// storetest.Jobs. A call returns soon after its context ends.
type Ledger interface {
	// Enqueue puts a job in the ledger. It is idempotent on (tenant, kind, key):
	// the id of the first one is returned and created is false. An invalid request
	// is refused with FieldErrors.
	Enqueue(ctx context.Context, r ledger.Request) (id callmodel.JobID, created bool, err error)
	// Job reads one job; ErrNotFound.
	Job(ctx context.Context, id callmodel.JobID) (ledger.Job, error)
}

// Enqueue puts the job in the ledger. One whose key is another's already is refused with
// CodeConflict: it would not be done, and nobody would notice.
func Enqueue(ctx context.Context, l Ledger, a *Asked) (id callmodel.JobID, created bool, err error) {
	if id, created, err = l.Enqueue(ctx, a.Request); err != nil || created {
		return id, created, err
	}
	have, err := l.Job(ctx, id)
	if err != nil {
		return "", false, err
	}
	if a.Kind == record.Kind {
		err = a.sameRecording(&have)
	} else {
		err = a.sameTask(&have)
	}
	if err != nil {
		return "", false, err
	}
	return id, false, nil
}

// sameRecording refuses a recording whose id is another's already.
func (a *Asked) sameRecording(have *ledger.Job) error {
	var want record.Spec
	if err := want.UnmarshalJSON(a.Payload); err != nil {
		return err
	}
	spec, err := record.SpecOf(have)
	if err != nil {
		return callmodel.Errorf(callmodel.CodeConflict, "recording %s: %w; give another recording_id", want.RecordingID, err)
	}
	spec.LegsBelow, spec.SettingsFrom = want.LegsBelow, want.SettingsFrom     // the service's own
	spec.HostSoftware, spec.Traceparent = want.HostSoftware, want.Traceparent // they change nothing in what is made
	a.given.asBefore(&want, &spec)
	haveJSON, err := json.Marshal(&spec)
	if err != nil {
		return err
	}
	wantJSON, err := json.Marshal(&want)
	if err != nil {
		return err
	}
	if !bytes.Equal(haveJSON, wantJSON) {
		return callmodel.Errorf(callmodel.CodeConflict, "recording %s is made of another spec by job %s; give a recording_id of its own", want.RecordingID, have.ID)
	}
	return nil
}

// sameTask refuses a job whose key is another's already.
func (a *Asked) sameTask(have *ledger.Job) error {
	var x, y bytes.Buffer
	if err := errors.Join(json.Compact(&x, have.Payload), json.Compact(&y, a.Payload)); err != nil {
		return err
	}
	if have.CallID != a.CallID || !bytes.Equal(x.Bytes(), y.Bytes()) {
		return callmodel.Errorf(callmodel.CodeConflict, "the key %q is that of job %s, which does something else; give a key of its own", a.Key, have.ID)
	}
	return nil
}
