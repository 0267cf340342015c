package callhttp

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
	// emergencyBudget is how long an emergency call waits for the database at
	// each of its two steps: its tenant's rules, if they aren't in memory, and
	// being stored.
	emergencyBudget = 50 * time.Millisecond
	// maxStoring bounds the emergency calls that wait for the database at once.
	// More are answered without waiting.
	maxStoring = 256
	// maxUnstored bounds the emergency calls that wait in memory for the
	// database. At one a second that is most of a day.
	maxUnstored = 65536
	// maxFailures bounds the calls that Run fails to store, each for a reason of
	// its own, before it leaves off.
	maxFailures = 8
	// storeWait is how long Run waits for the database, call by call.
	storeWait = 5 * time.Second
)

// errBusy: so many emergency calls wait for the database that it must hang.
var errBusy = errors.New("too many emergency calls wait for the database")

// within runs f and waits for it no longer than the budget, even if f doesn't
// heed its context: drivers that wait for a lock or a dead peer don't always.
// f is told to end when the budget does; one that hangs keeps its place, so
// that hanging goroutines can't pile up.
func (h *Handler) within(ctx context.Context, f func(context.Context) error) error {
	select {
	case h.storing <- struct{}{}:
	default:
		return errBusy
	}
	// The client's going away must not lose the call.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), emergencyBudget)
	done := make(chan error, 1)
	go func() {
		defer func() { <-h.storing }()
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

// first is the call that has waited longest. It stays until it is dropped, so
// that the count is right meanwhile.
func (u *unstored) first() (calls.NewCall, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.calls) == 0 {
		return calls.NewCall{}, false
	}
	return u.calls[0], true
}

// drop takes the first call out; again puts it behind the others.
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

// storeEmergency stores the call within its budget, or leaves it for Run. It
// returns the call with its answer, which has another id if the caller's own
// was known to be taken.
func (h *Handler) storeEmergency(ctx context.Context, n calls.NewCall) (calls.NewCall, error) {
	var err error
	if n.StatusCode, n.Response, err = answer(&n.Call, nil); err != nil {
		return n, err
	}
	store := func() error {
		return h.within(ctx, func(ctx context.Context) error {
			_, err := h.stores.CreateCall(ctx, n)
			return err
		})
	}
	err = store()
	if callmodel.CodeOf(err) == callmodel.CodeConflict {
		if n, err = h.renamed(ctx, n); err != nil {
			return n, err
		}
		err = store()
	}
	if err != nil {
		kept := h.later.add(n)
		h.opts.Logger.ErrorContext(ctx, "an emergency call could not be stored at once", "tenant", n.Call.TenantID, "call", n.Call.ID,
			"to", n.Call.To.Number, "from", n.Call.From.Number, "kept_for_later", kept, "error", err)
	}
	return n, nil
}

// renamed is the call under an id of ours.
func (h *Handler) renamed(ctx context.Context, n calls.NewCall) (calls.NewCall, error) {
	id := h.newCallID()
	h.opts.Logger.WarnContext(ctx, "an emergency call's id was taken; it gets another", "tenant", n.Call.TenantID, "id", n.Call.ID, "stored_as", id)
	n.Call.ID = id
	var err error
	n.StatusCode, n.Response, err = answer(&n.Call, nil)
	return n, err
}

// storeLater stores what could not be stored before, oldest first, and leaves
// off when the database fails.
func (h *Handler) storeLater(ctx context.Context) {
	failures := 0
	for range h.later.len() {
		n, ok := h.later.first()
		if !ok || ctx.Err() != nil {
			return
		}
		one, cancel := context.WithTimeout(ctx, storeWait)
		err := h.storeNow(one, n)
		cancel()
		switch code := callmodel.CodeOf(err); {
		case err == nil:
			h.later.drop(false)
		case code == callmodel.CodeUnavailable || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
			return
		default:
			// It is this call's own affair: the others must not wait for it.
			h.later.drop(true)
			if failures++; failures == maxFailures {
				return
			}
			h.opts.Logger.ErrorContext(ctx, "an emergency call can't be stored; it is tried again", "tenant", n.Call.TenantID, "call", n.Call.ID,
				"to", n.Call.To.Number, "from", n.Call.From.Number, "error", err)
		}
	}
}

// storeNow stores the call. An id that is taken is either this very call's,
// whose first attempt seemed to fail and had not, or another's.
func (h *Handler) storeNow(ctx context.Context, n calls.NewCall) error {
	_, err := h.stores.CreateCall(ctx, n)
	if callmodel.CodeOf(err) != callmodel.CodeConflict {
		return err
	}
	have, err := h.stores.Call(ctx, n.Call.TenantID, n.Call.ID)
	if err != nil {
		return err
	}
	if have.Emergency && have.CreatedAt.Equal(n.Call.CreatedAt) && have.From == n.Call.From && have.To == n.Call.To {
		return nil
	}
	if n, err = h.renamed(ctx, n); err != nil {
		return err
	}
	_, err = h.stores.CreateCall(ctx, n)
	return err
}

// Unstored is how many emergency calls were answered and are not stored yet.
func (h *Handler) Unstored() int { return h.later.len() }

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
