package service

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/switchtape/switchtape/cmd/internal/console"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage"
)

// healthTimeout bounds what a page waits for the checks.
const healthTimeout = 2 * time.Second

// Words for the state of something, as pages show them.
const (
	stateUp         = "up"
	stateDegraded   = "degraded"
	stateDown       = "down"
	stateNotWatched = "not watched"
)

// health tells of what this process sees: the destinations of its calls, the buckets of its
// worker, and what its probes look at. rec is nil without a worker.
func health(s *Stores, api *API, rec *worker.Worker, checks []ops.Check) func(ctx context.Context) []console.Health {
	return func(ctx context.Context) []console.Health {
		ctx, cancel := context.WithTimeout(ctx, healthTimeout)
		defer cancel()
		var list []console.Health
		for _, c := range checks {
			list = append(list, checkHealth(ctx, &c))
		}
		list = append(list, bucketHealth(s, rec)...)
		for _, t := range api.calls.Trunks() {
			list = append(list, trunkHealth(&t))
		}
		return list
	}
}

func checkHealth(ctx context.Context, c *ops.Check) console.Health {
	h := console.Health{Kind: "service", Name: c.Name, State: stateUp}
	err := c.Check(ctx)
	switch {
	case err != nil && c.Tolerated != nil && c.Tolerated():
		h.State, h.Detail = stateDegraded, err.Error()
	case err != nil:
		h.State, h.Detail = stateDown, err.Error()
	case c.Detail != nil:
		h.Detail = c.Detail()
	}
	return h
}

// bucketHealth tells of the bucket of the recordings and its backup, and of others that the
// worker knows to be away.
func bucketHealth(s *Stores, rec *worker.Worker) []console.Health {
	const kind = "bucket"
	away := map[string]string{}
	var list []console.Health
	if rec != nil {
		for _, b := range rec.BucketsAway() {
			away[b.Bucket] = fmt.Sprintf("away since %s (%s): %v", b.Since.UTC().Format(time.RFC3339), b.Reason, b.Err)
		}
	}
	for _, store := range []*storage.Store{s.Objects, s.Backup} {
		if store == nil {
			continue
		}
		h := console.Health{Kind: kind, Name: store.String(), State: stateUp, Detail: away[store.String()]}
		switch {
		case rec == nil:
			h.State, h.Detail = stateNotWatched, "workers watch it: their probes and metrics tell of it"
		case h.Detail != "":
			h.State = stateDown
		}
		delete(away, h.Name)
		list = append(list, h)
	}
	for _, name := range slices.Sorted(maps.Keys(away)) {
		list = append(list, console.Health{Kind: kind, Name: name, State: stateDown, Detail: away[name]})
	}
	return list
}

func trunkHealth(t *callservice.TrunkStats) console.Health {
	h := console.Health{Kind: "destination", Name: t.Destination, Tenant: t.Owner, State: t.Health.String(), Detail: fmt.Sprintf("carries %d calls", t.Calls)}
	if t.Attempts > 0 {
		h.Detail += fmt.Sprintf("; of the last %d attempts %.0f %% were answered, for %.0f s on average; post-dial delay %.1f s; quality %d of 20",
			t.Attempts, 100*t.ASR, t.ACD, t.PDD, t.Level)
	}
	return h
}
