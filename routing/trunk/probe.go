package trunk

import (
	"context"
	"sync"
	"time"
)

// Prober asks a destination whether it works.
type Prober interface {
	// Probe returns nil if the destination with this URI can take calls. It must
	// return when ctx ends.
	Probe(ctx context.Context, uri string) error
}

// maxProbes is how many destinations are asked at once.
const maxProbes = 16

// Run probes the destinations, if there is a Prober, and gives back expired places,
// until ctx ends.
func (g *Group) Run(ctx context.Context) error {
	every := time.NewTicker(min(g.opts.ProbeEvery, 10*time.Second))
	defer every.Stop()
	next := g.now()
	for {
		if now := g.now(); now >= next {
			next = now + int64(g.opts.ProbeEvery)
			g.Probe(ctx)
		}
		g.Sweep()
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
	}
}

// Probe asks every destination once and returns when all have answered or taken too
// long. Run does the same regularly; Probe is for a host with many groups. Without a
// Prober it does nothing.
func (g *Group) Probe(ctx context.Context) {
	if g.opts.Prober == nil {
		return
	}
	var running sync.WaitGroup
	places := make(chan struct{}, maxProbes)
	for _, d := range *g.dests.Load() {
		select {
		case <-ctx.Done():
			running.Wait()
			return
		case places <- struct{}{}:
		}
		running.Go(func() {
			defer func() { <-places }()
			g.probe(ctx, d)
		})
	}
	running.Wait()
}

// probe learns from one probe. A probe that was cut short shows nothing.
func (g *Group) probe(ctx context.Context, d *destination) {
	d.mu.Lock()
	uri := d.uri
	d.mu.Unlock()
	one, cancel := context.WithTimeout(ctx, g.opts.ProbeTimeout)
	defer cancel()
	err := g.opts.Prober.Probe(one, uri)
	if ctx.Err() != nil {
		return
	}
	g.learn(d, outcome{worked: err == nil, failed: err != nil})
}
