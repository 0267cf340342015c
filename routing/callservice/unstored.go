package callservice

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/trunk"
)

const (
	// maxStoring bounds the emergency calls that wait for the stores at once.
	// More are answered without waiting.
	maxStoring = 256
	// maxUnstored bounds the emergency calls that wait in memory for the stores.
	// At one a second that is most of a day.
	maxUnstored = 65536
	// maxFailures is how many calls Run fails to store, each for a reason of its
	// own, before it stops for this time.
	maxFailures = 8
	// storeWait is how long Run waits for the stores, call by call.
	storeWait = 5 * time.Second
)

// errBusy: so many emergency calls wait for the stores that these must hang.
var errBusy = errors.New("too many emergency calls wait to be stored")

// within runs f and waits for it no longer than Options.EmergencyWait, even if f
// ignores its context: drivers that wait for a lock or a dead peer sometimes do.
// f's context ends with the wait. An f that hangs keeps its place, so that
// hanging goroutines can't pile up.
func (s *Service) within(ctx context.Context, f func(context.Context) error) error {
	select {
	case s.storing <- struct{}{}:
	default:
		return errBusy
	}
	// The client's going away must not lose the call.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.EmergencyWait)
	done := make(chan error, 1)
	go func() {
		defer func() { <-s.storing }()
		defer cancel()
		done <- f(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		select {
		case err := <-done: // f ended, and its cancel came first
			return err
		default:
			return ctx.Err()
		}
	}
}

// unstored holds the emergency calls that were answered and could not be stored.
type unstored struct {
	mu    sync.Mutex
	calls []calls.NewCall
}

func (u *unstored) add(n calls.NewCall) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.calls) >= maxUnstored {
		return false
	}
	u.calls = append(u.calls, n)
	return true
}

func (u *unstored) len() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.calls)
}

// first is the call that has waited longest. It stays in the queue until drop,
// so that the count is right meanwhile.
func (u *unstored) first() (calls.NewCall, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.calls) == 0 {
		return calls.NewCall{}, false
	}
	return u.calls[0], true
}

// drop takes the first call out of the queue; again puts it at the end.
func (u *unstored) drop(again bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := u.calls[0]
	u.calls[0] = calls.NewCall{}
	u.calls = u.calls[1:]
	if again {
		u.calls = append(u.calls, n)
	}
}

// storeEmergency stores the call within its wait, or leaves it for Run. The call
// that it returns has another id if the caller's own is known to be taken.
func (s *Service) storeEmergency(ctx context.Context, n calls.NewCall) calls.Call {
	store := func() error {
		return s.within(ctx, func(ctx context.Context) error {
			_, err := s.stores.CreateCall(ctx, n)
			return err
		})
	}
	err := store()
	if callmodel.CodeOf(err) == callmodel.CodeConflict {
		s.rename(ctx, &n)
		err = store()
	}
	if err != nil {
		kept := s.later.add(n)
		s.opts.Logger.ErrorContext(ctx, "an emergency call could not be stored at once", "tenant", n.Call.TenantID, "call", n.Call.ID,
			"to", n.Call.To.Number, "from", n.Call.From.Number, "kept_for_later", kept, "error", err)
	}
	return n.Call
}

// rename gives the call an id of ours.
func (s *Service) rename(ctx context.Context, n *calls.NewCall) {
	id := s.newCallID()
	s.opts.Logger.WarnContext(ctx, "an emergency call's id was taken; it gets another", "tenant", n.Call.TenantID, "id", n.Call.ID, "stored_as", id)
	n.Call.ID = id
}

// storeLater stores the calls that could not be stored before, oldest first, and
// stops when the stores can't be reached.
func (s *Service) storeLater(ctx context.Context) {
	failures := 0
	for range s.later.len() {
		n, ok := s.later.first()
		if !ok || ctx.Err() != nil {
			return
		}
		one, cancel := context.WithTimeout(ctx, storeWait)
		err := s.storeNow(one, n)
		cancel()
		switch code := callmodel.CodeOf(err); {
		case err == nil:
			s.later.drop(false)
		case code == callmodel.CodeUnavailable || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
			return
		default:
			// The fault is this call's own: the others must not wait for it.
			s.later.drop(true)
			if failures++; failures == maxFailures {
				return
			}
			s.opts.Logger.ErrorContext(ctx, "an emergency call can't be stored; it is tried again", "tenant", n.Call.TenantID, "call", n.Call.ID,
				"to", n.Call.To.Number, "from", n.Call.From.Number, "error", err)
		}
	}
}

// storeNow stores the call. An id that is taken is either this very call's,
// whose first attempt seemed to fail and had not, or another's.
func (s *Service) storeNow(ctx context.Context, n calls.NewCall) error {
	_, err := s.stores.CreateCall(ctx, n)
	if callmodel.CodeOf(err) != callmodel.CodeConflict {
		return err
	}
	have, err := s.stores.Call(ctx, n.Call.TenantID, n.Call.ID)
	if err != nil {
		return err
	}
	if have.Emergency && have.CreatedAt.Equal(n.Call.CreatedAt) && have.From == n.Call.From && have.To == n.Call.To {
		return nil
	}
	s.rename(ctx, &n)
	_, err = s.stores.CreateCall(ctx, n)
	return err
}

// Unstored is how many emergency calls were answered and are not stored yet.
func (s *Service) Unstored() int { return s.later.len() }

// has reports whether the call waits to be stored.
func (u *unstored) has(k trunk.Key) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range u.calls {
		if c := &u.calls[i].Call; c.ID == k.Call && c.TenantID == k.Tenant {
			return true
		}
	}
	return false
}
