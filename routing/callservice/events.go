package callservice

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/routing/trunk"
)

// The names of spans: storeEvent is also that of putting a recording's job into the ledger,
// which is the same transaction.
const (
	storeEvent  = "store event"
	storeCall   = "store call"
	decideCall  = "decide"
	askDecider  = "ask decision service"
	askSettings = "ask settings service"
)

// eventWait is how long an event waits for the stores when it can be accepted
// without them.
const eventWait = 2 * time.Second

// Moved is the answer to an event.
type Moved struct {
	// Call is the call as it is after the event. With Later it is the call as it
	// will be once the event is stored, or, if only the stores know the call, its
	// ids alone, without a State.
	Call calls.Call
	// Later says that the event is accepted and not stored yet. It needs no
	// telling again.
	Later bool
}

// Event moves the call by what happened to it, and returns it as it is then. An
// event without a time happened now, by this machine's clock, and an end not before what the
// call did last, by another's. The same event again changes nothing.
// Errors are FieldErrors, CodeConflict for a move that the call can't make,
// ErrNotFound, and CodeUnavailable.
//
// Telephone servers tell an event once. So one whose call is not stored yet is
// stored after it, and with Options.Journal no event is refused because the
// stores are away or the lane is full: it is written down and stored later, in
// its order. So is one of a call that the stores don't have, if its id says that a
// service gave it a few minutes ago: an emergency call that another process has
// answered and not stored yet. Such an event may turn out to be one that its call
// can't make, or of a call that doesn't exist: then it is left out, logged and
// counted. If it can't be kept, as while the journal ails, that is CodeUnavailable:
// it is only said that there is no such call where there can be none.
func (s *Service) Event(ctx context.Context, t callmodel.TenantID, id callmodel.CallID, ev calls.Event, actor string) (Moved, error) {
	if ev.At.IsZero() {
		ev.At, ev.Heard = s.opts.Now().UTC(), true
	}
	if err := s.confine(t, &ev); err != nil {
		return Moved{}, err
	}
	if ev.Type == calls.EventEnded {
		ev.Traceparent = tracing.Traceparent(ctx, s.opts.Tracer)
	}
	a := &accepted{key: trunk.Key{Tenant: t, Call: id}, actor: actor, event: &ev}
	timeout := s.opts.RequestTimeout
	if s.opts.Journal != nil {
		timeout = min(timeout, eventWait)
	}
	if s.later.has(a.key) || s.opts.Journal != nil && s.later.away() {
		if m, ok, err := s.eventLater(ctx, a); ok || err != nil {
			return m, err
		}
	}
	call, err := inLane(ctx, s, turn{t, urgencyEvent}, timeout, func(ctx context.Context) (calls.Call, error) {
		ctx, span := tracing.Start(ctx, s.opts.Tracer, storeEvent)
		call, err := s.append(ctx, s.stores, t, id, ev, actor)
		span.End(err)
		s.heard(ctx, err)
		return call, err
	})
	if err != nil {
		code := callmodel.CodeOf(err)
		unknown := code == callmodel.CodeNotFound && (s.later.spilling() || s.opts.Journal != nil && s.elsewhere(id))
		if storesAway(err) || code == callmodel.CodeOverloaded || unknown {
			if m, ok, invalid := s.eventLater(ctx, a); ok || invalid != nil {
				return m, invalid
			}
		}
		if unknown && callmodel.ValidID(string(id)) && callmodel.ValidID(string(t)) {
			err = callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeUnavailable,
				"call %s isn't stored yet, as far as can be told, and its event can't be kept until it is: tell it again", id), tellAgain)
		}
		return Moved{}, err
	}
	s.moved(&call, &ev)
	return Moved{Call: call}, nil
}

// confine says in the event where its legs may be.
func (s *Service) confine(t callmodel.TenantID, ev *calls.Event) error {
	dir := ""
	if ev.Type == calls.EventEnded && s.opts.LegsBelow != nil {
		var err error
		if dir, err = s.opts.LegsBelow(t, ev.Host); err != nil {
			return err
		}
	}
	if ev.LegsBelow != "" && ev.LegsBelow != dir {
		return callmodel.FieldErrors{{Path: "legs_below", Message: "is for the service to say; leave it out"}}
	}
	ev.LegsBelow = dir
	return nil
}

// elsewhereFor is how long after a call's answer another process may still hold it;
// as long as an event of a call that the stores don't have is tried, about.
const elsewhereFor = 10 * time.Minute

// tellAgain is when an event may come again that couldn't be kept.
const tellAgain = time.Second

// elsewhere reports whether the id is one that newCallID gave lately, here or in
// another process, whose clock may be off.
func (s *Service) elsewhere(id callmodel.CallID) bool {
	at, ok := madeAt(id)
	age := s.opts.Now().Sub(at)
	return ok && age < elsewhereFor && age > -elsewhereFor
}

// moved tells who wants to know of an event that was stored.
func (s *Service) moved(call *calls.Call, ev *calls.Event) {
	s.trunks.observe(call, ev.Cause, s.opts.PlatformTenant)
	if ev.Type == calls.EventEnded {
		s.opts.JobEnqueued()
	}
}

// eventLater accepts an event to be stored later; ok is false if nothing keeps it
// until then.
func (s *Service) eventLater(ctx context.Context, a *accepted) (m Moved, ok bool, err error) {
	if !callmodel.ValidID(string(a.key.Tenant)) || !callmodel.ValidID(string(a.key.Call)) {
		return m, false, callmodel.ErrNotFound
	}
	if err := a.event.Validate(); err != nil {
		return m, false, err
	}
	m = Moved{Call: calls.Call{ID: a.key.Call, TenantID: a.key.Tenant}, Later: true}
	known, told, err := s.later.foresee(a)
	switch {
	case err != nil:
		return m, false, err
	case known != nil:
		m.Call = *known
	}
	if told {
		return m, true, nil
	}
	// What follows a call in memory is as safe as that call, if it must be.
	if s.writeDown(ctx, a) != nil && known == nil || !s.later.add(a) {
		s.crossOff(s.later.drop(a)) // a disk that hung may write it still, and it is refused
		return m, false, nil
	}
	if known != nil {
		s.trunks.observe(known, a.event.Cause, s.opts.PlatformTenant)
	}
	s.work(ctx)
	return m, true, nil
}
