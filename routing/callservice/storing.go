package callservice

import (
	"context"
	"errors"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

const (
	// maxStoring bounds the goroutines that store what was accepted. On SQLite
	// they share commits; elsewhere the connections bound them further.
	maxStoring = 32
	// storeTimeout bounds one attempt: a connection that died silently must give
	// its goroutine back. It is long, because ending an attempt costs its
	// connection, which makes slow stores slower.
	storeTimeout = 5 * time.Second
	// storeWait is how long Run waits for the stores at a time.
	storeWait = 5 * time.Second
)

// emergencyCalls is where what was accepted is stored.
func (s *Service) emergencyCalls() CallStore {
	if s.opts.EmergencyCalls != nil {
		return s.opts.EmergencyCalls
	}
	return s.stores
}

// work has a goroutine store what waits, if there is something and too few do.
func (s *Service) work(ctx context.Context) {
	if s.later.hire() {
		go s.storeWaiting(context.WithoutCancel(ctx)) // the client's going away must not lose the call
	}
}

// storeWaiting stores what waits until nothing does or the stores are away.
func (s *Service) storeWaiting(ctx context.Context) {
	for p := s.later.next(); p != nil; p = s.later.next() {
		s.storeAll(ctx, p)
	}
}

// storeAll stores what waits for one call.
func (s *Service) storeAll(ctx context.Context, p *pending) {
	for {
		a, as, done := s.later.head(p)
		s.crossOff(done)
		if a == nil {
			return
		}
		one, cancel := context.WithTimeout(ctx, storeTimeout)
		s.later.begin(p, cancel)
		err := s.store(one, p, a, as)
		s.heard(one, err)
		cancel()
		f := s.fateOf(p, a, err)
		if f == fateStored && a.create != nil {
			s.noteStored(a.create)
		}
		if f != fateStored && f != fateAway {
			s.opts.Logger.ErrorContext(ctx, "what was accepted can't be stored", "tenant", p.key.Tenant, "call", p.key.Call,
				"event", a.event != nil, "tried_again", f == fateRest, "error", err)
		}
		more, done := s.later.settle(p, a, f)
		s.crossOff(done)
		if !more {
			return
		}
		s.work(ctx) // the stores answer: others may help
	}
}

func (s *Service) fateOf(p *pending, a *accepted, err error) fate {
	switch code := callmodel.CodeOf(err); {
	case err == nil:
		return fateStored
	case storesAway(err):
		return fateAway
	case a.event != nil && (code == callmodel.CodeConflict || code == callmodel.CodeInvalid):
		return fateRefused
	case a.event != nil && code == callmodel.CodeNotFound && p.tries >= maxTries:
		return fateRefused
	default:
		return fateRest
	}
}

// storesAway reports whether the error is that the stores can't be reached.
func storesAway(err error) bool {
	return callmodel.CodeOf(err) == callmodel.CodeUnavailable || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func (s *Service) store(ctx context.Context, p *pending, a *accepted, as callmodel.CallID) error {
	if a.create != nil {
		return s.storeCall(ctx, p, a, as)
	}
	call, err := s.append(ctx, s.emergencyCalls(), p.key.Tenant, as, *a.event, a.actor)
	if err == nil {
		s.moved(&call, a.event)
	}
	return err
}

// storeCall stores the call once, whatever earlier attempts did. An id that is
// taken is either this very call's, whose attempt seemed to fail and had not, or
// another's: then it gets its other id.
func (s *Service) storeCall(ctx context.Context, p *pending, a *accepted, as callmodel.CallID) error {
	n := *a.create
	n.Call.ID = as
	stored, err := s.createOr(ctx, &n)
	if stored || err != nil {
		return err
	}
	s.opts.Logger.WarnContext(ctx, "a call that was answered has an id that was taken; it gets another", "tenant", n.Call.TenantID, "id", n.Call.ID, "stored_as", a.alias)
	s.later.rename(p, a)
	n = *a.create
	stored, err = s.createOr(ctx, &n)
	if err == nil && !stored {
		err = callmodel.Errorf(callmodel.CodeInternal, "the call's other id %s is taken too", n.Call.ID)
	}
	return err
}

// createOr stores the call, or finds it stored. It returns false if its id is
// another call's. A key that was used for another call, in another process, is
// left out: both calls were answered, and both are stored.
func (s *Service) createOr(ctx context.Context, n *calls.NewCall) (stored bool, err error) {
	db := s.emergencyCalls()
	first, err := db.CreateCall(ctx, *n)
	if first != nil || callmodel.CodeOf(err) == callmodel.CodeIdempotencyMismatch {
		keyless := *n
		keyless.IdempotencyKey, keyless.RequestSHA256, keyless.StatusCode, keyless.Response = "", "", 0, nil
		_, err = db.CreateCall(ctx, keyless)
	}
	if callmodel.CodeOf(err) != callmodel.CodeConflict {
		return err == nil, err
	}
	have, err := db.Call(ctx, n.Call.TenantID, n.Call.ID)
	if err != nil {
		return false, err
	}
	return have.Emergency == n.Call.Emergency && have.CreatedAt.Equal(n.Call.CreatedAt) && have.From == n.Call.From && have.To == n.Call.To, nil
}

// storeLast stores what waits before Run ends, for as long as ctx lasts. Attempts
// that hang are ended halfway and made once more.
func (s *Service) storeLast(ctx context.Context) {
	half := time.NewTimer(lastTry / 2)
	defer half.Stop()
	s.later.wake(true)
	s.work(ctx)
	select {
	case <-s.later.ended():
		return
	case <-ctx.Done():
		return
	case <-half.C:
	}
	s.later.interrupt()
	select {
	case <-s.later.ended():
	case <-ctx.Done():
		return
	}
	s.later.wake(true)
	s.work(ctx)
	select {
	case <-s.later.ended():
	case <-ctx.Done():
	}
}

// take accepts a call that is answered whatever happens. It is written down
// before take returns, and stored by others. Who can't be sure of the journal, or
// whose own id may be taken, waits for the stores for a while, unless they ail.
func (s *Service) take(ctx context.Context, a *accepted, ownID bool) calls.NewCall {
	tried := make(chan struct{})
	a.tried = tried
	unwritten := s.writeDown(ctx, a)
	ailing := s.later.ailing()
	if !s.later.add(a) {
		n := &a.create.Call
		s.opts.Logger.ErrorContext(ctx, "an emergency call is answered and will not be stored: too many wait for the stores",
			"tenant", n.TenantID, "call", n.ID, "to", shown(n.To.Number), "from", shown(n.From.Number))
		return *a.create
	}
	s.work(ctx)
	if (unwritten != nil || ownID) && !ailing {
		wait := time.NewTimer(s.opts.EmergencyWait)
		defer wait.Stop()
		select {
		case <-tried:
		case <-wait.C:
			s.later.tooSlow()
		}
	}
	return s.later.created(a)
}
