package intake

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Decode reads what a message of a kind says and checks it, as a job of the tenant's.
// What it refuses it refuses as FieldErrors, or with a code.
type Decode func(t callmodel.TenantID, body []byte) (ledger.Request, error)

// Door is the check that messages pass, and letters that are replayed. Make one with
// NewDoor; it may be used by any number of goroutines.
type Door struct{ kinds map[string]Decode }

// NewDoor makes the door for recordings, and for the other kinds of job. kinds may be nil.
func NewDoor(c Checks, kinds map[string]Decode) *Door {
	d := &Door{kinds: map[string]Decode{record.Kind: c.decode}}
	maps.Copy(d.kinds, kinds)
	return d
}

// decode is the Decode of recordings.
func (c *Checks) decode(t callmodel.TenantID, body []byte) (ledger.Request, error) {
	if len(body) > MaxBody {
		return ledger.Request{}, callmodel.Errorf(callmodel.CodeTooLarge, "the message has %d bytes, and may have %d", len(body), MaxBody)
	}
	s := c.Submission(t)
	if err := callmodel.DecodeJSON(body, s); err != nil {
		return ledger.Request{}, err
	}
	return s.Job("")
}

// Request is the job that a message of that kind asks for; "" is a recording. actor is
// who asks for it, for the audit log.
func (d *Door) Request(kind string, t callmodel.TenantID, body []byte, actor string) (r ledger.Request, err error) {
	decode := d.kinds[cmp.Or(kind, record.Kind)]
	if decode == nil {
		return r, callmodel.Errorf(callmodel.CodeUnsupported, "jobs of the kind %q aren't taken here; there are %s",
			kind, strings.Join(slices.Sorted(maps.Keys(d.kinds)), ", "))
	}
	defer func() {
		if p := recover(); p != nil { // one message doesn't take the others along
			err = callmodel.Errorf(callmodel.CodeInternal, "reading the message failed: %v", p)
		}
	}()
	if r, err = decode(t, body); err != nil {
		return ledger.Request{}, err
	}
	if r.TenantID != t {
		return ledger.Request{}, callmodel.Errorf(callmodel.CodeInternal, "the kind %q made a job of another tenant's", kind)
	}
	r.Actor = actor
	return r, nil
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
	r, err := d.Request(letter.Kind, owner, letter.Body(), actor)
	if err != nil {
		return letter, err
	}
	job, _, err := Enqueue(ctx, l, &r)
	if err != nil {
		return letter, err
	}
	settled, err := desk.SettleLetter(ctx, deadletter.Settle{ID: id, TenantID: t, State: deadletter.Replayed, JobID: job, Actor: actor})
	if err != nil {
		return letter, fmt.Errorf("the message is job %s now: %w", job, err)
	}
	return settled, nil
}
