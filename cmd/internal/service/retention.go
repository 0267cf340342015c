package service

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/storage/calldb"
)

// RetentionOptions say how long the database keeps what it keeps.
type RetentionOptions struct {
	KeepCalls   time.Duration `help:"Calls are forgotten so long after they were made, as 9600h, with their events and jobs, if nothing is to be done for them any more and no legal hold is on them. Their recordings stay in the bucket, and are deleted by nobody then. At least 1h. 0: never." default:"0"`
	KeepAnswers time.Duration `help:"Answers to Idempotency-Keys are forgotten after so long. At least 1h. 0: never." default:"0"`
	KeepOutbox  time.Duration `help:"Events of the outbox are forgotten after so long, but for those that a reader (--publish) has still to tell. At least 1h. 0: never." default:"0"`

	KeepDeadLetters time.Duration `help:"Dead letters are forgotten so long after they were replayed or discarded. At least 1h. 0: never." default:"0"`

	KeepRules time.Duration `help:"Versions of rules are forgotten so long after they were stored, but for those in service, on trial, or that a rollback would put back, and those that were until then. At least 1h. 0: never." default:"0"`

	EraseExpired   bool          `help:"Delete recordings for good whose time is over: by their own retain_until or retain_days, else by the retention_days of their call's users, else of their tenant, else by --keep-recordings. None that is under a legal hold is. The first look is within 6 minutes of the start, the others about an hour apart. Without it all are kept, whatever those say."`
	KeepRecordings time.Duration `help:"With --erase-expired, how long recordings are kept of which nobody else says it, as 2160h. At least 1h. 0: for ever." default:"0"`

	KeepAudit time.Duration `help:"Lines of the audit log are taken out so long after they were sealed; their seals stay. At least 1h. 0: never." default:"0"`
}

const (
	// forgetEvery is about how long a process pauses between two passes.
	forgetEvery = time.Hour
	// forgetPause is the least pause between two steps of a pass.
	forgetPause = time.Millisecond
	// forgetter is who it is in the audit log.
	forgetter = "retention"
	// keepLeast is the shortest time that may be asked for: less is a mistaken unit.
	keepLeast = time.Hour
)

// validate refuses times that nobody means.
func (o *RetentionOptions) validate() error {
	var faults callmodel.FieldErrors
	for _, f := range []struct {
		flag string
		keep time.Duration
	}{{"--keep-calls", o.KeepCalls}, {"--keep-answers", o.KeepAnswers}, {"--keep-outbox", o.KeepOutbox}, {"--keep-audit", o.KeepAudit}, {"--keep-dead-letters", o.KeepDeadLetters}, {"--keep-rules", o.KeepRules}, {"--keep-recordings", o.KeepRecordings}} {
		if f.keep < 0 || f.keep > 0 && f.keep < keepLeast {
			faults.Add(f.flag, "is %v; give at least %v, or 0 to keep for ever", f.keep, keepLeast)
		}
	}
	if o.KeepRecordings > 0 && !o.EraseExpired {
		faults.Add("--keep-recordings", "is %v, and without --erase-expired no recording is deleted", o.KeepRecordings)
	}
	return faults.Err()
}

// eraseExpired has recordings deleted whose time is over, until ctx ends. What is left of
// those to which a party has not consented goes in any case.
func eraseExpired(ctx context.Context, db *calldb.DB, o RetentionOptions, log *slog.Logger) error {
	return lifecycle.NewExpiry(db, lifecycle.ExpiryOptions{Keep: o.KeepRecordings, DeniedOnly: !o.EraseExpired, Logger: log}).Run(ctx)
}

// forgotten is what a pass took out.
type forgotten struct {
	calldb.Forgotten

	audit int64
}

// forgetOld forgets what is older than the options say, until ctx ends. Every process of
// a fleet does so, at a time of its own; one passes over what another is at.
func forgetOld(ctx context.Context, db *calldb.DB, o RetentionOptions, log *slog.Logger) error {
	if o == (RetentionOptions{}) {
		return nil
	}
	next := time.NewTimer(rand.N(forgetEvery / 60)) //nolint:gosec // it spreads load
	defer next.Stop()
	for failed := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
		gone, err := forgetOnce(ctx, db, o)
		if gone != (forgotten{}) {
			log.InfoContext(ctx, "what is old was forgotten", "calls", gone.Calls, "jobs", gone.Jobs, "answers", gone.Answers,
				"outbox_events", gone.Outbox, "dead_letters", gone.Letters, "deliveries", gone.Deliveries, "rule_versions", gone.Rules, "audit_lines", gone.audit)
		}
		if err != nil && ctx.Err() == nil && !failed {
			log.ErrorContext(ctx, "what is old can't be forgotten; it is tried again", "error", err)
		}
		failed = err != nil
		next.Reset(forgetEvery/2 + rand.N(forgetEvery)) //nolint:gosec // as above
	}
}

// forgetOnce makes a pass. At most half of the time it takes is the database's.
func forgetOnce(ctx context.Context, db *calldb.DB, o RetentionOptions) (all forgotten, err error) {
	keep := calldb.Retention{Calls: o.KeepCalls, Answers: o.KeepAnswers, Outbox: o.KeepOutbox, Letters: o.KeepDeadLetters, Rules: o.KeepRules}
	for place := (calldb.ForgetPlace{}); !place.Done(); {
		began := time.Now()
		var gone calldb.Forgotten
		if place, gone, err = db.Forget(ctx, keep, place, forgetter); err != nil {
			return all, err
		}
		all.Add(gone)
		select {
		case <-ctx.Done():
			return all, ctx.Err()
		case <-time.After(max(time.Since(began), forgetPause)):
		}
	}
	if o.KeepAudit > 0 {
		now, err := db.Now(ctx)
		if err != nil {
			return all, err
		}
		all.audit, err = db.PruneAudit(ctx, now.Add(-o.KeepAudit), DefaultTenant, forgetter)
		return all, err
	}
	return all, nil
}
