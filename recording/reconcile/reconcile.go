package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Options are optional.
type Options struct {
	// Repair mends what can be mended. See [Kinds].
	Repair bool
	// Hash reads every object that the ledger names and compares its SHA-256. Without it
	// the sizes are compared, which costs a request for a thousand objects.
	Hash bool
	// Backup is where recordings are while their bucket is away. Nil: there is none, or it
	// isn't compared, and Report.InBackup says how much that leaves out.
	Backup Backup
	// BackupAge is for how long an object may be in the backup though its own bucket
	// answers. 0 means 72 h: workers move home what they have left there when it is two
	// days old.
	BackupAge time.Duration
	// Legs are the files of the legs; nil: they aren't compared.
	Legs Legs
	// Queues are those whose jobs have their legs there; nil: all.
	Queues []string
	// KeepCalls is for how long after its beginning the ledger keeps a call. Objects of
	// older ones are not looked for in it. 0: for ever.
	KeepCalls time.Duration
	// Overdue is for how long a job may wait or run. 0 means 1 h.
	Overdue time.Duration
	// LegAge is how old a leg must be to be missed in the jobs: its call may go on. 0
	// means 24 h.
	LegAge time.Duration
	// Defaults are the outputs of a call that says none, in a job that is enqueued again.
	Defaults []record.OutputSpec
	// Actor is who repairs, in the audit log. "" means "verify".
	Actor string
	// Timeout bounds each use of the ledger and of the bucket, but for reading an object,
	// for which it is one of no progress. 0 means 1 min.
	Timeout time.Duration
	// SortEntries is how many keys are sorted in memory at once, which takes some 250 bytes
	// each. 0 means 40,000.
	SortEntries int
	// Kept is told after every step that is kept, if it isn't nil.
	Kept func(Report)
}

const (
	defaultOverdue = time.Hour
	defaultBackup  = 72 * time.Hour
	defaultLegAge  = 24 * time.Hour
	defaultTimeout = time.Minute
	defaultEntries = 40_000
	// objectTimeout bounds reading or copying one object: 10 GB at 3 MB/s.
	objectTimeout = time.Hour
	jobsAtOnce    = 500
)

// Report is what was compared, and how much was found. It is kept with the position.
type Report struct {
	Done       bool           `json:"done"`
	Bucket     string         `json:"bucket"`
	Backup     string         `json:"backup,omitempty"` // "": it wasn't compared
	BegunAt    time.Time      `json:"begun_at"`         // the ledger's clock
	Calls      int64          `json:"calls"`            // that were looked at
	Jobs       int64          `json:"jobs"`             // of any kind
	Waiting    int64          `json:"waiting"`          // recordings' jobs that aren't at their end
	Objects    int64          `json:"objects"`          // keys of the bucket
	InBackup   int64          `json:"in_backup"`        // recordings that are in the backup, by the ledger
	BackupKeys int64          `json:"backup_objects"`   // keys of the backup
	Versions   int64          `json:"versions"`         // older versions, and marks of deletions, in both
	Earlier    int64          `json:"earlier"`          // objects that are earlier versions of a recording
	Unfinished int64          `json:"unfinished"`       // objects of calls of which a job isn't at its end, and new ones
	Forgotten  int64          `json:"forgotten"`        // objects of calls that the ledger keeps no more
	Foreign    int64          `json:"foreign"`          // objects with keys of another form
	Legs       int64          `json:"legs"`             // files
	NotRead    int64          `json:"not_read"`         // objects of the right size whose bytes there is no key for
	NoKey      string         `json:"no_key,omitempty"` // what the first of those lacks
	Found      map[Kind]int64 `json:"found"`            // mismatches
	Repaired   map[Kind]int64 `json:"repaired"`         // of them those that were mended
}

// Left is how many mismatches were found and not mended.
func (r *Report) Left() int64 {
	var n int64
	for kind, found := range r.Found {
		n += found - r.Repaired[kind]
	}
	return n
}

// Finding is a mismatch.
type Finding struct {
	Kind        Kind                  `json:"kind"`
	TenantID    callmodel.TenantID    `json:"tenant_id,omitempty"`
	CallID      callmodel.CallID      `json:"call_id,omitempty"`
	RecordingID callmodel.RecordingID `json:"recording_id,omitempty"`
	JobID       callmodel.JobID       `json:"job_id,omitempty"`
	Key         string                `json:"key,omitempty"`    // of the object, or the path of the leg
	Bucket      string                `json:"bucket,omitempty"` // of an object in the backup; "": the recordings' own
	Detail      string                `json:"detail"`
	Repaired    bool                  `json:"repaired,omitempty"`
	// Unrepaired is why it was not mended although that was tried.
	Unrepaired string `json:"unrepaired,omitempty"`
}

// Run compares, and goes on where the last run with the directory was stopped. It
// returns what it has come to, also with an error: of the ledger, of the bucket or of the
// directory, or that of ctx. After a run that came to its end the next one begins again.
// The directory is made if it isn't there, and is for one run at a time; a directory that
// holds the position of another bucket, or another backup, is a CodeConflict error.
func Run(ctx context.Context, l Ledger, b Bucket, dir string, o *Options) (Report, error) {
	r := &run{ledger: l, bucket: b, dir: dir}
	if o != nil {
		r.opts = *o
	}
	r.opts.Overdue = cmp.Or(r.opts.Overdue, defaultOverdue)
	r.opts.BackupAge = cmp.Or(r.opts.BackupAge, defaultBackup)
	r.opts.LegAge = cmp.Or(r.opts.LegAge, defaultLegAge)
	r.opts.Timeout = cmp.Or(r.opts.Timeout, defaultTimeout)
	r.opts.SortEntries = cmp.Or(r.opts.SortEntries, defaultEntries)
	r.opts.Actor = cmp.Or(r.opts.Actor, "verify")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return Report{}, err
	}
	unlock, err := lock(dir)
	if err != nil {
		return Report{}, err
	}
	err = r.begin(ctx)
	if err == nil {
		err = r.phases(ctx)
	}
	if r.findings != nil {
		err = errors.Join(err, r.findings.Close())
	}
	return r.at.Report, errors.Join(err, unlock())
}

// Forget removes what a run has left in the directory, so that the next one begins again.
func Forget(dir string) error { return forget(dir) }

// run is one that goes on.
type run struct {
	ledger   Ledger
	bucket   Bucket
	dir      string
	opts     Options
	at       position
	findings *findings
	now      time.Time // the ledger's clock, when it was begun or gone on with
}

// begin reads the position, or makes one.
func (r *run) begin(ctx context.Context) error {
	var err error
	if r.at, err = loadPosition(r.dir); err != nil {
		return err
	}
	if r.at.Phase == phaseDone {
		r.at = position{}
	}
	if err := r.within(ctx, func(ctx context.Context) (err error) { r.now, err = r.ledger.Now(ctx); return err }); err != nil {
		return err
	}
	home, backup := placeOf(r.bucket), ""
	if r.opts.Backup != nil {
		backup = placeOf(r.opts.Backup)
	}
	if r.at.Form == 0 {
		if err := forget(r.dir); err != nil {
			return err
		}
		r.at = position{Form: positionForm, Begun: r.now, Phase: phaseCalls, Home: bucketPosition{Bucket: home}, Backup: bucketPosition{Bucket: backup}, Report: Report{
			Bucket: home, Backup: backup, BegunAt: r.now, Found: map[Kind]int64{}, Repaired: map[Kind]int64{},
		}}
	}
	for _, one := range []struct{ what, was, is string }{{"a run over", r.at.Home.Bucket, home}, {"a run with the backup", r.at.Backup.Bucket, backup}} {
		if one.was != one.is {
			return callmodel.Errorf(callmodel.CodeConflict, "%s has the position of %s %q, and this one is %q: give each a directory of its own, or begin again",
				r.dir, one.what, one.was, one.is)
		}
	}
	r.findings, err = openFindings(filepath.Join(r.dir, findingsFile), r.at.Findings)
	return err
}

// placeOf is the bucket's URL.
func placeOf(b Bucket) string { return strings.TrimSuffix(b.URL("any"), "/any") }

// phases does what is left.
func (r *run) phases(ctx context.Context) error {
	for _, p := range []struct {
		at phase
		do func(ctx context.Context) error
		to phase
	}{
		{phaseCalls, r.calls, phaseJobs},
		{phaseJobs, r.jobs, phaseObjects},
		{phaseObjects, r.home, phaseBackup},
		{phaseBackup, r.backup, phaseLegs},
		{phaseLegs, r.legs, phaseDone},
	} {
		if r.at.Phase != p.at {
			continue
		}
		if err := p.do(ctx); err != nil {
			return fmt.Errorf("comparing %s: %w", p.at, err)
		}
		r.at.Phase = p.to
		r.at.Report.Done = p.to == phaseDone
		if err := r.keep(); err != nil {
			return err
		}
	}
	return nil
}

// keep makes what was done so far last.
func (r *run) keep() error {
	var err error
	if r.at.Findings, err = r.findings.flush(); err != nil {
		return err
	}
	if err := r.at.keep(r.dir); err != nil {
		return err
	}
	if r.opts.Kept != nil {
		r.opts.Kept(r.at.Report)
	}
	return nil
}

// within runs do within the time that a use of the ledger or the bucket may take.
func (r *run) within(ctx context.Context, do func(context.Context) error) error {
	own, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	return do(own)
}

// found notes a mismatch, and mends it by repair if that is wanted; nil: it can't be.
func (r *run) found(ctx context.Context, f Finding, repair func(context.Context) (bool, error)) error {
	return r.foundWithin(ctx, f, r.opts.Timeout, repair)
}

// foundWithin is found for a repair that may take so long.
func (r *run) foundWithin(ctx context.Context, f Finding, most time.Duration, repair func(context.Context) (bool, error)) error {
	if repair != nil && r.opts.Repair {
		own, cancel := context.WithTimeout(ctx, most)
		var err error
		f.Repaired, err = repair(own)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			f.Unrepaired = err.Error()
		case !f.Repaired:
			f.Unrepaired = "there was nothing to mend any more, or nothing to mend it by"
		}
	}
	r.at.Report.Found[f.Kind]++
	if f.Repaired {
		r.at.Report.Repaired[f.Kind]++
	}
	return r.findings.add(f)
}
