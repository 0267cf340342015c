package webhook

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/webhooks"
)

const (
	// rounds is how many tries each place at an endpoint makes of one claim.
	rounds = 4
	// slowAfter is how long a try may take on average for its endpoint not to be slow.
	slowAfter = 2 * time.Second
	// restAfter is for how long a receiver is left alone whose tries all failed: however much
	// waits for one that is down, it costs little.
	restAfter = time.Second
	// settleWithin is what the store has to note what a try came to.
	settleWithin = 10 * time.Second
)

// start has deliveries tried, of each endpoint that has some due and none here yet, as
// far as there are places. tries is the context of what it starts.
func (d *Deliverer) start(ctx, tries context.Context) error {
	due, err := d.store.DueWebhooks(ctx, 0)
	if err != nil {
		return err
	}
	for i := range due {
		places, slow := d.take(&due[i])
		if places == 0 {
			continue
		}
		c := webhooks.Claim{EndpointID: due[i].EndpointID, Limit: places * rounds}
		if due[i].Failing {
			c.Limit = 1
		}
		// One place makes at most so many tries before the last one of the claim is over.
		c.Lease = d.opts.Timeout*rounds + d.opts.LeaseSlack
		got, err := d.store.ClaimDeliveries(ctx, c)
		if err != nil || len(got.Tasks) == 0 {
			d.give(due[i].EndpointID, places, slow)
			if err != nil {
				return err
			}
			continue
		}
		d.running.Go(func() {
			defer d.rouse()
			defer d.give(got.Endpoint.ID, places, slow)
			d.deliver(tries, &got, places)
		})
	}
	return nil
}

// take takes places for tries at the endpoint: none if there are none, or it has some.
func (d *Deliverer) take(due *webhooks.Due) (places int, slow bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy[due.EndpointID] {
		return 0, false
	}
	if until, resting := d.rest[due.EndpointID]; resting {
		if d.opts.Now().Before(until) {
			return 0, false
		}
		delete(d.rest, due.EndpointID)
	}
	slow = due.Failing || d.slow[due.EndpointID]
	places = min(d.opts.PerEndpoint, d.opts.Concurrency-d.used)
	if slow {
		places = min(1, places, d.opts.Concurrency/2-d.usedSlow)
	}
	if places <= 0 {
		return 0, slow
	}
	d.busy[due.EndpointID] = true
	d.used += places
	if slow {
		d.usedSlow += places
	}
	return places, slow
}

// give gives them back.
func (d *Deliverer) give(endpoint string, places int, slow bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.busy, endpoint)
	d.used -= places
	if slow {
		d.usedSlow -= places
	}
}

// deliver tries what was claimed, in its order, places of it at once.
func (d *Deliverer) deliver(ctx context.Context, got *webhooks.Claimed, places int) {
	began := d.opts.Now()
	tasks := make(chan *webhooks.Task)
	var wg sync.WaitGroup
	var delivered atomic.Bool
	for range min(places, len(got.Tasks)) {
		wg.Go(func() {
			for k := range tasks {
				if d.once(ctx, &got.Endpoint, k) {
					delivered.Store(true)
				}
			}
		})
	}
	for i := range got.Tasks {
		tasks <- &got.Tasks[i]
	}
	close(tasks)
	wg.Wait()
	took := d.opts.Now().Sub(began) / time.Duration((len(got.Tasks)+places-1)/places)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !delivered.Load() {
		d.rest[got.Endpoint.ID] = d.opts.Now().Add(restAfter)
	}
	if took > slowAfter {
		d.slow[got.Endpoint.ID] = true
	} else {
		delete(d.slow, got.Endpoint.ID)
	}
}

// once makes one try and notes what it came to. One that was cut short is noted by
// nobody: it is tried again when its lease is over.
func (d *Deliverer) once(ctx context.Context, e *webhooks.Stored, k *webhooks.Task) (delivered bool) {
	if ctx.Err() != nil {
		return false
	}
	o := d.try(ctx, e, k)
	if ctx.Err() != nil && !o.Delivered {
		return false
	}
	switch {
	case o.Delivered:
		d.delivered.Add(1)
	default:
		d.failed.Add(1)
		if o.RetryIn == 0 {
			d.givenUp.Add(1)
			d.opts.Logger.WarnContext(ctx, "a webhook's delivery is given up; it can be replayed", "tenant", string(e.TenantID), "webhook", e.ID,
				"delivery", o.ID, "event", k.Event.Key, "error", o.Error)
		}
		if o.Gone {
			d.opts.Logger.WarnContext(ctx, "a webhook is disabled: its receiver says that it is gone", "tenant", string(e.TenantID), "webhook", e.ID)
		}
	}
	d.settling <- struct{}{}
	defer func() { <-d.settling }()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleWithin)
	defer cancel()
	if err := d.store.SettleDelivery(end, o); err != nil && !errors.Is(err, callmodel.ErrLeaseLost) {
		d.opts.Logger.WarnContext(ctx, "what a webhook's delivery came to can't be noted; it is delivered again", "webhook", e.ID, "delivery", o.ID, "error", err)
	}
	return o.Delivered
}
