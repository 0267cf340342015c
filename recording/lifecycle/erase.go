package lifecycle

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/erasure"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
)

// ErasureLedger is where recordings are that are deleted, and what is left of them.
// *calldb.DB and *memdb.Store are such ledgers: every one passes storetest.Retention.
type ErasureLedger interface {
	// Job reads one job; ErrNotFound.
	Job(ctx context.Context, id callmodel.JobID) (ledger.Job, error)
	// Jobs lists jobs by id, ascending.
	Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error)
	// NamedBy is Ledger's.
	NamedBy(ctx context.Context, uris []string) (callmodel.JobID, error)
	// Now is the database's clock.
	Now(ctx context.Context) (time.Time, error)
	// HeldBy is a hold that is on the recording; nil for none. One whose call isn't stored
	// is held by any hold on a user or a number.
	HeldBy(ctx context.Context, r retention.Recording) (*retention.HeldError, error)
	// BeginErasure begins a deletion, in one transaction: the recording's job, its call and
	// the jobs that have made something of it name no object any more that is to be
	// deleted, and what there is of it is kept for EndErasure. A deletion that the job has
	// begun already is returned as it is. A *retention.HeldError for what is held,
	// CodeConflict for a recording that is being made, CodeGone for one that was deleted.
	BeginErasure(ctx context.Context, b retention.Begin) (retention.Erasure, error)
	// EndErasure ends it, with an audit line and an event that say what was where. found
	// has all objects and legs. One that has ended already is returned as it is.
	EndErasure(ctx context.Context, found retention.Erasure, worker string) (retention.Erasure, error)
	// Erasures are the deletions of a recording, and of versions of it, by their beginning.
	Erasures(ctx context.Context, t callmodel.TenantID, id callmodel.RecordingID) ([]retention.Erasure, error)
}

// Bucket is a bucket that recordings may be in. *storage.Store is one; one that has a
// backup to read from is given as storage.Store.Alone, and the backup beside it.
type Bucket interface {
	// Inventory is all that the bucket has of the keys that begin with prefix and that which
	// takes: objects, older versions, and marks of deletions.
	Inventory(ctx context.Context, prefix string, which func(key string) bool) ([]retention.Object, error)
	// HashStored reads an object, or a version of one, that Inventory has listed, as the
	// bucket has it, and sets its SHA256 and Encrypted.
	HashStored(ctx context.Context, o *retention.Object) error
	// Erase deletes all that Inventory lists, for good, and reports success only when
	// nothing is listed any more. A *retention.LockedError for what the bucket's own lock
	// keeps.
	Erase(ctx context.Context, prefix string, which func(key string) bool) (gone []retention.Object, err error)
}

// EraserOptions say what an Eraser deletes from. Buckets are needed.
type EraserOptions struct {
	// Buckets are the recordings' own, and the backup bucket if there is one.
	Buckets []Bucket
	// Legs is where the legs are. One that has a method EraseLeg(ctx, below, uri) (bool,
	// error), as *storage.Store, deletes their older versions, too. Nil: they can't be
	// deleted, and recordings whose legs may be there wait.
	Legs Place
	// Queues are those of the jobs whose legs are in the place; empty: all.
	Queues []string
	// Redactor makes recordings again without what is redacted. Nil: none is redacted here.
	Redactor *stored.Redactor
	// HashBytes is how many bytes of a recording's objects and versions are read at most for
	// their hashes, and HashTime how long that may take, before they are deleted: what isn't
	// read is deleted all the same, and the proof says so. 0 means 1 GiB and a minute; less than
	// 0: nothing is read.
	HashBytes int64
	HashTime  time.Duration
	// Logger gets a line for every recording that was deleted. Nil: nothing is logged.
	Logger *slog.Logger
}

// Eraser deletes recordings with all that there is of them. Make one with [NewEraser].
type Eraser struct {
	ledger ErasureLedger
	opts   EraserOptions
}

// NewEraser makes what deletes recordings of the ledger. It starts nothing.
func NewEraser(l ErasureLedger, o EraserOptions) (*Eraser, error) {
	if len(o.Buckets) == 0 || o.Buckets[0] == nil {
		return nil, callmodel.FieldErrors{{Path: "buckets", Message: "are missing; give the recordings' bucket"}}
	}
	o.HashBytes, o.HashTime = cmp.Or(o.HashBytes, 1<<30), cmp.Or(o.HashTime, time.Minute)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Eraser{ledger: l, opts: o}, nil
}

// Erased is what a job that deletes came to.
type Erased struct {
	Status  record.Status   `json:"status"` // StatusCompleted
	JobID   callmodel.JobID `json:"job_id"` // that has made the recording
	Kind    string          `json:"kind"`
	Objects int             `json:"objects"` // with their older versions
	Bytes   int64           `json:"bytes"`
	Legs    int             `json:"legs"`
	DoneAt  time.Time       `json:"done_at"`
}

// Kinds are the kinds of the jobs, which a worker does that has the legs.
func (e *Eraser) Kinds() []task.Kind {
	kinds := []task.Kind{task.Of(retention.KindErase, e.erase)}
	if e.opts.Redactor != nil {
		kinds = append(kinds, task.Of(retention.KindRedact, e.redact))
	}
	return kinds
}

func (e *Eraser) erase(ctx context.Context, j *task.Job, d erasure.Payload) (any, error) {
	begun, err := e.begun(ctx, j)
	if err != nil {
		return nil, err
	}
	if begun == nil {
		if begun, err = e.begin(ctx, j, &d); err != nil {
			return nil, err
		}
	}
	return e.destroy(ctx, j, begun, nil)
}

// begun is the deletion that the job has begun already; nil for none.
func (e *Eraser) begun(ctx context.Context, j *task.Job) (*retention.Erasure, error) {
	_, id := recordingOf(j)
	all, err := e.ledger.Erasures(ctx, j.TenantID, id)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ByJob == j.ID {
			return &all[i], nil
		}
	}
	return nil, nil //nolint:nilnil // none is no fault
}

// recordingOf is what the job is about.
func recordingOf(j *task.Job) (retention.Recording, callmodel.RecordingID) {
	var p struct {
		RecordingID callmodel.RecordingID `json:"recording_id"`
	}
	_ = json.Unmarshal(j.Payload, &p) // its kind has read it
	id := cmp.Or(p.RecordingID, callmodel.RecordingID(j.Key))
	return retention.Recording{TenantID: j.TenantID, CallID: j.CallID, RecordingID: id}, id
}

// soon is how long a job waits for a recording that is being made.
const soon = time.Minute

// made is the job of the recording, once nothing is in the way of its deletion.
func (e *Eraser) made(ctx context.Context, j *task.Job, id callmodel.JobID) (*ledger.Job, error) {
	if len(e.opts.Queues) > 0 && !slices.Contains(e.opts.Queues, j.Queue) {
		return nil, waits("the legs of the queue %s are elsewhere", j.Queue)
	}
	made, err := e.ledger.Job(ctx, id)
	if errors.Is(err, callmodel.ErrNotFound) || err == nil && (made.TenantID != j.TenantID || made.Kind != record.Kind) {
		return nil, callmodel.Permanent(callmodel.Errorf(callmodel.CodeNotFound, "the tenant has no such recording"))
	}
	if err != nil {
		return nil, err
	}
	if made.State == ledger.Running {
		return nil, callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, "recording %s is being made", made.Key), soon)
	}
	return &made, e.free(ctx, retention.Recording{TenantID: made.TenantID, CallID: made.CallID, RecordingID: callmodel.RecordingID(made.Key)})
}

// free is an error that waits while the recording is held.
func (e *Eraser) free(ctx context.Context, r retention.Recording) error {
	held, err := e.ledger.HeldBy(ctx, r)
	if err == nil && held != nil {
		err = callmodel.RetryAfter(held, again)
	}
	return err
}

func (e *Eraser) begin(ctx context.Context, j *task.Job, d *erasure.Payload) (*retention.Erasure, error) {
	made, err := e.made(ctx, j, d.JobID)
	if err != nil {
		return nil, err
	}
	b := retention.Begin{Erasure: retention.Erasure{
		TenantID: j.TenantID, JobID: made.ID, ByJob: j.ID, Kind: retention.KindErase, Reason: d.Reason, Actor: cmp.Or(d.Actor, j.Worker),
	}}
	if err := e.plan(ctx, made, &b, nil); err != nil {
		return nil, err
	}
	return e.commit(ctx, &b)
}

// commit begins the deletion in the ledger.
func (e *Eraser) commit(ctx context.Context, b *retention.Begin) (*retention.Erasure, error) {
	begun, err := e.ledger.BeginErasure(ctx, *b)
	switch callmodel.CodeOf(err) {
	case "":
		return &begun, nil
	case callmodel.CodeConflict: // it was placed under a hold, or put back, meanwhile
		return nil, callmodel.RetryAfter(err, soon)
	case callmodel.CodeGone:
		return nil, callmodel.Permanent(err)
	default:
		return nil, err
	}
}

// plan lists what there is of the recording, but for the keys to keep.
func (e *Eraser) plan(ctx context.Context, made *ledger.Job, b *retention.Begin, keep map[string]bool) error {
	spec, err := record.SpecOf(made)
	if err != nil {
		return callmodel.Permanent(err)
	}
	rec := stored.Recording{JobID: made.ID, Spec: spec}
	result, err := record.ResultOf(made)
	if err != nil {
		return callmodel.Permanent(err)
	}
	hashes := map[string]string{}
	if result != nil {
		rec.Result = *result
		for i := range result.Legs {
			hashes[result.Legs[i].Name] = result.Legs[i].SHA256
		}
	}
	for i := range spec.Legs {
		leg := retention.Leg{Name: spec.Legs[i].Name, Files: len(spec.Legs[i].Segments), SHA256: hashes[spec.Legs[i].Name], Below: spec.LegsBelow}
		for _, s := range spec.Legs[i].Segments {
			leg.URIs = append(leg.URIs, s.URI)
		}
		b.Erasure.Legs = append(b.Erasure.Legs, leg)
	}
	first := spec.Key(record.OutputSpec{Codec: record.CodecWAV})
	b.Erasure.Prefix = path.Dir(first.String()) + "/" + string(spec.RecordingID)
	named, err := rec.Objects()
	if err != nil {
		return err
	}
	for i := range named {
		b.Erasure.Keys = append(b.Erasure.Keys, named[i].Key)
	}
	if err := e.exports(ctx, made, b); err != nil {
		return err
	}
	hash := e.hashing(ctx)
	defer hash.end()
	for _, bucket := range e.opts.Buckets {
		for _, at := range places(&b.Erasure, keep) {
			there, err := bucket.Inventory(ctx, at.prefix, at.which)
			if err != nil {
				return refused(err)
			}
			hash.read(ctx, bucket, there)
			b.Erasure.Objects = append(b.Erasure.Objects, there...)
		}
	}
	for i := range b.Erasure.Objects {
		o := &b.Erasure.Objects[i]
		for k := range named {
			if named[k].Key == o.Key && o.Current {
				o.Ledger = &retention.Named{Bytes: named[k].Bytes, SHA256: named[k].SHA256}
			}
		}
		if k, ours := record.ParseObjectKey(o.Key); ours && k.Name != "" {
			b.Derived = append(b.Derived, transcodes(k.Name)...)
		}
	}
	slices.Sort(b.Derived)
	b.Derived = slices.Compact(b.Derived)
	return nil
}

// refused has an error of the bucket that no waiting mends set the job aside.
func refused(err error) error {
	if later, ok := errors.AsType[*callmodel.RetryAfterError](err); !ok || later == nil {
		if callmodel.CodeOf(err) == callmodel.CodeForbidden {
			return callmodel.Permanent(err)
		}
	}
	return err
}

// transcodes are the jobs that may have made the object of that name: see stored.Transcode.
func transcodes(name string) (jobs []string) {
	jobs = append(jobs, stored.KindTranscode+"/"+name)
	for i := range len(name) {
		if name[i] == '-' && i > 0 {
			jobs = append(jobs, stored.KindTranscode+"/"+name[:i])
		}
	}
	return jobs
}

// place is a part of a bucket.
type place struct {
	prefix string
	which  func(key string) bool
}

// places are where the objects of a deletion may be: below the recording's own prefix, and
// elsewhere by their keys. keep has those to keep.
func places(e *retention.Erasure, keep map[string]bool) []place {
	all := []place{{e.Prefix, func(key string) bool {
		k, ours := record.ParseObjectKey(key)
		return ours && strings.HasPrefix(key, e.Prefix) && string(k.RecordingID) == path.Base(e.Prefix) && !keep[key]
	}}}
	for _, own := range e.Keys {
		if !keep[own] && !all[0].which(own) {
			all = append(all, place{own, func(key string) bool { return key == own }})
		}
	}
	return all
}

// destroy deletes the bytes of a deletion that has begun, and ends it.
func (e *Eraser) destroy(ctx context.Context, j *task.Job, begun *retention.Erasure, keep map[string]bool) (any, error) {
	if begun.State != retention.Done {
		of := retention.Recording{TenantID: begun.TenantID, CallID: begun.CallID, RecordingID: begun.RecordingID}
		exports, err := e.lateExports(ctx, begun)
		if err != nil {
			return nil, err
		}
		// The backup goes first: workers move home what they find in it.
		for _, bucket := range slices.Backward(e.opts.Buckets) {
			for _, at := range append(places(begun, keep), exports...) {
				if err := e.free(ctx, of); err != nil {
					return nil, err
				}
				gone, err := bucket.Erase(ctx, at.prefix, at.which)
				begun.Objects = joined(begun.Objects, gone)
				if err != nil {
					return nil, e.locked(ctx, refused(err))
				}
			}
		}
		if err := e.destroyLegs(ctx, begun, of); err != nil {
			return nil, err
		}
		ended, err := e.ledger.EndErasure(ctx, *begun, j.Worker)
		if err != nil {
			return nil, err
		}
		begun = &ended
		e.opts.Logger.InfoContext(ctx, "a recording was deleted", "job", begun.JobID, "by_job", j.ID, "kind", begun.Kind, "objects", len(begun.Objects))
	}
	done := Erased{Status: record.StatusCompleted, JobID: begun.JobID, Kind: begun.Kind, Objects: len(begun.Objects), DoneAt: begun.DoneAt}
	for i := range begun.Objects {
		done.Bytes += begun.Objects[i].Bytes
	}
	for i := range begun.Legs {
		done.Legs += begun.Legs[i].Files
	}
	return done, nil
}

// joined are the objects with those of more that aren't among them.
func joined(all, more []retention.Object) []retention.Object {
	for _, o := range more {
		if !slices.ContainsFunc(all, func(a retention.Object) bool { return a.Bucket == o.Bucket && a.Key == o.Key && a.Version == o.Version }) {
			if !o.Mark && o.SHA256 == "" {
				o.NotRead = "it wasn't there when the deletion began"
			}
			all = append(all, o)
		}
	}
	return all
}

// longest is how long a job waits at most for a bucket's own lock, which may be ended early.
const longest = 24 * time.Hour

// locked has an error of a bucket's own lock waited for.
func (e *Eraser) locked(ctx context.Context, err error) error {
	lock, ok := errors.AsType[*retention.LockedError](err)
	if !ok {
		return err
	}
	wait := longest
	if !lock.Until.IsZero() {
		now, nowErr := e.ledger.Now(ctx)
		if nowErr != nil {
			return errors.Join(err, nowErr)
		}
		wait = min(max(lock.Until.Sub(now), soon), longest)
	}
	return callmodel.RetryAfter(err, wait)
}

// destroyLegs deletes the legs, unless another recording that isn't done needs one.
func (e *Eraser) destroyLegs(ctx context.Context, begun *retention.Erasure, of retention.Recording) error {
	var uris []string
	for i := range begun.Legs {
		for _, uri := range begun.Legs[i].URIs {
			if !slices.Contains(begun.Keys, uri) { // an adopted recording is its own leg
				uris = append(uris, uri)
			}
		}
	}
	if len(uris) == 0 {
		return nil
	}
	if e.opts.Legs == nil {
		return waits("the legs of recording %s can't be deleted by this worker", begun.RecordingID)
	}
	by, err := e.ledger.NamedBy(ctx, uris)
	if err != nil {
		return err
	}
	if by != "" {
		return waits("job %s needs a leg of recording %s", by, begun.RecordingID)
	}
	if err := e.free(ctx, of); err != nil {
		return err
	}
	shared, err := e.shared(ctx, begun)
	if err != nil {
		return err
	}
	for i := range begun.Legs {
		leg := &begun.Legs[i]
		leg.End = retention.LegGone
		for _, uri := range leg.URIs {
			if shared[uri] {
				leg.End = retention.LegShared
				continue
			}
			deleted, err := e.destroyLeg(ctx, leg.Below, uri)
			if err != nil {
				return e.locked(ctx, err)
			}
			if deleted {
				leg.End = retention.LegDeleted
			}
		}
	}
	return nil
}

// shared are the legs that other recordings have as well, which weren't deleted: they go with
// the last of these.
func (e *Eraser) shared(ctx context.Context, begun *retention.Erasure) (map[string]bool, error) {
	shared := map[string]bool{}
	if begun.CallID == "" {
		return shared, nil
	}
	f := ledger.Filter{TenantID: begun.TenantID, Kind: record.Kind, CallID: begun.CallID, Limit: 1000}
	for {
		jobs, err := e.ledger.Jobs(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range jobs {
			if callmodel.RecordingID(jobs[i].Key) == begun.RecordingID {
				continue
			}
			spec, err := record.SpecOf(&jobs[i])
			if err != nil {
				continue // what can't be read names no leg
			}
			for k := range spec.Legs {
				for _, s := range spec.Legs[k].Segments {
					shared[s.URI] = true // of one that was deleted the names are gone
				}
			}
		}
		if len(jobs) < f.Limit {
			return shared, nil
		}
		f.After = jobs[len(jobs)-1].ID
	}
}

func (e *Eraser) destroyLeg(ctx context.Context, below, uri string) (deleted bool, err error) {
	if versions, ok := e.opts.Legs.(interface {
		EraseLeg(ctx context.Context, below, uri string) (bool, error)
	}); ok {
		return versions.EraseLeg(ctx, below, uri)
	}
	size, modified, err := e.opts.Legs.StatLeg(ctx, below, uri)
	if err == nil {
		deleted, err = e.opts.Legs.RemoveLeg(ctx, below, uri, size, modified)
		if err == nil && !deleted {
			return false, callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, "%s is being written to", uri), soon)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return deleted, err
}
