package service

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording/reconcile"
)

// ReconcileOptions say how much of what should be is compared with what there is.
type ReconcileOptions struct {
	LegsDir    string        `help:"Directory of the legs, to be compared with the jobs." type:"existingdir" placeholder:"DIR"`
	LegsOf     []string      `help:"Queues whose jobs have their legs there. Default: all." placeholder:"HOST"`
	Hash       bool          `help:"Read every object and compare its SHA-256. Without it the sizes are compared."`
	KeepsCalls time.Duration `help:"--keep-calls of the service: objects of calls that it keeps no more are not looked for." default:"0"`
	Overdue    time.Duration `help:"A job may wait, or run, for so long." default:"1h"`
	LegAge     time.Duration `help:"A leg that no job names is a mismatch when it is so old." default:"24h"`
}

// Options are those of a comparison; recorded says what is made of calls that say nothing.
func (o *ReconcileOptions) Options(recorded RecordOptions) (*reconcile.Options, error) {
	if o.KeepsCalls < 0 || o.Overdue < 0 || o.LegAge < 0 {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "--keeps-calls, --overdue and --leg-age can't be negative")
	}
	opts := &reconcile.Options{
		Hash: o.Hash, Queues: o.LegsOf, KeepCalls: o.KeepsCalls, Overdue: o.Overdue, LegAge: o.LegAge, Defaults: recorded.outputs(),
	}
	if o.LegsDir != "" {
		opts.Legs = reconcile.FS(os.DirFS(o.LegsDir))
	}
	return opts, nil
}

// VerifyOptions have a process compare what should be of recordings with what there is,
// now and then.
type VerifyOptions struct {
	VerifyEvery  time.Duration `help:"Compare calls, ledger, bucket and outbox so often, as switchtape verify does; one process of a fleet is enough. 0: never." default:"0"`
	VerifyDir    string        `help:"Directory on a disk that stays, which keeps how far the comparison has come and what it has found. Needed with --verify-every." type:"path" placeholder:"DIR"`
	VerifyRepair bool          `help:"Mend what can be mended. Nothing is deleted by it."`
	VerifyHash   bool          `help:"Read every object and compare its SHA-256."`
	VerifyLegs   string        `help:"Directory of the legs, to be compared with the jobs, too." type:"path" placeholder:"DIR"`
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

// verifyAgain is the pause after a comparison that was broken off, as the bucket or the
// database was away.
const verifyAgain = time.Minute

// verifyClock is the clock of a verifier.
type verifyClock struct {
	now   func() time.Time
	after func(time.Duration) <-chan time.Time
}

// Verifier compares now and then.
type Verifier struct {
	opts   VerifyOptions
	ledger reconcile.Ledger
	bucket reconcile.Bucket
	how    reconcile.Options
	clock  verifyClock
	log    *slog.Logger

	mu   sync.Mutex
	last reconcile.Report
	at   time.Time // when it was done; zero: none was
}

// NewVerifier makes one for the process; nil where it isn't to compare. keepsCalls is for
// how long the ledger keeps calls.
func NewVerifier(s *Stores, o VerifyOptions, recorded RecordOptions, keepsCalls time.Duration, m *ops.Metrics, log *slog.Logger) (*Verifier, error) {
	if err := o.validate(s.Objects != nil); err != nil || o.VerifyEvery == 0 {
		return nil, err
	}
	v := &Verifier{
		opts: o, ledger: s.DB, bucket: s.Objects, log: log, clock: verifyClock{time.Now, time.After},
		how: reconcile.Options{Repair: o.VerifyRepair, Hash: o.VerifyHash, KeepCalls: keepsCalls, Defaults: recorded.outputs(), Actor: "verify"},
	}
	if o.VerifyLegs != "" {
		v.how.Legs, v.how.Queues = reconcile.FS(os.DirFS(o.VerifyLegs)), o.VerifyLegsOf
	}
	for _, k := range reconcile.Kinds() {
		m.GaugeOf("switchtape_mismatches", map[string]string{"kind": string(k.Kind)}, func() float64 {
			r, _ := v.Last()
			return float64(r.Found[k.Kind] - r.Repaired[k.Kind])
		})
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

// Run compares until ctx ends. The first comparison begins at once: one that was broken
// off by the end of a process goes on. A nil Verifier does nothing.
func (v *Verifier) Run(ctx context.Context) error {
	if v == nil {
		return nil
	}
	for wait := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-v.clock.after(wait):
		}
		wait = v.once(ctx)
	}
}

// once makes a comparison. It returns how long to wait for the next one.
func (v *Verifier) once(ctx context.Context) time.Duration {
	began := v.clock.now()
	r, err := reconcile.Run(ctx, v.ledger, v.bucket, v.opts.VerifyDir, &v.how)
	switch {
	case ctx.Err() != nil:
		return 0
	case err != nil:
		v.log.WarnContext(ctx, "calls, ledger and bucket couldn't be compared to the end; it goes on where it was", "directory", v.opts.VerifyDir, "error", err)
		return min(verifyAgain, v.opts.VerifyEvery)
	}
	v.mu.Lock()
	v.last, v.at = r, v.clock.now()
	v.mu.Unlock()
	level := slog.LevelInfo
	if r.Left() > 0 {
		level = slog.LevelError
	}
	v.log.Log(ctx, level, "calls, ledger and bucket were compared", "calls", r.Calls, "jobs", r.Jobs, "objects", r.Objects,
		"mismatches", r.Found, "repaired", r.Repaired, "left", r.Left(), "directory", v.opts.VerifyDir)
	return max(v.opts.VerifyEvery-v.clock.now().Sub(began), verifyAgain)
}
