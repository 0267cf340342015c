package callservice

import (
	"context"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/trunk"
)

// withoutStores reports whether a call is created without the stores, which gave err
// when they were asked within ctx. A client that has gone needs no call.
func (s *Service) withoutStores(ctx context.Context, err error) bool {
	return s.opts.CallsFromMemory && storesAway(err) && ctx.Err() == nil
}

// asking is ctx for a question to the stores. Calls that can be had without them don't
// wait for long.
func (s *Service) asking(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.opts.CallsFromMemory {
		return context.WithTimeout(ctx, min(eventWait, s.opts.RequestTimeout/4))
	}
	return ctx, func() {}
}

// replay is the answer that the stores have to the key, nil for a new one. With
// Options.CallsFromMemory it is nil while they are away, too: see keepLater.
func (s *Service) replay(ctx context.Context, t callmodel.TenantID, key *Idempotency) (*calls.StoredResponse, error) {
	if s.opts.CallsFromMemory && s.away.Load() {
		return nil, nil //nolint:nilnil // it is said so above
	}
	asked, cancel := s.asking(ctx)
	defer cancel()
	first, err := s.stores.Replay(asked, t, key.Key, key.RequestSHA256)
	s.heard(ctx, err)
	if s.withoutStores(ctx, err) {
		return nil, nil //nolint:nilnil // as above
	}
	return first, err
}

// keep stores a call that is about to be answered. It returns the first answer to its
// key if that was used before. With Options.CallsFromMemory the call is written down
// while the stores are away, and stored by Run.
func (s *Service) keep(ctx context.Context, n *calls.NewCall) (first *calls.StoredResponse, err error) {
	err = errAway()
	if !s.opts.CallsFromMemory || !s.away.Load() {
		asked, cancel := s.asking(ctx)
		defer cancel()
		first, err = s.stores.CreateCall(asked, *n)
		s.heard(ctx, err)
		if !s.withoutStores(ctx, err) {
			if err == nil {
				s.noteStored(n)
			}
			return first, err
		}
	}
	return nil, s.keepLater(ctx, n, err)
}

func errAway() error {
	return callmodel.Errorf(callmodel.CodeUnavailable, "the stores did not answer when they were last asked")
}

// noteStored remembers the key of a call that is stored.
func (s *Service) noteStored(n *calls.NewCall) {
	if s.stored != nil && n.IdempotencyKey != "" {
		s.stored.Add(answeredKey{n.Call.TenantID, n.IdempotencyKey}, struct{}{})
	}
}

// keepLater writes a call down that the stores can't take for the reason away. What
// can't be written down, or kept in memory until it is stored, is refused, and so is a
// key with which this process has stored a call: the answer to it is in the stores.
func (s *Service) keepLater(ctx context.Context, n *calls.NewCall, away error) error {
	if s.stored.Contains(answeredKey{n.Call.TenantID, n.IdempotencyKey}) {
		return callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeUnavailable,
			"the idempotency key was used before, and its answer can't be had: %w", away), s.opts.RulesRefresh)
	}
	n.JSON = nil // events may change the call before it is stored
	a := &accepted{
		key: trunk.Key{Tenant: n.Call.TenantID, Call: n.Call.ID}, actor: n.Actor, alias: s.newCallID(), given: true, create: n,
	}
	err := s.later.room(a)
	if err == nil {
		if err = s.writeDown(ctx, a); err == nil {
			err = s.later.addNew(a)
		}
		if err != nil {
			s.crossOff(s.later.drop(a))
		}
	}
	switch {
	case err == nil:
		s.work(ctx)
		return nil
	case callmodel.CodeOf(err) == callmodel.CodeConflict:
		return err
	default:
		return callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeUnavailable, "%w; nor can the call be kept until they do: %w", away, err), s.opts.RulesRefresh)
	}
}

// waitingAnswer is the answer to a key whose call waits to be stored. The error is
// CodeIdempotencyMismatch if that was another request's.
func (s *Service) waitingAnswer(t callmodel.TenantID, key *Idempotency) (c Created, known bool, err error) {
	n, call, ok := s.later.byKey(answeredKey{t, key.Key})
	switch {
	case !ok:
		return c, false, nil
	case n.RequestSHA256 != key.RequestSHA256:
		return c, false, callmodel.ErrIdempotencyMismatch
	case key.Encode != nil:
		return Created{Replayed: true, Answer: &calls.StoredResponse{StatusCode: n.StatusCode, Body: n.Response}}, true, nil
	}
	c = Created{Call: call, Replayed: true}
	if call.State == calls.Rejected {
		c.NoRoute = callmodel.Errorf(callmodel.CodeNoRoute, "the call was rejected when it was created")
	}
	return c, true, nil
}

// room reports whether a call that is no emergency can be added: they are kept in
// memory, so that their keys are known, and take none of the room of what can't be
// refused. The error is CodeConflict for an id that waits already.
func (w *waiting) room(a *accepted) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hasRoom(a)
}

// hasRoom is room with mu held.
func (w *waiting) hasRoom(a *accepted) error {
	switch {
	case w.calls[a.key] != nil:
		return callmodel.Errorf(callmodel.CodeConflict, "call %s exists already", a.key.Call)
	case w.others >= w.most/2 || w.spill.on:
		return callmodel.Errorf(callmodel.CodeUnavailable, "%d calls wait for the stores already", w.others)
	}
	return nil
}

// addNew is add for a call that is no emergency; the error is that of room.
func (w *waiting) addNew(a *accepted) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.hasRoom(a); err != nil {
		return err
	}
	w.put(a)
	return nil
}

// drop gives up what was written down, or may still be, and was not added. It returns
// its number in the journal, 0 for none yet.
func (w *waiting) drop(a *accepted) (seq uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.stored = true // so that it is crossed off once it is written
	return a.seq
}

// byKey is the call that waits with the idempotency key, as it was answered and as it
// is now.
func (w *waiting) byKey(k answeredKey) (n calls.NewCall, now calls.Call, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.keys[k]
	if a == nil {
		return n, now, false
	}
	now = a.create.Call
	if p := w.calls[a.key]; p != nil && p.call != nil {
		now = *p.call
	}
	return *a.create, now, true
}
