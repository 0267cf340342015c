package callservice

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/internal/lane"
)

// The urgencies of requests: which one of a tenant's gets the tenant's next place in the
// normal lane. Calls that are up must go on before others begin.
const (
	urgencyRest   = iota // lists, explanations, dry runs, rules
	urgencyLook          // at one call
	urgencyCreate        // and the call's priority more
	urgencyEvent  = urgencyCreate + calls.MaxPriority + 1
)

// turn is whose turn a request takes in the normal lane, and how urgent it is.
type turn struct {
	of      callmodel.TenantID
	urgency int
}

// anyTurn is for what can wait.
func anyTurn(t callmodel.TenantID) turn { return turn{t, urgencyRest} }

// measured reports whether the time that such requests take sets the lane's limit: they
// are most of them, short and alike.
func (t turn) measured() bool { return t.urgency >= urgencyCreate }

// admittedKey marks contexts whose work has a place in the normal lane.
type admittedKey struct{}

// Enter takes a place in the normal lane for everything that is done for the tenant
// with the context it returns, until leave is called; the methods that take a place
// each by themselves take none then. It is for callers that have work of their own to
// bound. The error is CodeOverloaded, or CodeUnavailable while the stores are away,
// within a [callmodel.RetryAfterError].
func (s *Service) Enter(ctx context.Context, t callmodel.TenantID) (admitted context.Context, leave func(), err error) {
	ctx, place, err := s.enter(ctx, anyTurn(t))
	return ctx, func() { place.Leave(false) }, err
}

func (s *Service) enter(ctx context.Context, t turn) (context.Context, lane.Place, error) {
	if ctx.Value(admittedKey{}) != nil {
		return ctx, lane.Place{}, nil
	}
	place, err := s.lane.Enter(ctx, t.of, t.urgency)
	if err != nil {
		if s.away.Load() && ctx.Err() == nil {
			err = callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeUnavailable, "the stores don't answer, and %w", err), s.opts.RulesRefresh)
		}
		return ctx, lane.Place{}, err
	}
	return context.WithValue(ctx, admittedKey{}, true), place, nil
}

// inLane does f in the normal lane, within the timeout.
func inLane[T any](ctx context.Context, s *Service, t turn, timeout time.Duration, f func(context.Context) (T, error)) (T, error) {
	ctx, place, err := s.enter(ctx, t)
	if err != nil {
		var none T
		return none, err
	}
	done := false
	defer func() { place.Leave(done && t.measured()) }()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	v, err := f(ctx)
	done = err == nil // what failed took no time, or all there is
	return v, err
}

// heard notes whether the stores answered, when they were asked for a call or an event
// within ctx. Whether they do is not known of a request whose client has gone.
func (s *Service) heard(ctx context.Context, err error) {
	switch {
	case err == nil:
		s.away.Store(false)
	case storesAway(err) && context.Cause(ctx) != context.Canceled: //nolint:errorlint // a cause of the client's own is another
		s.away.Store(true)
	}
}

// LaneStats is how the normal lane stands.
type LaneStats struct {
	Limit    int // places that there are now
	InFlight int // places that are taken
	Queued   int // requests that wait for one
	Tenants  int // tenants that have a place or wait
	// Refused is how many requests got no place since the start, by the reason:
	// queue_full, tenant_queue_full, displaced, waited_too_long, client_gone.
	Refused map[string]int64
}

// Lane is how the normal lane stands now.
func (s *Service) Lane() LaneStats { return LaneStats(s.lane.Stats()) }
