package callhttp

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/snapshot"
)

// keep writes what is in service for the tenant to the snapshot. A failure is
// logged, counted, and made good at the next refresh: calls don't need it.
func (c *ruleCache) keep(ctx context.Context, t callmodel.TenantID, state *rulesets.State, parsed map[string]*routing.RuleSet) {
	if c.snap == nil || state.Active == nil {
		return
	}
	c.keeping.Lock()
	defer c.keeping.Unlock()
	if now, _ := c.seen(t); !now.sameVersions(inServiceOf(state)) {
		return // whoever changed it keeps that
	}
	err := c.keepVersions(ctx, t, state, parsed)
	if err == nil {
		c.unkept.Delete(t)
		return
	}
	c.failed.Add(1)
	c.unkept.Store(t, true)
	c.log.ErrorContext(ctx, "the snapshot of the rules could not be written; a start without the database would go by an older one", "tenant", t, "directory", c.snap.String(), "error", err)
}

func (c *ruleCache) keepVersions(ctx context.Context, t callmodel.TenantID, state *rulesets.State, parsed map[string]*routing.RuleSet) error {
	for _, hash := range [2]string{state.ActiveHash(), state.CanaryHash()} {
		if hash == "" || c.snap.HasRules(t, hash) && parsed[hash] == nil {
			continue
		}
		rs := parsed[hash]
		if rs == nil { // it was in memory, and its file is gone
			stored, err := c.store.RuleSet(ctx, t, hash)
			if err != nil {
				return err
			}
			if rs, err = routing.Parse(stored.Body); err != nil {
				return err
			}
		}
		if err := c.snap.SaveRules(t, hash, rs); err != nil {
			return err
		}
	}
	return c.snap.SaveState(snapshot.State{
		Tenant: t, Active: state.ActiveHash(), Previous: state.Previous, Canary: state.Canary, SavedAt: c.now().UTC(),
	})
}

// keepWithout writes which tenants have no rules, if there are new ones.
func (c *ruleCache) keepWithout(ctx context.Context) {
	if c.snap == nil || !c.without.Swap(false) {
		return
	}
	list := []callmodel.TenantID{}
	for k, v := range c.known.Range {
		t, isTenant := k.(callmodel.TenantID)
		if in, ok := v.(inService); ok && isTenant && in.active == "" {
			list = append(list, t)
		}
	}
	c.keeping.Lock()
	defer c.keeping.Unlock()
	if err := c.snap.SaveWithout(list); err != nil {
		c.failed.Add(1)
		c.without.Store(true)
		c.log.ErrorContext(ctx, "the list of the tenants without rules could not be written", "directory", c.snap.String(), "error", err)
	}
}

// LoadSnapshot puts what Options.Snapshot holds in service, for the tenants of
// which nothing is yet, without asking the store. Run takes up what the store
// has as soon as it answers. The error names each file that could not be used;
// the others are in service all the same.
func (h *Handler) LoadSnapshot(ctx context.Context) error {
	c := h.rules
	if c.snap == nil {
		return nil
	}
	tenants, without, err := c.snap.Load()
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
		h.opts.Logger.WarnContext(ctx, "rule set in service from the snapshot", "tenant", t.Tenant, "ruleset", in.active, "canary", in.canary, "saved_at", t.SavedAt)
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
	// FromSnapshot is how many of them the store has not confirmed since the
	// start, and Oldest when the oldest snapshot of them was written.
	FromSnapshot int
	Oldest       time.Time
	// SnapshotFailures is how often the snapshot could not be written.
	SnapshotFailures int64
}

// RulesInService counts the rule sets in service.
func (h *Handler) RulesInService() RulesInService {
	s := RulesInService{SnapshotFailures: h.rules.failed.Load()}
	for _, v := range h.rules.known.Range {
		in, ok := v.(inService)
		if !ok || in.active == "" {
			continue
		}
		s.Tenants++
		if in.canary != "" {
			s.Canaries++
		}
		if in.saved.IsZero() {
			continue
		}
		s.FromSnapshot++
		if s.Oldest.IsZero() || in.saved.Before(s.Oldest) {
			s.Oldest = in.saved
		}
	}
	return s
}
