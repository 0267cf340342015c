package lane

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"

	"github.com/switchtape/switchtape/callmodel"
)

// FairOptions configure a Fair.
type FairOptions struct {
	// Most is how many places there are at most. 0 means 256.
	Most int
	// Least is how many there are at least, and at first. 0 means 32; never more than
	// Most.
	Least int
	// Wait is how long Enter waits for a place. 0 means 500 ms.
	Wait time.Duration
	// Queue bounds those who wait, and QueueOfTenant those of one tenant. 0 means four
	// times Most, and a quarter of Queue.
	Queue, QueueOfTenant int
	// Now tells how long places are held, for what those are told who are refused. It
	// must be set.
	Now func() time.Time

	window time.Duration // of the latencies that the limit is set by; 0 means 250 ms
}

// Fair is a lane whose places are as many as the work gets on with, and are shared
// fairly between tenants. Make one with [NewFair].
//
//	Enter ─▶ a place is free? ─ yes ─▶ Place ─▶ Leave ─▶ the limit is set anew
//	              │                      ▲                       │
//	              └ no ─▶ tenant's queue ─┘◀── next turn ◀────────┘
//
// The limit is failsafe-go's: it falls when the work takes longer than it lately did
// and more of it at once doesn't get more of it done, and rises again by and by. Its
// queue is not used: it is one for all, first come, first served, and its priorities
// decide who may join that queue but not who leaves it. So the queues are here.
//
// A place that becomes free goes to the tenant that holds the fewest among those who
// wait, and of equals to the one that had none for the longest time. So nobody gets
// one above its equal share while another waits below its own. Of a tenant the most
// urgent comes first, and of equals whoever came first.
type Fair struct {
	opts  FairOptions
	limit adaptivelimiter.AdaptiveLimiter[any]

	mu      sync.Mutex
	tenants map[callmodel.TenantID]*share // of those who hold places or wait
	idle    []*share                      // for the next tenants
	waiting []*share                      // of those who wait
	queued  int
	turns   uint64
	held    time.Duration // about how long a place is
	refused [reasons]int64
}

// NewFair makes a lane.
func NewFair(o FairOptions) *Fair {
	o.Most = max(cmp.Or(o.Most, 256), 1)
	o.Least = min(max(cmp.Or(o.Least, 32), 1), o.Most)
	o.Wait = cmp.Or(o.Wait, 500*time.Millisecond)
	o.Queue = cmp.Or(o.Queue, 4*o.Most)
	o.QueueOfTenant = cmp.Or(o.QueueOfTenant, max(o.Queue/4, 1))
	window := cmp.Or(o.window, 250*time.Millisecond)
	least, most := uint(o.Least), uint(o.Most)
	return &Fair{
		opts: o, tenants: map[callmodel.TenantID]*share{},
		limit: adaptivelimiter.NewBuilder[any]().
			WithLimits(least, most, least).
			WithRecentWindow(window, 120*window, 50).
			WithBaselineWindow(40). // ten seconds, as it is by default with windows of one
			Build(),
	}
}

// Place is a place in a Fair. Its zero value is none.
type Place struct {
	lane   *Fair
	of     *share
	permit adaptivelimiter.Permit
	since  time.Time
}

// Enter takes a place for the tenant. The greater urgency is the more urgent. The
// error is CodeOverloaded, within a [callmodel.RetryAfterError], when too many wait
// already, none became free in time, ctx ended first, or the tenant's own more urgent
// work, or that of a tenant with fewer who wait, needed the room in the queue.
func (f *Fair) Enter(ctx context.Context, t callmodel.TenantID, urgency int) (Place, error) {
	f.mu.Lock()
	s := f.shareOf(t)
	if permit, ok := f.limit.TryAcquirePermit(); ok { // nobody waits while one is free
		p := f.give(s, permit)
		f.mu.Unlock()
		return p, nil
	}
	w, full := f.join(s, urgency)
	if full != nil {
		f.forget(s)
		f.mu.Unlock()
		return Place{}, full
	}
	f.mu.Unlock()

	wait := time.NewTimer(f.opts.Wait)
	defer wait.Stop()
	select {
	case <-w.told:
		return w.place, w.err
	case <-ctx.Done():
		return f.giveUp(ctx, w, ReasonGone)
	case <-wait.C:
		return f.giveUp(ctx, w, ReasonTooLong)
	}
}

// giveUp ends waiting, unless w was told just now.
func (f *Fair) giveUp(ctx context.Context, w *waiter, why Reason) (Place, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-w.told:
		if w.err == nil && why == ReasonGone { // nobody is there to use the place
			f.leave(w.place, false)
			f.refused[why]++
			return Place{}, gone(ctx)
		}
		return w.place, w.err
	default:
	}
	f.remove(w)
	defer f.forget(w.of)
	if why == ReasonGone {
		f.refused[why]++
		return Place{}, gone(ctx)
	}
	return Place{}, f.refuse(w.of, why)
}

func gone(ctx context.Context) error {
	return callmodel.Errorf(callmodel.CodeOverloaded, "the client gave up waiting: %w", context.Cause(ctx))
}

// Leave gives the place back. measured says that how long it was held tells how the
// work gets on: it was done, and is of the kind that most of it is.
func (p Place) Leave(measured bool) {
	if p.lane == nil {
		return
	}
	p.lane.mu.Lock()
	defer p.lane.mu.Unlock()
	p.lane.leave(p, measured)
}

// leave is called with mu held, as is what follows.
func (f *Fair) leave(p Place, measured bool) {
	const weight = 16 // of what was before
	f.held += (f.opts.Now().Sub(p.since) - f.held) / weight
	p.of.held--
	f.serve(p.of)
	if measured {
		p.permit.Record()
	} else {
		p.permit.Drop()
	}
	for f.queued > 0 {
		permit, ok := f.limit.TryAcquirePermit()
		if !ok {
			break
		}
		w := f.next()
		w.place = f.give(w.of, permit)
		close(w.told)
	}
	f.forget(p.of)
}

// give gives the tenant a place.
func (f *Fair) give(s *share, permit adaptivelimiter.Permit) Place {
	s.held++
	f.serve(s)
	return Place{lane: f, of: s, permit: permit, since: f.opts.Now()}
}
