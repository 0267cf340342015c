package intake

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/recording/task"
)

// Door is the check of all jobs that are asked for: over HTTP, by messages, and by letters
// that are replayed. Make one with NewDoor; it may be used by any number of goroutines.
type Door struct {
	checks Checks
	kinds  task.Kinds
}

// NewDoor makes the door for recordings, and for those other kinds of job.
func NewDoor(c Checks, kinds task.Kinds) *Door {
	if c.Now == nil {
		c.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	return &Door{checks: c, kinds: kinds}
}

// Recording is a recording of the tenant's to decode into.
func (d *Door) Recording(ctx context.Context, t callmodel.TenantID) *Submission {
	s := &Submission{tenant: t, checks: &d.checks, trace: tracing.Traceparent(ctx, d.checks.Tracer)}
	if d.checks.Defaults != nil {
		s.defaults = func(call callmodel.CallID) (Defaults, error) { return d.checks.Defaults(ctx, t, call) }
	}
	return s
}

// Task is another job of the tenant's to decode into.
func (d *Door) Task(t callmodel.TenantID) *Task { return &Task{tenant: t, kinds: d.kinds} }

// Read is the job that a message of that kind asks for: a recording where that is "", as
// POST /v1/recordings takes it, or another job as POST /v1/jobs does. actor is who asks
// for it, for the audit log. What it refuses it refuses as FieldErrors, or with a code;
// CodeUnavailable where it can't tell yet.
func (d *Door) Read(ctx context.Context, kind string, t callmodel.TenantID, body []byte, actor string) (a Asked, err error) {
	defer func() {
		if p := recover(); p != nil { // one message doesn't take the others along
			err = callmodel.Errorf(callmodel.CodeInternal, "reading the message failed: %v", p)
		}
	}()
	if len(body) > MaxBody {
		return Asked{}, callmodel.Errorf(callmodel.CodeTooLarge, "the message has %d bytes, and may have %d", len(body), MaxBody)
	}
	if kind == "" || kind == record.Kind {
		s := d.Recording(ctx, t)
		if err := callmodel.DecodeJSON(body, s); err != nil {
			return Asked{}, err
		}
		return s.Asked(actor)
	}
	q := d.Task(t)
	q.Kind, q.said = kind, kind
	if err := callmodel.DecodeJSON(body, q); err != nil {
		return Asked{}, err
	}
	return q.Asked(actor), nil
}

// Desk is where dead letters are looked after. *calldb.DB and *memdb.Store are desks:
// every one passes storetest.DeadLetters. Of a tenant "" they are every tenant's, and
// those of nobody.
type Desk interface {
	// Letter reads one; ErrNotFound, for another tenant's, too.
	Letter(ctx context.Context, t callmodel.TenantID, id deadletter.ID) (deadletter.Letter, error)
	// Letters lists letters by id, ascending, without what they say: that may be long.
	Letters(ctx context.Context, f deadletter.Filter) ([]deadletter.Letter, error)
	// SettleLetter says what became of a letter that waits, with an audit line. It is
	// idempotent; CodeConflict for one of which something else became.
	SettleLetter(ctx context.Context, c deadletter.Settle) (deadletter.Letter, error)
}

// Replay puts a dead letter through the check again, and in the ledger. It may be done
// any number of times, and by any number of people: there is one job of it. t confines
// it to that tenant's letters, "" is every one; as is whose a letter of nobody shall be,
// "" leaves it. What the check refuses stays a dead letter.
func (d *Door) Replay(ctx context.Context, l Ledger, desk Desk, t, as callmodel.TenantID, id deadletter.ID, actor string) (deadletter.Letter, error) {
	letter, err := desk.Letter(ctx, t, id)
	if err != nil || letter.State == deadletter.Replayed {
		return letter, err
	}
	owner := cmp.Or(letter.TenantID, as)
	switch {
	case letter.State == deadletter.Discarded:
		return letter, callmodel.Errorf(callmodel.CodeConflict, "the dead letter %s was discarded", id)
	case letter.Cut():
		return letter, callmodel.Errorf(callmodel.CodeConflict, "only the first %d of the message's %d bytes are kept; have it sent again", deadletter.MaxBody, letter.Bytes)
	case owner == "":
		return letter, callmodel.Errorf(callmodel.CodeConflict, "nobody vouches for the message's tenant; say whose it is")
	case as != "" && as != owner:
		return letter, callmodel.Errorf(callmodel.CodeConflict, "the message is of the tenant %s", owner)
	}
	a, err := d.Read(ctx, letter.Kind, owner, letter.Body(), actor)
	if err != nil {
		return letter, err
	}
	job, _, err := Enqueue(ctx, l, &a)
	if err != nil {
		return letter, err
	}
	settled, err := desk.SettleLetter(ctx, deadletter.Settle{ID: id, TenantID: t, State: deadletter.Replayed, JobID: job, Actor: actor})
	if err != nil {
		return letter, fmt.Errorf("the message is job %s now: %w", job, err)
	}
	return settled, nil
}
