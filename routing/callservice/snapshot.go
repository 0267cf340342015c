package callservice

import (
	"context"
	"encoding"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/snapshot"
)

// keeper writes what is in service to the snapshot in its own time: calls and
// changes of the rules tell it what to write and go on.
//
//	put in service ─▶ later ─▶ waiting ─▶ run ─▶ RulesSnapshot
//	                                       ▲ └ failed: again after every refresh
type keeper struct {
	rules   *ruleCache
	dir     RulesSnapshot // nil: there is no snapshot
	every   time.Duration // between two tries at what failed
	log     *slog.Logger
	now     func() time.Time
	waiting sync.Map      // of each tenant whose snapshot is not written, its kept
	without atomic.Bool   // the list of tenants without rules has grown
	woken   chan struct{} // holds one: there is something to write
	failed  atomic.Int64
}

// kept is what is to be written for a tenant.
type kept struct {
	state rulesets.State
	// packed are its versions by their hash, as far as they are at hand.
	packed map[string]encoding.BinaryMarshaler
}

func newKeeper(c *ruleCache, o *Options) *keeper {
	return &keeper{rules: c, dir: o.Snapshot, every: o.RulesRefresh, log: o.Logger, now: o.Now, woken: make(chan struct{}, 1)}
}

// versions are the version that the snapshot holds, compiled, or none. Reading it
// is faster than compiling the stored text, so a rollback of a large set is quick.
func (k *keeper) versions(ctx context.Context, t callmodel.TenantID, hash string) []compiled {
	if k.dir == nil || !k.dir.HasRules(t, hash) {
		return nil
	}
	r, err := k.dir.Rules(t, hash)
	if err != nil {
		k.log.ErrorContext(ctx, "a version in the snapshot can't be used; the store is asked", "tenant", t, "ruleset", hash, "error", err)
		return nil
	}
	return []compiled{{router: r}}
}

// later has run write the tenant's state. The newest one counts.
func (k *keeper) later(t callmodel.TenantID, state *rulesets.State, packed map[string]encoding.BinaryMarshaler) {
	if k.dir == nil || state.Active == nil {
		return
	}
	k.waiting.Store(t, &kept{*state, packed})
	k.wake()
}

// wake tells run that there is something to write.
func (k *keeper) wake() {
	select {
	case k.woken <- struct{}{}:
	default: // it knows already
	}
}

// run writes until ctx ends, and then what is left once more.
func (k *keeper) run(ctx context.Context) {
	if k.dir == nil {
		return
	}
	retry := time.NewTicker(k.every)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
			defer cancel()
			k.writeWaiting(last)
			return
		case <-k.woken:
		case <-retry.C:
		}
		k.writeWaiting(ctx)
	}
}

// writeWaiting writes what waits. A failure is logged, counted and tried again:
// calls don't need the snapshot.
func (k *keeper) writeWaiting(ctx context.Context) {
	for key, value := range k.waiting.Range {
		t, isTenant := key.(callmodel.TenantID)
		if v, ok := value.(*kept); ok && isTenant {
			k.write(ctx, t, v)
		}
	}
	k.writeWithout(ctx)
}

func (k *keeper) write(ctx context.Context, t callmodel.TenantID, v *kept) {
	if now, _ := k.rules.seen(t); !now.sameVersions(inServiceOf(&v.state)) {
		k.waiting.CompareAndDelete(t, v) // another state has come, and waits itself
		return
	}
	err := k.writeVersions(ctx, t, v)
	if err == nil {
		k.waiting.CompareAndDelete(t, v)
		return
	}
	k.failed.Add(1)
	k.waiting.CompareAndSwap(t, v, &kept{state: v.state}) // what was packed is not held on to
	k.log.ErrorContext(ctx, "the snapshot of the rules could not be written; a start without the database would go by an older one", "tenant", t, "error", err)
}

func (k *keeper) writeVersions(ctx context.Context, t callmodel.TenantID, v *kept) error {
	for _, hash := range [2]string{v.state.ActiveHash(), v.state.CanaryHash()} {
		rs := v.packed[hash]
		if hash == "" || rs == nil && k.dir.HasRules(t, hash) {
			continue
		}
		if rs == nil { // it was compiled elsewhere, and its file is gone
			stored, err := k.rules.store.RuleSet(ctx, t, hash)
			if err != nil {
				return err
			}
			made, err := k.rules.compile(ctx, stored.Body)
			if err != nil {
				return err
			}
			rs = made.packed
		}
		if err := k.dir.SaveRules(t, hash, rs); err != nil {
			return err
		}
	}
	return k.dir.SaveState(snapshot.State{
		Tenant: t, Active: v.state.ActiveHash(), Previous: v.state.Previous, Canary: v.state.Canary, SavedAt: k.now().UTC(),
	})
}

// writeWithout writes which tenants have no rules, if there are new ones.
func (k *keeper) writeWithout(ctx context.Context) {
	if !k.without.Swap(false) {
		return
	}
	list := []callmodel.TenantID{}
	for key, value := range k.rules.known.Range {
		t, isTenant := key.(callmodel.TenantID)
		if in, ok := value.(inService); ok && isTenant && in.active == "" {
			list = append(list, t)
		}
	}
	if err := k.dir.SaveWithout(list); err != nil {
		k.failed.Add(1)
		k.without.Store(true)
		k.log.ErrorContext(ctx, "the list of the tenants without rules could not be written", "error", err)
	}
}

// LoadSnapshot puts what Options.Snapshot holds in service, for the tenants of
// which nothing is yet, without asking the stores. Run takes up what the stores
// have as soon as they answer. The error names each file that could not be used;
// the others are in service all the same.
func (s *Service) LoadSnapshot(ctx context.Context) error {
	c := s.rules
	if c.keeper.dir == nil {
		return nil
	}
	tenants, without, err := c.keeper.dir.Load()
	unconfirmed := c.now() // a list has no time of its own
	for _, t := range without {
		c.putFirst(t, inService{saved: unconfirmed}, routing.Versions{})
	}
	for i := range tenants {
		t := &tenants[i]
		in := inService{active: t.Active, saved: t.SavedAt}
		if in.saved.IsZero() {
			in.saved = unconfirmed
		}
		if t.Canary != nil {
			in.canary, in.share, in.salt = t.Canary.Hash, t.Canary.Share, t.Canary.Salt
		}
		c.putFirst(t.Tenant, in, t.Versions)
		s.opts.Logger.WarnContext(ctx, "rule set in service from the snapshot", "tenant", t.Tenant,
			"ruleset", in.active, "canary", in.canary, "saved_at", t.SavedAt)
	}
	return err
}

// putFirst puts versions in service unless the store's are.
func (c *ruleCache) putFirst(t callmodel.TenantID, in inService, v routing.Versions) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if have, ok := c.seen(t); !ok || !have.saved.IsZero() && have.active == "" {
		c.put(t, in, v)
	}
}

// RulesInService tells of the rule sets in service, for metrics and readiness.
type RulesInService struct {
	Tenants  int // that have rules of their own
	Canaries int // of them, that have a canary
	// FromSnapshot is how many of them the stores have not confirmed since the
	// start, and Oldest when the oldest snapshot of them was written.
	FromSnapshot int
	Oldest       time.Time
	// SnapshotFailures is how often the snapshot could not be written.
	SnapshotFailures int64
}

// RulesInService counts the rule sets in service.
func (s *Service) RulesInService() RulesInService {
	n := RulesInService{SnapshotFailures: s.rules.keeper.failed.Load()}
	for _, v := range s.rules.known.Range {
		in, ok := v.(inService)
		if !ok || in.active == "" {
			continue
		}
		n.Tenants++
		if in.canary != "" {
			n.Canaries++
		}
		if in.saved.IsZero() {
			continue
		}
		n.FromSnapshot++
		if n.Oldest.IsZero() || in.saved.Before(n.Oldest) {
			n.Oldest = in.saved
		}
	}
	return n
}
