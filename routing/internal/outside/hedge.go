package outside

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	latencies  = 128 // the latest answers that the percentile is of
	recompute  = 16  // answers between two looks
	leastHedge = 5 * time.Millisecond
)

// percentile knows in which time 95 of the latest 100 answers came.
type percentile struct {
	p95 atomic.Int64

	mu    sync.Mutex
	ring  [latencies]time.Duration
	count int
}

func (p *percentile) add(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ring[p.count%latencies] = d
	p.count++
	if p.count%recompute != 0 {
		return
	}
	n := min(p.count, latencies)
	sorted := slices.Sorted(slices.Values(p.ring[:n]))
	p.p95.Store(int64(sorted[n*95/100]))
}

// hedgeAfter returns the time after which the second request is sent: the configured
// time, or that in which 95 of 100 answers come. Until enough answers are known it is
// a third of the budget.
func (c *Client[A]) hedgeAfter() time.Duration {
	if c.opts.HedgeAfter != 0 {
		return c.opts.HedgeAfter
	}
	p95 := time.Duration(c.latency.p95.Load())
	if p95 == 0 {
		return c.opts.Budget / 3
	}
	return min(max(p95, leastHedge), c.opts.Budget*2/3)
}
