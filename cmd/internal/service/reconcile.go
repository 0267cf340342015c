package service

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/internal/clock"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/recording/worker"
)

// ReconcileOptions say how much of what should be is compared with what there is.
type ReconcileOptions struct {
	LegsDir    string        `help:"Directory of the legs, to be compared with the jobs." type:"existingdir" placeholder:"DIR"`
	LegsOf     []string      `help:"Queues whose jobs have their legs there. Default: all." placeholder:"HOST"`
	Hash       bool          `help:"Read every object and compare its SHA-256. Without it the sizes are compared."`
	KeepsCalls time.Duration `help:"--keep-calls of the service: objects of calls that it keeps no more are not looked for." default:"0"`
	Overdue    time.Duration `help:"A job may wait, or run, for so long." default:"1h"`
	BackupAge  time.Duration `help:"An object may be in the backup bucket for so long though its own bucket is back." default:"72h"`
	LegAge     time.Duration `help:"A leg that no job names is a mismatch when it is so old." default:"24h"`
}

// Options are those of a comparison; recorded says what is made of calls that say nothing.
func (o *ReconcileOptions) Options(recorded RecordOptions) (*reconcile.Options, error) {
	if o.KeepsCalls < 0 || o.Overdue < 0 || o.BackupAge < 0 || o.LegAge < 0 {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "--keeps-calls, --overdue, --backup-age and --leg-age can't be negative")
	}
	opts := &reconcile.Options{
		Hash: o.Hash, Queues: o.LegsOf, KeepCalls: o.KeepsCalls, Overdue: o.Overdue, BackupAge: o.BackupAge, LegAge: o.LegAge, Defaults: recorded.outputs(),
	}
	if o.LegsDir != "" {
		opts.Legs = reconcile.FS(os.DirFS(o.LegsDir))
	}
	return opts, nil
}

// VerifyOptions have a process compare what should be of recordings with what there is,
// now and then.
type VerifyOptions struct {
	VerifyEvery  time.Duration `help:"Compare calls, ledger, bucket and outbox so often, as switchtape verify does. Of all processes that are told so one does it, and another when that has gone. 0: never." default:"0"`
	VerifyDir    string        `help:"Directory of this process's own, on a disk that stays, which keeps how far the comparison has come and what it has found. Needed with --verify-every." type:"path" placeholder:"DIR"`
	VerifyRepair bool          `help:"Mend what can be mended. Nothing is deleted by it."`
	VerifyHash   bool          `help:"Read every object and compare its SHA-256."`
	VerifyLegs   string        `help:"Directory of the legs, to be compared with the jobs, too, where this process is the one that compares." type:"path" placeholder:"DIR"`
	VerifyLegsOf []string      `help:"Queues whose jobs have their legs there. Default: all." placeholder:"HOST"`
}

// verifyLeast is the shortest time that may be asked for: less is a mistaken unit.
const verifyLeast = time.Minute

// validate refuses what nobody means. hasBucket says that the process has one.
func (o *VerifyOptions) validate(hasBucket bool) error {
	var faults callmodel.FieldErrors
	switch {
	case o.VerifyEvery == 0:
		return nil
	case o.VerifyEvery < verifyLeast:
		faults.Add("--verify-every", "is %v; give at least %v, or 0 not to compare", o.VerifyEvery, verifyLeast)
	}
	if o.VerifyDir == "" {
		faults.Add("--verify-dir", "is missing: it keeps how far the comparison has come")
	}
	if !hasBucket {
		faults.Add("--bucket", "is missing: there is nothing to compare with")
	}
	return faults.Err()
}

const (
	// verifyAgain is the pause after a comparison that was broken off, as the bucket or the
	// database was away.
	verifyAgain = time.Minute
	// verifyLook is how often a process looks whether comparing is its part.
	verifyLook = time.Minute
	// verifyStill is how often it looks whether that is still so while it compares.
	verifyStill = ledger.PresenceEvery
	// verifyAsk bounds such a look.
	verifyAsk = 10 * time.Second
)

// errOthers ends a comparison that has become another process's.
var errOthers = errors.New("another process compares by now")

// verifyClock is the clock of a verifier.
type verifyClock struct {
	now   func() time.Time
	after func(time.Duration) <-chan time.Time
}

// Verifier compares now and then, if the process is the first of those that do.
type Verifier struct {
	opts   VerifyOptions
	who    ledger.Presence
	ledger reconcile.Ledger
	fleet  worker.Register
	bucket reconcile.Bucket
	how    reconcile.Options
	clock  verifyClock
	log    *slog.Logger

	mu   sync.Mutex
	last reconcile.Report
	at   time.Time // when it was done; zero: none was
}

// VerifierOptions say what a Verifier has to know besides its flags.
type VerifierOptions struct {
	Name       string        // of the process
	Recorded   RecordOptions // what is made of calls that say nothing
	KeepsCalls time.Duration // for how long the ledger keeps calls; 0: for ever
}

// NewVerifier makes one for the process; nil where it isn't to compare.
func NewVerifier(s *Stores, o VerifyOptions, of VerifierOptions, m *ops.Metrics, log *slog.Logger) (*Verifier, error) {
	if err := o.validate(s.Objects != nil); err != nil || o.VerifyEvery == 0 {
		return nil, err
	}
	v := &Verifier{
		opts: o, who: presence(ledger.RoleVerifier, of.Name), ledger: s.DB, fleet: s.DB, log: log, clock: verifyClock{clock.Now, time.After},
		how: reconcile.Options{Repair: o.VerifyRepair, Hash: o.VerifyHash, KeepCalls: of.KeepsCalls, Defaults: of.Recorded.outputs(), Actor: "verify"},
	}
	v.bucket, v.how.Backup = s.Compared()
	if o.VerifyLegs != "" {
		v.how.Legs, v.how.Queues = reconcile.FS(os.DirFS(o.VerifyLegs)), o.VerifyLegsOf
	}
	for _, k := range reconcile.Kinds() {
		of := func(count func(r *reconcile.Report) int64) func() float64 {
			return func() float64 {
				r, _ := v.Last()
				return float64(count(&r))
			}
		}
		kind := map[string]string{"kind": string(k.Kind)}
		m.GaugeOf("switchtape_mismatches", kind, of(func(r *reconcile.Report) int64 { return r.Found[k.Kind] - r.Repaired[k.Kind] }))
		m.GaugeOf("switchtape_mismatches_mended", kind, of(func(r *reconcile.Report) int64 { return r.Repaired[k.Kind] }))
	}
	m.Gauge("switchtape_compared_seconds", func() float64 {
		_, at := v.Last()
		if at.IsZero() {
			return -1
		}
		return v.clock.now().Sub(at).Seconds()
	})
	return v, nil
}

// Last is what the last whole comparison came to, and when; zero if there was none.
func (v *Verifier) Last() (reconcile.Report, time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last, v.at
}

// Run compares until ctx ends, whenever that is this process's part. The first comparison
// begins at once: one that was broken off by the end of a process goes on. A nil Verifier
// does nothing.
func (v *Verifier) Run(ctx context.Context) error {
	if v == nil {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	there := worker.NewAttendance(v.fleet, v.who, &worker.AttendanceOptions{Logger: v.log})
	group.Go(func() error { return there.Run(ctx) })
	group.Go(func() error {
		for wait := time.Duration(0); ; {
			select {
			case <-ctx.Done():
				return nil
			case <-v.clock.after(wait):
			}
			wait = v.turn(ctx)
		}
	})
	return group.Wait()
}

// turn compares, if that is this process's part. It returns how long to wait for the next
// turn.
func (v *Verifier) turn(ctx context.Context) time.Duration {
	switch mine, err := v.first(ctx); {
	case ctx.Err() != nil:
		return 0
	case err != nil:
		v.log.WarnContext(ctx, "it couldn't be told whether this process is to compare calls, ledger and bucket; asking again", "error", err)
		return verifyAgain
	case !mine:
		v.done(reconcile.Report{}, time.Time{}) // what was found is another one's to tell
		return verifyLook
	}
	return v.once(ctx)
}

// first reports whether this is the first of the processes that compare, by how long they
// have been there. One that comes later takes nothing from one that is at it. On a schema
// that doesn't keep who is there everyone is the first.
func (v *Verifier) first(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, verifyAsk)
	defer cancel()
	if err := v.fleet.Present(ctx, v.who); err != nil {
		return false, err
	}
	there, err := v.fleet.Fleet(ctx)
	if err != nil {
		return false, err
	}
	there = slices.DeleteFunc(there, func(p ledger.Presence) bool { return p.Role != ledger.RoleVerifier })
	if len(there) == 0 {
		return true, nil
	}
	slices.SortFunc(there, func(x, y ledger.Presence) int {
		return cmp.Or(x.Since.Compare(y.Since), strings.Compare(x.Name, y.Name))
	})
	return there[0].Name == v.who.Name, nil
}

// once makes a comparison. It returns how long to wait for the next turn.
func (v *Verifier) once(ctx context.Context) time.Duration {
	began := v.clock.now()
	own, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	how, looked := v.how, began
	how.Kept = func(reconcile.Report) {
		if v.clock.now().Sub(looked) < verifyStill {
			return
		}
		looked = v.clock.now()
		if mine, err := v.first(own); err == nil && !mine {
			stop(errOthers)
		}
	}
	r, err := reconcile.Run(own, v.ledger, v.bucket, v.opts.VerifyDir, &how)
	switch {
	case ctx.Err() != nil:
		return 0
	case errors.Is(context.Cause(own), errOthers) && err != nil:
		v.log.InfoContext(ctx, "calls, ledger and bucket are compared by another process by now; this one leaves off", "directory", v.opts.VerifyDir)
		return verifyLook
	case err != nil:
		v.log.WarnContext(ctx, "calls, ledger and bucket couldn't be compared to the end; it goes on where it was", "directory", v.opts.VerifyDir, "error", err)
		return min(verifyAgain, v.opts.VerifyEvery)
	}
	v.done(r, v.clock.now())
	level := slog.LevelInfo
	switch {
	case r.Left() > 0:
		level = slog.LevelError
	case r.NotRead > 0:
		level = slog.LevelWarn
	}
	v.log.Log(ctx, level, "calls, ledger and bucket were compared", "calls", r.Calls, "jobs", r.Jobs, "objects", r.Objects, "in_backup", r.InBackup,
		"mismatches", r.Found, "repaired", r.Repaired, "left", r.Left(), "not_read_without_key", r.NotRead, "directory", v.opts.VerifyDir)
	return max(v.opts.VerifyEvery-v.clock.now().Sub(began), verifyAgain)
}

// done keeps what a comparison came to, for the metrics.
func (v *Verifier) done(r reconcile.Report, at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last, v.at = r, at
}
