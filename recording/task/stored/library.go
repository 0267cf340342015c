package stored

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
)

// Ledger is where recordings are found. *calldb.DB and *memdb.Store are such ledgers.
type Ledger interface {
	// Job reads one job; ErrNotFound.
	Job(ctx context.Context, id callmodel.JobID) (ledger.Job, error)
	// Jobs lists jobs by id, ascending.
	Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error)
	// Call reads a call with its recordings; ErrNotFound.
	Call(ctx context.Context, tenant callmodel.TenantID, id callmodel.CallID) (calls.Call, error)
	// CallEvents lists the call's events in their order; ErrNotFound.
	CallEvents(ctx context.Context, tenant callmodel.TenantID, id callmodel.CallID) ([]calls.Event, error)
}

// Objects is the bucket of the recordings. *storage.Store is one.
type Objects interface {
	// Open reads an object. The error for a missing one wraps fs.ErrNotExist. Of one that
	// isn't as it was stored, by what is in it, as of an encrypted one, it and its reader may
	// have a CodeDamaged error.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	// Put is recording.Objects'.
	Put(ctx context.Context, key record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error)
}

// Library is the recordings that are in a bucket, by what the ledger says of them. It may
// be used by any number of goroutines.
type Library struct {
	ledger  Ledger
	objects Objects
}

// NewLibrary is the library of these recordings.
func NewLibrary(l Ledger, o Objects) *Library { return &Library{ledger: l, objects: o} }

// Source names a recording of the job's tenant: by the job that made it, or by its call
// and its own id.
type Source struct {
	JobID callmodel.JobID `json:"job_id,omitempty"`
	// CallID is the call's, with JobID "".
	CallID callmodel.CallID `json:"call_id,omitempty"`
	// RecordingID tells the call's recordings apart. "": of those that there were when the
	// job was enqueued the one with the call's id, else the only one, whatever comes later.
	// If there were none, or several without the call's id, it is the one with the call's
	// id as soon as there is one; until then it is the first that has come, or nothing.
	RecordingID callmodel.RecordingID `json:"recording_id,omitempty"`
}

// Validate reports every fault of the source, as FieldErrors.
func (s *Source) Validate() error {
	var e callmodel.FieldErrors
	switch {
	case s.JobID != "" && (s.CallID != "" || s.RecordingID != ""):
		e.Add("job_id", "names the recording; leave call_id and recording_id out, or job_id")
	case s.JobID == "" && s.CallID == "":
		e.Add("call_id", "is missing; name a recording by its call_id, or by the job_id that made it")
	}
	if s.JobID != "" {
		e.CheckID("job_id", string(s.JobID))
	}
	if s.CallID != "" {
		e.CheckID("call_id", string(s.CallID))
	}
	if s.RecordingID != "" {
		e.CheckID("recording_id", string(s.RecordingID))
	}
	return e.Err()
}

// Recording is a finished recording.
type Recording struct {
	JobID  callmodel.JobID
	Spec   record.Spec
	Result record.Result
}

// Object is one of a recording's objects.
type Object struct {
	Key    string
	Bytes  int64
	SHA256 string               // hex
	Output *record.OutputResult // nil for the manifest
}

// errNone is the same whether there is no such recording or it is somebody else's.
var errNone = callmodel.Permanent(callmodel.Errorf(callmodel.CodeNotFound, "the tenant has no such recording"))

// Find is the recording that s names to the job, among those of its tenant. A recording that isn't finished yet, or of
// which a later version may follow, is a callmodel.RetryAfterError; one that there isn't,
// or that was set aside, a callmodel.PermanentError. One that is absent is found.
func (l *Library) Find(ctx context.Context, asking *task.Job, s Source) (*Recording, error) {
	j, err := l.job(ctx, asking, s)
	if err != nil {
		return nil, err
	}
	if j.State == ledger.Quarantined {
		return nil, callmodel.Permanent(callmodel.Errorf(callmodel.CodeConflict, "recording %s is quarantined: retry its job %s first, and then this one", j.Key, j.ID))
	}
	return finished(j)
}

// finished is what the job has made, which waits, runs, or is at its end.
func finished(j *ledger.Job) (*Recording, error) {
	if j.State == ledger.Queued || j.State == ledger.Running {
		return nil, callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, "recording %s isn't finished yet: its job %s is %s", j.Key, j.ID, j.State), 0)
	}
	r := &Recording{JobID: j.ID}
	var err error
	if r.Spec, err = record.SpecOf(j); err != nil {
		return nil, callmodel.Permanent(err)
	}
	result, err := record.ResultOf(j)
	if err != nil || result == nil {
		return nil, callmodel.Permanent(errors.Join(callmodel.Errorf(callmodel.CodeConflict, "job %s has no result that can be read", j.ID), err))
	}
	r.Result = *result
	return r, nil
}

// ofCall are all recordings with the call's id that there are: of a quarantined one what
// was published before. One that isn't finished yet is a callmodel.RetryAfterError.
func (l *Library) ofCall(ctx context.Context, tenant callmodel.TenantID, id callmodel.CallID) ([]*Recording, error) {
	var all []*Recording
	f := ledger.Filter{TenantID: tenant, Kind: record.Kind, CallID: id, Limit: maxRecordings}
	for {
		jobs, err := l.ledger.Jobs(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range jobs {
			j := &jobs[i]
			if j.State == ledger.Quarantined && !j.Published {
				continue
			}
			r, err := finished(j)
			if err != nil {
				return nil, err
			}
			all = append(all, r)
		}
		if len(jobs) < f.Limit {
			return all, nil
		}
		f.After = jobs[len(jobs)-1].ID
	}
}

// maxRecordings of a call are looked through for the one that is meant.
const maxRecordings = 1000

func (l *Library) job(ctx context.Context, asking *task.Job, s Source) (*ledger.Job, error) {
	if s.JobID != "" {
		j, err := l.ledger.Job(ctx, s.JobID)
		if errors.Is(err, callmodel.ErrNotFound) || err == nil && (j.TenantID != asking.TenantID || j.Kind != record.Kind) {
			return nil, errNone
		}
		return &j, err
	}
	f := ledger.Filter{TenantID: asking.TenantID, Kind: record.Kind, CallID: s.CallID, Limit: maxRecordings}
	jobs, err := l.ledger.Jobs(ctx, f)
	if err != nil {
		return nil, err
	}
	var meant *ledger.Job
	if s.RecordingID != "" {
		meant = withKey(jobs, string(s.RecordingID))
	} else {
		meant = meantBy(asking.ID, jobs, string(s.CallID))
	}
	switch {
	case meant != nil:
		return meant, nil
	case len(jobs) == 0 || s.RecordingID != "":
		return nil, errNone
	}
	return nil, callmodel.Permanent(callmodel.Errorf(callmodel.CodeConflict,
		"call %s has several recordings, none with the call's own id: name one by recording_id", s.CallID))
}

// meantBy is the recording of a call that a job means which names the call alone: see
// Source.RecordingID. The recordings' jobs are in the order of their ids, in which jobs are
// enqueued. A job that waits asks again, and must be told the same when there are more.
func meantBy(asking callmodel.JobID, jobs []ledger.Job, own string) *ledger.Job {
	before := 0
	for before < len(jobs) && jobs[before].ID < asking {
		before++
	}
	there := jobs[:before]
	if before == 0 {
		there = jobs
	}
	if j := withKey(there, own); j != nil {
		return j
	}
	if before <= 1 && len(there) > 0 {
		return &there[0]
	}
	return withKey(jobs, own)
}

// withKey is the job of that key; nil if there is none.
func withKey(jobs []ledger.Job, key string) *ledger.Job {
	if i := slices.IndexFunc(jobs, func(j ledger.Job) bool { return j.Key == key }); i >= 0 {
		return &jobs[i]
	}
	return nil
}

// Objects are the recording's objects: its outputs, and its manifest, if it has one. An
// object that isn't the tenant's, as record.Spec.Owns says, is a callmodel.PermanentError.
func (r *Recording) Objects() ([]Object, error) {
	var objects []Object
	for i := range r.Result.Outputs {
		o := &r.Result.Outputs[i]
		objects = append(objects, Object{Key: o.Key, Bytes: o.Bytes, SHA256: o.SHA256, Output: o})
	}
	if m := r.Result.Manifest; m != nil {
		objects = append(objects, Object{Key: m.Key, Bytes: m.Bytes, SHA256: m.SHA256})
	}
	for _, o := range objects {
		if !r.Spec.Owns(o.Key) {
			return nil, callmodel.Permanent(callmodel.Errorf(callmodel.CodeConflict, "object %q isn't the tenant's", o.Key))
		}
	}
	return objects, nil
}

// Copy writes the object's bytes to w, and reports a [*DamageError] if they aren't those
// that were stored. What was written until then is of no use.
func (l *Library) Copy(ctx context.Context, w io.Writer, o *Object) error {
	ctx, cancel := context.WithCancel(ctx) // ends the download, whatever becomes of it
	defer cancel()
	in, err := l.objects.Open(ctx, o.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return &DamageError{Key: o.Key, Code: DefectObjectMissing}
	}
	if callmodel.CodeOf(err) == callmodel.CodeDamaged {
		return &DamageError{Key: o.Key, Code: DefectObjectDiffers, Want: *o, Err: err}
	}
	if err != nil {
		return err
	}
	sum := summed{w: w, hash: sha256.New()}
	n, err := io.Copy(&sum, in)
	err = errors.Join(err, in.Close())
	if callmodel.CodeOf(err) == callmodel.CodeDamaged {
		return &DamageError{Key: o.Key, Code: DefectObjectDiffers, Bytes: n, Want: *o, Err: err}
	}
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.hash.Sum(nil)); got != o.SHA256 || n != o.Bytes {
		return &DamageError{Key: o.Key, Code: DefectObjectDiffers, Bytes: n, SHA256: got, Want: *o}
	}
	return nil
}

// summed hashes what is written through it.
type summed struct {
	w    io.Writer
	hash hash.Hash
}

func (s *summed) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.hash.Write(p[:n])
	return n, err
}

// DiskFault has an error of this machine's disk, which may be full, waited for: it is no
// fault of the job that met it in its temporary directory. Others stay as they are.
func DiskFault(err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return callmodel.RetryAfter(err, 0)
	}
	return err
}
