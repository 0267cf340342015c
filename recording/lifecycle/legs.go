package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
)

// KindDeleteLegs is the kind of the jobs that delete a recording's legs. Their key is the
// recording's, their queue that of its job, their payload a [Deletion] and their result a
// [Deleted]. They aren't for clients to enqueue: a [Legs] makes them.
const KindDeleteLegs = retention.KindDeleteLegs

// Ledger is where recordings are found, and what needs their legs. *calldb.DB and
// *memdb.Store are such ledgers: every one passes storetest.Jobs.
type Ledger interface {
	// Enqueue is recordinghttp.Ledger's.
	Enqueue(ctx context.Context, r ledger.Request) (id callmodel.JobID, created bool, err error)
	// Job reads one job; ErrNotFound.
	Job(ctx context.Context, id callmodel.JobID) (ledger.Job, error)
	// Jobs and Retry are recordinghttp.Ledger's.
	Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error)
	Retry(ctx context.Context, id callmodel.JobID, actor string) error
	// LegsDue looks at some jobs for recordings whose legs may be deleted.
	LegsDue(ctx context.Context, q ledger.LegsDue) (ledger.LegsFound, error)
	// NamedBy is a recording job that isn't done, waiting, running or set aside, and has a
	// leg of one of these names, in whatever queue; "" if there is none.
	NamedBy(ctx context.Context, uris []string) (callmodel.JobID, error)
	// Now is the database's clock.
	Now(ctx context.Context) (time.Time, error)
}

// Place is where the legs are. *local.Dir and *storage.Store are places. The error for a
// file that is missing wraps fs.ErrNotExist.
type Place interface {
	// OpenLeg is recording.LegOpener's.
	OpenLeg(ctx context.Context, uri string) (io.ReadCloser, error)
	// StatLeg is the size of a leg's file and when it was written last.
	StatLeg(ctx context.Context, below, uri string) (size int64, modified time.Time, err error)
	// RemoveLeg removes it for good, if it still is as StatLeg said; removed is false if
	// it is another one.
	RemoveLeg(ctx context.Context, below, uri string, size int64, modified time.Time) (removed bool, err error)
}

// Options say which legs are deleted, and when. Keep is needed; what else is zero works.
type Options struct {
	// Keep is how long after the recording was done its legs are kept. They can be
	// processed again until then, which gives the same bytes. At least MinKeep.
	Keep time.Duration
	// Queues are those of the jobs whose legs are in the place. Empty: all, as in a bucket
	// that all telephone servers write to.
	Queues []string
	// Held says why nothing of the recording may be deleted; "" if it may. Nil: everything
	// may.
	Held func(ctx context.Context, r *record.Spec) (why string, err error)
	// Every is about how long Run pauses between two looks. 0 means 10 minutes.
	Every time.Duration
	// Timeout bounds a look at one recording's legs, and every call of the ledger by Run.
	// 0 means 10 minutes.
	Timeout time.Duration
	// Now is the machine's clock, by which files are old. Needed.
	Now func() time.Time
	// Logger gets a line for legs that can't be deleted. Nil: nothing is logged.
	Logger *slog.Logger
}

// MinKeep is the shortest Options.Keep: less is a mistaken unit.
const MinKeep = time.Hour

// again is how long a job waits whose legs somebody needs.
const again = time.Hour

// Legs deletes legs. Make one with [NewLegs].
type Legs struct {
	ledger  Ledger
	place   Place
	library *stored.Library
	opts    Options

	// Of Sweep: before the place settled nothing is left to decide, and what was looked at
	// and is kept isn't looked at again.
	settled int64
	kept    map[callmodel.JobID]struct{}

	removedFiles, removedBytes atomic.Int64
}

// NewLegs makes what deletes legs in the place, of recordings of the ledger whose objects
// the library reads back. The error is FieldErrors. It starts nothing.
func NewLegs(l Ledger, p Place, library *stored.Library, o Options) (*Legs, error) {
	var faults callmodel.FieldErrors
	if o.Keep < MinKeep {
		faults.Add("keep", "is %v; give at least %v", o.Keep, MinKeep)
	}
	if o.Now == nil {
		faults.Add("now", "is missing; give the machine's clock")
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	o.Every, o.Timeout = cmp.Or(o.Every, 10*time.Minute), cmp.Or(o.Timeout, 10*time.Minute)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Legs{ledger: l, place: p, library: library, opts: o, kept: map[callmodel.JobID]struct{}{}}, nil
}

// Removed is how many files this process has removed, and their bytes.
func (l *Legs) Removed() (files, bytes int64) { return l.removedFiles.Load(), l.removedBytes.Load() }

// Deletion says which files are deleted: the payload of a job.
type Deletion struct {
	// JobID is the job that has made the recording of these legs.
	JobID callmodel.JobID `json:"job_id"`
	Files []File          `json:"files"`
}

// File is a leg's file as it was when it was decided to delete it.
type File struct {
	URI        string    `json:"uri"`
	Bytes      int64     `json:"bytes"`
	ModifiedAt time.Time `json:"modified_at"` // the machine's clock
}

// Validate reports every fault, as FieldErrors.
func (d *Deletion) Validate() error {
	var e callmodel.FieldErrors
	e.CheckID("job_id", string(d.JobID))
	if len(d.Files) == 0 || len(d.Files) > record.MaxLegs*record.MaxSegments {
		e.Add("files", "are %d; there is at least one", len(d.Files))
	}
	return e.Err()
}

// What became of a file.
const (
	FileDeleted = "deleted" // by this attempt
	FileGone    = "gone"    // it was gone already, by an attempt before or by somebody else
	FileChanged = "changed" // it is another one now, and was left alone
)

// Deleted is what a job came to.
type Deleted struct {
	// Status is StatusCompleted if no file is left, StatusCompletedDegraded else, and
	// StatusAbsent if nothing was to be deleted, for Reason.
	Status  record.Status   `json:"status"`
	Reason  string          `json:"reason,omitempty"`
	JobID   callmodel.JobID `json:"job_id"` // that has made the recording
	Files   []DeletedFile   `json:"files,omitempty"`
	Bytes   int64           `json:"bytes"`   // of the files that this attempt has deleted
	Objects int             `json:"objects"` // that were read back before
}

// DeletedFile is a file and what became of it.
type DeletedFile struct {
	File

	End string `json:"end"` // FileDeleted, FileGone or FileChanged
}

// Retriable reports whether a person may have it tried again.
func (d Deleted) Retriable() bool { return d.Status != record.StatusCompleted }

// Kind is the kind of the jobs, which a worker does that has the legs.
func (l *Legs) Kind() task.Kind { return task.Of(KindDeleteLegs, l.delete) }

func (l *Legs) delete(ctx context.Context, j *task.Job, d Deletion) (any, error) {
	if len(l.opts.Queues) > 0 && !slices.Contains(l.opts.Queues, j.Queue) {
		return nil, waits("the legs of the queue %s are elsewhere", j.Queue)
	}
	done := Deleted{Status: record.StatusCompleted, JobID: d.JobID}
	rec, why, err := l.ask(ctx, j, &d)
	if err != nil {
		return nil, err
	}
	if why == "" {
		if done.Objects, why, err = l.readBack(ctx, rec); err != nil {
			return nil, err
		}
	}
	if why != "" {
		done.Status, done.Reason = record.StatusAbsent, why
		return done, nil
	}
	// Reading may have taken long, in which somebody may have put the recording back.
	if _, why, err = l.ask(ctx, j, &d); err != nil {
		return nil, err
	}
	if why != "" {
		done.Status, done.Reason = record.StatusAbsent, why
		return done, nil
	}
	for _, f := range d.Files {
		end := FileDeleted
		removed, err := l.place.RemoveLeg(ctx, rec.Spec.LegsBelow, f.URI, f.Bytes, f.ModifiedAt)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			end = FileGone
		case err != nil:
			return nil, err
		case !removed:
			end, done.Status = FileChanged, record.StatusCompletedDegraded
		default:
			done.Bytes += f.Bytes
			l.removedFiles.Add(1)
			l.removedBytes.Add(f.Bytes)
		}
		done.Files = append(done.Files, DeletedFile{File: f, End: end})
	}
	return l.outcome(j, &done)
}

// outcome is the result with an audit line that says what was where.
func (l *Legs) outcome(j *task.Job, done *Deleted) (ledger.Outcome, error) {
	o, err := task.OutcomeOf(j, *done)
	if err != nil {
		return o, err
	}
	o.Effects = func(c ledger.Commit) (ledger.Effects, error) {
		ends := make([]string, 0, len(done.Files))
		for _, f := range done.Files {
			ends = append(ends, f.URI+" ("+f.End+", "+strconv.FormatInt(f.Bytes, 10)+" bytes)")
		}
		return ledger.Effects{Detail: map[string]string{
			"kind": KindDeleteLegs, "key": c.Key, "call_id": string(c.CallID), "job_id": string(done.JobID), "status": string(done.Status),
			"bytes": strconv.FormatInt(done.Bytes, 10), "files": clip(strings.Join(ends, ", ")),
		}}, nil
	}
	return o, nil
}

// clip bounds what an audit line says of the files; the job's result says it all.
func clip(s string) string {
	const most = 2048
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// ask asks everything but the bucket whether the legs may be deleted now. why says why
// they never will be, and an error that waits, that they may be later.
func (l *Legs) ask(ctx context.Context, j *task.Job, d *Deletion) (rec *stored.Recording, why string, err error) {
	made, err := l.ledger.Job(ctx, d.JobID)
	if errors.Is(err, callmodel.ErrNotFound) || err == nil && (made.TenantID != j.TenantID || made.Kind != record.Kind || made.Key != j.Key) {
		return nil, "the ledger has no such recording any more", nil
	}
	if err != nil {
		return nil, "", err
	}
	if made.State != ledger.Done {
		return nil, "", waits("recording %s is %s again", made.Key, made.State)
	}
	now, err := l.ledger.Now(ctx)
	if err != nil {
		return nil, "", err
	}
	if left := made.FinishedAt.Add(l.opts.Keep).Sub(now); left > 0 { // it was made again, or is kept longer now
		return nil, "", callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, "the legs are kept for %v more", left.Round(time.Second)), left)
	}
	rec, why, err = recorded(&made)
	if err != nil || why != "" {
		return nil, why, err
	}
	named := uris(&rec.Spec)
	for i := range d.Files {
		if !slices.Contains(named, d.Files[i].URI) {
			return nil, "", callmodel.Permanent(callmodel.Errorf(callmodel.CodeInvalid, "%s is no leg of recording %s", d.Files[i].URI, made.Key))
		}
	}
	if l.opts.Held != nil {
		held, err := l.opts.Held(ctx, &rec.Spec)
		if err != nil {
			return nil, "", err
		}
		if held != "" {
			return nil, "", waits("recording %s is held: %s", made.Key, held)
		}
	}
	by, err := l.ledger.NamedBy(ctx, named)
	if err == nil && by != "" {
		err = waits("job %s needs a leg of recording %s", by, made.Key)
	}
	return rec, "", err
}

// waits is an error of a job that looks again later, uncounted.
func waits(format string, args ...any) error {
	return callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, format, args...), again)
}

// recorded is the recording of a job that is done, or why its legs are kept.
func recorded(j *ledger.Job) (rec *stored.Recording, why string, err error) {
	rec = &stored.Recording{JobID: j.ID}
	if rec.Spec, err = record.SpecOf(j); err != nil {
		return nil, "", callmodel.Permanent(err)
	}
	result, err := record.ResultOf(j)
	if err != nil {
		return nil, "", callmodel.Permanent(err)
	}
	if result == nil || result.Status != record.StatusCompleted || len(result.Outputs) == 0 || result.URL() == "" {
		return nil, "the recording isn't complete", nil
	}
	rec.Result = *result
	named := uris(&rec.Spec)
	objects, err := rec.Objects()
	if err != nil {
		return nil, "", err
	}
	for i := range objects {
		if objects[i].Key == "" {
			return nil, "the recording isn't in the bucket", nil
		}
		if slices.Contains(named, objects[i].Key) {
			return nil, "the recording was adopted, and is its own leg", nil
		}
	}
	return rec, "", nil
}

// uris are the names of all files of the legs.
func uris(s *record.Spec) []string {
	var all []string
	for i := range s.Legs {
		for k := range s.Legs[i].Segments {
			all = append(all, s.Legs[i].Segments[k].URI)
		}
	}
	return all
}

// readBack reads the recording's objects, and says what is wrong with one.
func (l *Legs) readBack(ctx context.Context, rec *stored.Recording) (n int, why string, err error) {
	objects, err := rec.Objects()
	if err != nil {
		return 0, "", err
	}
	for i := range objects {
		var damage *stored.DamageError
		switch err := l.library.ReadBack(ctx, &objects[i]); {
		case errors.As(err, &damage):
			l.opts.Logger.ErrorContext(ctx, "legs are kept, as their recording isn't in the bucket as it was made", "job", rec.JobID, "error", err)
			return i, damage.Error(), nil
		case err != nil:
			return i, "", fmt.Errorf("read recording %s back: %w", rec.Spec.RecordingID, err)
		}
	}
	return len(objects), "", nil
}
