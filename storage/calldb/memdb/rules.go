package memdb

import (
	"context"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// PutRuleSet implements callservice.RuleSetStore.
func (s *Store) PutRuleSet(ctx context.Context, r rulesets.Version, actor string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := storeform.CheckRuleSet(&r, actor); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ruleSet(r.TenantID, r.Hash) != nil {
		return nil
	}
	r.CreatedAt, r.Active = s.clock(), false
	s.rules = append(s.rules, copied(r))
	s.line(storeform.RuleSetLine(callmodel.AuditRuleSetStored, r.TenantID, r.Hash, actor))
	return nil
}

func (s *Store) ruleSet(t callmodel.TenantID, hash string) *rulesets.Version {
	i := slices.IndexFunc(s.rules, func(r rulesets.Version) bool { return r.TenantID == t && r.Hash == hash })
	if i < 0 {
		return nil
	}
	return &s.rules[i]
}

// versions is which of a tenant's rule sets are in service.
type versions struct {
	history []rulesets.Activation // by id, from 1
	canary  *rulesets.Canary
}

// ChangeRuleSet implements callservice.RuleSetStore.
func (s *Store) ChangeRuleSet(ctx context.Context, c rulesets.Change) (rulesets.State, error) {
	if err := ctx.Err(); err != nil {
		return rulesets.State{}, err
	}
	if err := storeform.CheckChange(&c); err != nil {
		return rulesets.State{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if (c.Action == rulesets.ActionActivate || c.Action == rulesets.ActionCanary) && s.ruleSet(c.TenantID, c.Hash) == nil {
		return rulesets.State{}, callmodel.ErrNotFound
	}
	before := s.state(c.TenantID)
	change, err := before.Change(&c)
	if err != nil {
		return rulesets.State{}, err
	}
	if change != nil {
		s.change(c.TenantID, change)
	}
	return copied(s.state(c.TenantID).State), nil
}

func (s *Store) change(t callmodel.TenantID, c *storeform.Change) {
	v := s.active[t]
	if v == nil {
		v = &versions{}
		s.active[t] = v
	}
	if a := c.Activation; a != nil {
		a.ID, a.At = int64(len(v.history))+1, s.clock()
		v.history = append(v.history, *a)
	}
	if c.Canary != nil && c.Canary.Salt == "" {
		c.Canary.Salt, c.Canary.StartedAt = storeform.Nonce(), s.clock()
	}
	v.canary = c.Canary
	s.line(c.Audit)
}

func (s *Store) state(t callmodel.TenantID) storeform.RuleSets {
	v := s.active[t]
	if v == nil || len(v.history) == 0 {
		return storeform.RuleSets{}
	}
	now := v.history[len(v.history)-1]
	out := storeform.RuleSets{State: rulesets.State{Active: &now, Canary: v.canary}}
	if now.Back != 0 {
		out.Before = &v.history[now.Back-1]
		out.Previous = out.Before.Hash
	}
	return out
}

// RuleSetState implements callservice.RuleSetStore.
func (s *Store) RuleSetState(ctx context.Context, t callmodel.TenantID) (rulesets.State, error) {
	if err := ctx.Err(); err != nil {
		return rulesets.State{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return copied(s.state(t).State), nil
}

// Activations implements callservice.RuleSetStore.
func (s *Store) Activations(ctx context.Context, t callmodel.TenantID, limit int) ([]rulesets.Activation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []rulesets.Activation{}
	if v := s.active[t]; v != nil {
		all = append(all, v.history[max(0, len(v.history)-storeform.HistoryLimit(limit)):]...)
		slices.Reverse(all)
	}
	return all, nil
}

func (s *Store) activeHash(t callmodel.TenantID) string {
	state := s.state(t)
	return state.ActiveHash()
}

// RuleSet implements callservice.RuleSetStore.
func (s *Store) RuleSet(ctx context.Context, t callmodel.TenantID, hash string) (rulesets.Version, error) {
	if err := ctx.Err(); err != nil {
		return rulesets.Version{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.ruleSet(t, hash)
	if r == nil {
		return rulesets.Version{}, callmodel.ErrNotFound
	}
	c := copied(*r)
	c.Active = s.activeHash(t) == hash
	return c, nil
}

// RuleSets implements callservice.RuleSetStore.
func (s *Store) RuleSets(ctx context.Context, t callmodel.TenantID) ([]rulesets.Version, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all, active := []rulesets.Version{}, s.activeHash(t)
	for _, r := range slices.Backward(s.rules) {
		if r.TenantID == t {
			r.Body, r.Active = nil, active == r.Hash
			all = append(all, r)
		}
	}
	return all, nil
}
