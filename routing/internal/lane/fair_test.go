package lane

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
)

// one is a lane with a single place, in which the tenant "first" has it.
func one(t *testing.T, o FairOptions) (f *Fair, first Place) {
	t.Helper()
	o.Most, o.Now = 1, time.Now
	if o.Wait == 0 {
		o.Wait = time.Minute
	}
	f = NewFair(o)
	first, err := f.Enter(t.Context(), "first", 0)
	require.NoError(t, err)
	return f, first
}

// visitors come to a lane one after the other and note in what order they get a place.
type visitors struct {
	t    *testing.T
	lane *Fair
	wg   sync.WaitGroup

	mu   sync.Mutex
	got  []string
	errs map[string]error
}

// come has a visitor wait, "tenant urgency name".
func (v *visitors) come(ctx context.Context, visitor string) {
	v.t.Helper()
	var tenant, name string
	var urgency int
	_, err := fmt.Sscan(visitor, &tenant, &urgency, &name)
	require.NoError(v.t, err)
	before := v.decided()
	v.wg.Go(func() {
		p, err := v.lane.Enter(ctx, callmodel.TenantID(tenant), urgency)
		v.mu.Lock()
		if err != nil {
			v.errs[name] = err
		} else {
			v.got = append(v.got, name)
		}
		v.mu.Unlock()
		p.Leave(err == nil)
	})
	require.Eventually(v.t, func() bool { return v.decided() > before }, 30*time.Second, 100*time.Microsecond)
}

// decided is how many were let in or refused, or wait.
func (v *visitors) decided() int64 {
	s := v.lane.Stats()
	n := int64(s.Queued)
	for _, refused := range s.Refused {
		n += refused
	}
	return n
}

// TestTurns: tenants take turns, and a tenant's own go by urgency and then by order.
func TestTurns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, come, want string
	}{
		{"one tenant, in its order", "a 0 1; a 0 2; a 0 3", "1 2 3"},
		{"one tenant, by urgency", "a 0 list; a 10 call; a 20 event; a 10 call2; a 0 list2; a 19 urgent", "event urgent call call2 list list2"},
		{"a tenant at many times its share", "a 9 a1; a 9 a2; a 9 a3; a 9 a4; b 0 b1; c 0 c1; b 0 b2", "a1 b1 c1 a2 b2 a3 a4"},
		{"who has the place waits for the others", "first 20 f1; first 20 f2; b 0 b1; c 0 c1", "b1 c1 f1 f2"},
		{"urgency is a tenant's own affair", "a 20 a1; b 0 b1; a 20 a2; b 0 b2", "a1 b1 a2 b2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, first := one(t, FairOptions{Queue: 40})
			v := &visitors{t: t, lane: f, errs: map[string]error{}}
			for visitor := range strings.SplitSeq(c.come, ";") {
				v.come(t.Context(), visitor)
			}
			first.Leave(true)
			v.wg.Wait()
			assert.Equal(t, c.want, strings.Join(v.got, " "))
			assert.Empty(t, v.errs)
			assert.Equal(t, Stats{Limit: 1, Refused: f.Stats().Refused}, f.Stats(), "nothing is left of them")
		})
	}
}

// TestFewestPlacesFirst: a tenant that holds more than its share of the places gets
// none while others wait that hold fewer, however long it has waited.
func TestFewestPlacesFirst(t *testing.T) {
	t.Parallel()
	f := NewFair(FairOptions{Most: 4, Least: 4, Wait: time.Minute, Now: time.Now})
	places := make([]Place, 4)
	for i := range places {
		var err error
		places[i], err = f.Enter(t.Context(), "loud", 20)
		require.NoError(t, err)
	}
	order := make(chan callmodel.TenantID, 8)
	var held sync.WaitGroup
	end := make(chan struct{})
	enter := func(tenant callmodel.TenantID) {
		before := f.Stats().Queued
		held.Go(func() {
			p, err := f.Enter(t.Context(), tenant, 0)
			if assert.NoError(t, err) {
				order <- tenant
				<-end
				p.Leave(true)
			}
		})
		require.Eventually(t, func() bool { return f.Stats().Queued > before }, 30*time.Second, 100*time.Microsecond)
	}
	for range 4 {
		enter("loud")
	}
	for range 2 {
		enter("a")
		enter("b")
	}
	var got []callmodel.TenantID
	for i := range places {
		places[i].Leave(true)
		got = append(got, <-order)
	}
	assert.Equal(t, []callmodel.TenantID{"a", "b", "a", "loud"}, got, "loud holds 3, 2, 1 and none meanwhile")
	close(end)
	held.Wait()
	assert.Zero(t, f.Stats().InFlight)
}

// TestQueueBounds: the queue is bounded for each tenant and in whole. What is more
// urgent takes the room of the tenant's own, and a tenant with few that wait takes
// that of the one with the most.
func TestQueueBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, come, want string
		refused          map[string]int64
	}{
		{"a tenant's part", "a 0 1; a 0 2; a 0 3; a 0 4; b 0 5", "1 5 2 3", map[string]int64{"tenant_queue_full": 1}},
		{"the more urgent of a tenant", "a 0 1; a 0 2; a 0 3; a 9 4; a 0 5", "4 1 2", map[string]int64{"displaced": 1, "tenant_queue_full": 1}},
		{"the whole", "a 0 1; a 0 2; b 0 3; b 0 4; c 0 5; b 0 6", "1 3 5 2 4", map[string]int64{"queue_full": 1}},
		{"the longest makes room", "a 0 1; a 0 2; a 0 3; b 0 4; b 0 5; c 0 6; d 0 7", "1 4 6 7 5", map[string]int64{"displaced": 2}},
		{"the longest keeps the urgent", "a 9 1; a 0 2; a 5 3; b 0 4; b 0 5; c 0 6", "1 4 6 3 5", map[string]int64{"displaced": 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, first := one(t, FairOptions{Queue: 5, QueueOfTenant: 3})
			v := &visitors{t: t, lane: f, errs: map[string]error{}}
			for visitor := range strings.SplitSeq(c.come, ";") {
				v.come(t.Context(), visitor)
			}
			refused := f.Stats().Refused
			first.Leave(true)
			v.wg.Wait()
			assert.Equal(t, c.want, strings.Join(v.got, " "))
			for why, n := range refused {
				assert.Equal(t, c.refused[why], n, why)
			}
			for _, err := range v.errs {
				assert.Equal(t, callmodel.CodeOverloaded, callmodel.CodeOf(err))
				later, ok := errors.AsType[*callmodel.RetryAfterError](err)
				require.True(t, ok)
				assert.GreaterOrEqual(t, later.After, time.Second)
			}
		})
	}
}

// TestWaitEnds: whoever waits too long, or gives up, leaves the queue.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	f, first := one(t, FairOptions{Wait: time.Millisecond})
	_, err := f.Enter(t.Context(), "a", 0)
	require.Equal(t, callmodel.CodeOverloaded, callmodel.CodeOf(err))
	require.ErrorContains(t, err, "none ended within 1ms")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.opts.Wait = time.Minute
	_, err = f.Enter(ctx, "a", 0)
	require.Equal(t, callmodel.CodeOverloaded, callmodel.CodeOf(err))
	require.ErrorIs(t, err, context.Canceled)
	s := f.Stats()
	assert.Zero(t, s.Queued)
	assert.Equal(t, 1, s.Tenants)
	assert.EqualValues(t, 1, s.Refused["waited_too_long"])
	assert.EqualValues(t, 1, s.Refused["client_gone"])
	first.Leave(true)
	p, err := f.Enter(t.Context(), "a", 0)
	require.NoError(t, err)
	p.Leave(true)
	Place{}.Leave(true)
}

// TestRetryAfter: who is refused is told when the tenant's turns that come before will
// be over, by how long places were held.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	f := NewFair(FairOptions{Most: 2, Wait: time.Minute, Queue: 4, QueueOfTenant: 3, Now: func() time.Time { return time.Unix(0, now.Load()) }})
	enter := func() Place {
		p, err := f.Enter(t.Context(), "a", 0)
		require.NoError(t, err)
		return p
	}
	for range 200 { // until that is what the mean says
		p := enter()
		now.Add(int64(4 * time.Second))
		p.Leave(false)
	}
	p, q := enter(), enter()
	v := &visitors{t: t, lane: f, errs: map[string]error{}}
	for i := range 4 {
		v.come(t.Context(), fmt.Sprintf("a 0 %d", i))
	}
	p.Leave(false)
	q.Leave(false)
	v.wg.Wait()
	later, ok := errors.AsType[*callmodel.RetryAfterError](v.errs["3"])
	require.True(t, ok)
	assert.InDelta(t, 8, later.After.Seconds(), 0.1, "three before it and itself, two at a time, of 4 s")
}

// TestLimitFollowsLatency: the limit falls while the work takes longer the more of it
// is done at once, to the least at most, and rises when it doesn't.
func TestLimitFollowsLatency(t *testing.T) {
	t.Parallel()
	f := NewFair(FairOptions{Most: 40, Least: 2, Wait: time.Minute, Now: time.Now, window: time.Millisecond})
	require.Equal(t, 2, f.Stats().Limit)
	var extra atomic.Int64 // how much longer the work takes for each that is done beside it
	var busy sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer busy.Wait()
	defer stop()
	for range 40 {
		busy.Go(func() {
			for ctx.Err() == nil {
				p, err := f.Enter(ctx, "a", 0)
				if err != nil {
					return
				}
				work := time.NewTimer(200*time.Microsecond + time.Duration(extra.Load()*int64(f.limit.Inflight())))
				<-work.C
				p.Leave(true)
			}
		})
	}
	limit := func(is func(int) bool) {
		t.Helper()
		require.Eventually(t, func() bool { n := f.Stats().Limit; return n >= 2 && n <= 40 && is(n) }, time.Minute, time.Millisecond)
	}
	limit(func(n int) bool { return n >= 20 })
	extra.Store(int64(200 * time.Microsecond))
	limit(func(n int) bool { return n < 10 })
	extra.Store(0)
	limit(func(n int) bool { return n >= 15 })
}

// TestFreeLaneAllocations: a place that is free costs the limiter's one allocation.
func TestFreeLaneAllocations(t *testing.T) {
	f := NewFair(FairOptions{Now: time.Now})
	ctx := t.Context()
	assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
		p, err := f.Enter(ctx, "acme", 10)
		if err != nil {
			t.Error(err)
		}
		p.Leave(true)
	}), 1.0)
}

// BenchmarkFreeLane is what a place that is free costs.
func BenchmarkFreeLane(b *testing.B) {
	ctx := b.Context()
	b.Run("fixed", func(b *testing.B) {
		l := New(256, time.Second)
		b.ReportAllocs()
		for b.Loop() {
			leave, err := l.Enter(ctx)
			require.NoError(b, err)
			leave()
		}
	})
	b.Run("fair", func(b *testing.B) {
		f := NewFair(FairOptions{Now: time.Now})
		b.ReportAllocs()
		for b.Loop() {
			p, err := f.Enter(ctx, "acme", 10)
			if err != nil {
				b.Fatal(err)
			}
			p.Leave(true)
		}
	})
}
