package simulation

import (
	"context"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/recording/intake"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/publish"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/recording/worker"
)

// database is what the processes need of *calldb.DB.
type database interface {
	worker.Ledger
	intake.DeadLetters
	lifecycle.Ledger
	stored.Ledger
	publish.Outbox
	Retry(ctx context.Context, id callmodel.JobID, actor string) error
	Quarantine(ctx context.Context, id callmodel.JobID, actor, reason string) error
}

// ledgerPort is the database as a process reaches it.
type ledgerPort struct {
	p  *process
	db database
}

var errDatabaseAway = callmodel.Errorf(callmodel.CodeUnavailable, "the database's connection broke")

func (l ledgerPort) ask(ctx context.Context, op, about string, token int64, do func(ctx context.Context) error) error {
	timed, cancel := context.WithTimeout(ctx, databaseTime)
	defer cancel()
	err := l.p.ask(timed, port{op: op, about: about, token: token, place: "database", wrong: always(errDatabaseAway)}, do)
	if err != nil && timed.Err() != nil && ctx.Err() == nil {
		return errDatabaseAway
	}
	return err
}

// databaseTime is calldb.Options.Timeout by default: no use of the database takes longer.
const databaseTime = 30 * time.Second

// of names the job of a lease in traces.
func of(j *ledger.Job) string { return j.Kind + "/" + j.Key }

func (l ledgerPort) Claim(ctx context.Context, r ledger.Claim) (leases []ledger.Lease, err error) {
	if err := l.ask(ctx, "claim", "", 0, func(ctx context.Context) (err error) {
		leases, err = l.db.Claim(ctx, r)
		return err
	}); err != nil {
		return nil, err
	}
	return leases, nil
}

func (l ledgerPort) Extend(ctx context.Context, lease ledger.Lease, ttl time.Duration) (next ledger.Lease, err error) {
	err = l.ask(ctx, "extend", of(&lease.Job), lease.Token, func(ctx context.Context) (err error) {
		next, err = l.db.Extend(ctx, lease, ttl)
		return err
	})
	return next, err
}

func (l ledgerPort) Complete(ctx context.Context, lease ledger.Lease, o ledger.Outcome) error {
	return l.ask(ctx, "complete", of(&lease.Job), lease.Token, func(ctx context.Context) error { return l.db.Complete(ctx, lease, o) })
}

func (l ledgerPort) Publish(ctx context.Context, lease ledger.Lease, o ledger.Outcome, again time.Duration) error {
	return l.ask(ctx, "publish", of(&lease.Job), lease.Token, func(ctx context.Context) error { return l.db.Publish(ctx, lease, o, again) })
}

func (l ledgerPort) Fail(ctx context.Context, lease ledger.Lease, f ledger.Failure) error {
	l.p.world.tell("    %s fails: %s", of(&lease.Job), f.Cause)
	return l.ask(ctx, "fail", of(&lease.Job), lease.Token, func(ctx context.Context) error { return l.db.Fail(ctx, lease, f) })
}

func (l ledgerPort) Release(ctx context.Context, lease ledger.Lease) error {
	return l.ask(ctx, "release", of(&lease.Job), lease.Token, func(ctx context.Context) error { return l.db.Release(ctx, lease) })
}

func (l ledgerPort) Enqueue(ctx context.Context, r ledger.Request) (id callmodel.JobID, created bool, err error) {
	err = l.ask(ctx, "enqueue", r.Kind+"/"+r.Key, 0, func(ctx context.Context) (err error) {
		id, created, err = l.db.Enqueue(ctx, r)
		return err
	})
	return id, created, err
}

func (l ledgerPort) Job(ctx context.Context, id callmodel.JobID) (j ledger.Job, err error) {
	seq, _, _ := strings.Cut(string(id), "-")
	err = l.ask(ctx, "read job", seq, 0, func(ctx context.Context) (err error) {
		j, err = l.db.Job(ctx, id)
		return err
	})
	return j, err
}

func (l ledgerPort) Jobs(ctx context.Context, f ledger.Filter) (list []ledger.Job, err error) {
	err = l.ask(ctx, "list jobs", "", 0, func(ctx context.Context) (err error) {
		list, err = l.db.Jobs(ctx, f)
		return err
	})
	return list, err
}

func (l ledgerPort) Call(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) (c calls.Call, err error) {
	err = l.ask(ctx, "read call", string(id), 0, func(ctx context.Context) (err error) {
		c, err = l.db.Call(ctx, t, id)
		return err
	})
	return c, err
}

func (l ledgerPort) CallEvents(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) (list []calls.Event, err error) {
	err = l.ask(ctx, "list a call's events", string(id), 0, func(ctx context.Context) (err error) {
		list, err = l.db.CallEvents(ctx, t, id)
		return err
	})
	return list, err
}

func (l ledgerPort) Tried(ctx context.Context, source, fingerprint string) (tries int, err error) {
	err = l.ask(ctx, "count a try", l.p.world.messageOf(fingerprint), 0, func(ctx context.Context) (err error) {
		tries, err = l.db.Tried(ctx, source, fingerprint)
		return err
	})
	return tries, err
}

func (l ledgerPort) Taken(ctx context.Context, source, fingerprint string) error {
	return l.ask(ctx, "forget tries", l.p.world.messageOf(fingerprint), 0, func(ctx context.Context) error { return l.db.Taken(ctx, source, fingerprint) })
}

func (l ledgerPort) KeepLetter(ctx context.Context, n deadletter.New) (id deadletter.ID, created bool, err error) {
	l.p.world.tell("    a dead letter: %s", n.Reason)
	err = l.ask(ctx, "keep letter", n.MessageID, 0, func(ctx context.Context) (err error) {
		id, created, err = l.db.KeepLetter(ctx, n)
		return err
	})
	return id, created, err
}

func (l ledgerPort) LegsDue(ctx context.Context, q ledger.LegsDue) (found ledger.LegsFound, err error) {
	err = l.ask(ctx, "look for legs", "", 0, func(ctx context.Context) (err error) {
		found, err = l.db.LegsDue(ctx, q)
		return err
	})
	return found, err
}

func (l ledgerPort) NamedBy(ctx context.Context, uris []string) (id callmodel.JobID, err error) {
	err = l.ask(ctx, "who needs", uris[0], 0, func(ctx context.Context) (err error) {
		id, err = l.db.NamedBy(ctx, uris)
		return err
	})
	return id, err
}

func (l ledgerPort) Now(ctx context.Context) (now time.Time, err error) {
	err = l.ask(ctx, "read the clock", "", 0, func(ctx context.Context) (err error) {
		now, err = l.db.Now(ctx)
		return err
	})
	return now, err
}

func (l ledgerPort) Retry(ctx context.Context, id callmodel.JobID, actor string) error {
	seq, _, _ := strings.Cut(string(id), "-")
	return l.ask(ctx, "retry", seq, 0, func(ctx context.Context) error { return l.db.Retry(ctx, id, actor) })
}

func (l ledgerPort) Quarantine(ctx context.Context, j *ledger.Job) error {
	return l.ask(ctx, "quarantine", of(j), 0, func(ctx context.Context) error { return l.db.Quarantine(ctx, j.ID, "a person", "by hand") })
}

func (l ledgerPort) OutboxEvents(ctx context.Context, after int64, limit int) (list []callmodel.OutboxEvent, err error) {
	err = l.ask(ctx, "list events", "", 0, func(ctx context.Context) (err error) {
		list, err = l.db.OutboxEvents(ctx, after, limit)
		return err
	})
	return list, err
}

func (l ledgerPort) OutboxPlace(ctx context.Context, name string) (place outbox.Place, err error) {
	err = l.ask(ctx, "claim: is there an event", "", 0, func(ctx context.Context) (err error) {
		place, err = l.db.OutboxPlace(ctx, name)
		return err
	})
	return place, err
}

func (l ledgerPort) TakeOutbox(ctx context.Context, r outbox.Reader) (place outbox.Place, err error) {
	err = l.ask(ctx, "take the outbox", "", 0, func(ctx context.Context) (err error) {
		place, err = l.db.TakeOutbox(ctx, r)
		return err
	})
	return place, err
}

func (l ledgerPort) AdvanceOutbox(ctx context.Context, r outbox.Reader, through int64) error {
	return l.ask(ctx, "advance in the outbox", "", 0, func(ctx context.Context) error { return l.db.AdvanceOutbox(ctx, r, through) })
}

func (l ledgerPort) LeaveOutbox(ctx context.Context, r outbox.Reader) error {
	return l.ask(ctx, "leave the outbox", "", 0, func(ctx context.Context) error { return l.db.LeaveOutbox(ctx, r) })
}
