package calldb

import (
	"context"
	"database/sql"
	"errors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// ChangeRuleSet implements callservice.RuleSetStore.
func (d *DB) ChangeRuleSet(ctx context.Context, c rulesets.Change) (rulesets.State, error) {
	if err := storeform.CheckChange(&c); err != nil {
		return rulesets.State{}, err
	}
	var after rulesets.State
	err := d.update(ctx, string(c.Action)+" a rule set", func(ctx context.Context, t *tx) error {
		before, err := t.lockRuleSets(ctx, c.TenantID)
		if err != nil {
			return err
		}
		if err := t.stored(ctx, &c); err != nil {
			return err
		}
		change, err := before.Change(&c)
		if err != nil || change == nil {
			after = before.State
			return err
		}
		if a := change.Activation; a != nil {
			there, err := t.hasVersion(ctx, c.TenantID, a.Hash)
			if err == nil && !there { // one that a rollback goes back to
				err = callmodel.Errorf(callmodel.CodeConflict, "the version %s isn't stored any more: it was forgotten for its age; activate another", a.Hash)
			}
			if err != nil {
				return err
			}
		}
		if err := t.changeRuleSet(ctx, &before, c.TenantID, change); err != nil {
			return err
		}
		now, err := t.ruleSets(ctx, c.TenantID)
		if err != nil {
			return err
		}
		after = now.State
		return t.audit(ctx, change.Audit)
	})
	if err != nil {
		return rulesets.State{}, err
	}
	return after, nil
}

// lockRuleSets keeps the tenant's state from others' changes until the
// transaction ends. A tenant that has none yet gets a row to lock.
func (t *tx) lockRuleSets(ctx context.Context, tenant callmodel.TenantID) (storeform.RuleSets, error) {
	_, err := t.exec(ctx, `INSERT INTO active_rule_sets (tenant_id, hash, activated_at) VALUES (?, '', 0)
		ON CONFLICT (tenant_id) DO UPDATE SET hash = active_rule_sets.hash`, string(tenant))
	if err != nil {
		return storeform.RuleSets{}, err
	}
	return t.ruleSets(ctx, tenant)
}

// stored checks that a version to put in service is there.
func (t *tx) stored(ctx context.Context, c *rulesets.Change) error {
	if c.Action != rulesets.ActionActivate && c.Action != rulesets.ActionCanary {
		return nil
	}
	there, err := t.hasVersion(ctx, c.TenantID, c.Hash)
	if err == nil && !there {
		err = callmodel.ErrNotFound
	}
	return err
}

// hasVersion reports whether the version is stored.
func (t *tx) hasVersion(ctx context.Context, tenant callmodel.TenantID, hash string) (bool, error) {
	var n int
	err := t.row(ctx, "SELECT count(*) FROM rule_sets WHERE tenant_id = ? AND hash = ?", string(tenant), hash).Scan(&n)
	return n > 0, err
}

func (t *tx) changeRuleSet(ctx context.Context, before *storeform.RuleSets, tenant callmodel.TenantID, c *storeform.Change) error {
	if a := c.Activation; a != nil {
		id := int64(1)
		if before.Active != nil {
			id = before.Active.ID + 1
		}
		_, err := t.exec(ctx, `INSERT INTO rule_activations (tenant_id, id, hash, replaced, action, at, actor, back) VALUES (?, ?, ?, ?, ?, @now, ?, ?)`,
			string(tenant), id, a.Hash, a.Replaced, string(a.Action), a.Actor, a.Back)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `UPDATE active_rule_sets SET hash = ?, activated_at = (SELECT n.at FROM rule_activations n WHERE n.tenant_id = ? AND n.id = ?)
			WHERE tenant_id = ?`, a.Hash, string(tenant), id, string(tenant))
		if err != nil {
			return err
		}
	}
	if c.Canary == nil {
		_, err := t.exec(ctx, "DELETE FROM rule_canaries WHERE tenant_id = ?", string(tenant))
		return err
	}
	salt := c.Canary.Salt
	if salt == "" {
		salt = storeform.Nonce()
	}
	_, err := t.exec(ctx, `INSERT INTO rule_canaries (tenant_id, hash, share, salt, started_at, actor) VALUES (?, ?, ?, ?, @now, ?)
		ON CONFLICT (tenant_id) DO UPDATE SET share = excluded.share, actor = excluded.actor`,
		string(tenant), c.Canary.Hash, int64(c.Canary.Share), salt, c.Canary.Actor)
	return err
}

const activationColumns = "n.id, n.hash, n.replaced, n.action, n.at, n.actor, n.back"

func scanActivation(s scanner, a *rulesets.Activation, more ...any) error {
	var at int64
	if err := s.Scan(append([]any{&a.ID, &a.Hash, &a.Replaced, &a.Action, &at, &a.Actor, &a.Back}, more...)...); err != nil {
		return err
	}
	a.At = storeform.Time(at)
	return nil
}

// ruleSets reads the tenant's state. A canary always has an active version
// beside it, so one row tells all.
func (t *tx) ruleSets(ctx context.Context, tenant callmodel.TenantID) (storeform.RuleSets, error) {
	var now, before rulesets.Activation
	var canary rulesets.Canary
	var share, started int64
	err := scanActivation(t.row(ctx, "SELECT "+activationColumns+`,
			COALESCE(b.id, 0), COALESCE(b.hash, ''), COALESCE(b.back, 0),
			COALESCE(c.hash, ''), COALESCE(c.share, 0), COALESCE(c.salt, ''), COALESCE(c.started_at, 0), COALESCE(c.actor, '')
		FROM rule_activations n
		LEFT JOIN rule_activations b ON b.tenant_id = n.tenant_id AND b.id = n.back
		LEFT JOIN rule_canaries c ON c.tenant_id = n.tenant_id
		WHERE n.tenant_id = ? ORDER BY n.id DESC LIMIT 1`, string(tenant)), &now,
		&before.ID, &before.Hash, &before.Back, &canary.Hash, &share, &canary.Salt, &started, &canary.Actor)
	if errors.Is(err, sql.ErrNoRows) {
		return storeform.RuleSets{}, nil
	}
	if err != nil {
		return storeform.RuleSets{}, err
	}
	s := storeform.RuleSets{State: rulesets.State{Active: &now}}
	if before.ID != 0 {
		s.Before, s.Previous = &before, before.Hash
	}
	if canary.Hash != "" {
		canary.Share, canary.StartedAt = rulesets.Share(share), storeform.Time(started)
		s.Canary = &canary
	}
	return s, nil
}

// RuleSetState implements callservice.RuleSetStore.
func (d *DB) RuleSetState(ctx context.Context, tenant callmodel.TenantID) (rulesets.State, error) {
	if !callmodel.ValidID(string(tenant)) {
		return rulesets.State{}, nil
	}
	var s storeform.RuleSets
	err := d.view(ctx, "read which rule sets are in service", func(ctx context.Context, t *tx) error {
		var err error
		s, err = t.ruleSets(ctx, tenant)
		return err
	})
	return s.State, err
}

// Activations implements callservice.RuleSetStore.
func (d *DB) Activations(ctx context.Context, tenant callmodel.TenantID, limit int) ([]rulesets.Activation, error) {
	if !callmodel.ValidID(string(tenant)) {
		return []rulesets.Activation{}, nil
	}
	var all []rulesets.Activation
	err := d.view(ctx, "read the history of the rule sets", func(ctx context.Context, t *tx) error {
		all = []rulesets.Activation{}
		return t.each(ctx, func(s scanner) error {
			var a rulesets.Activation
			if err := scanActivation(s, &a); err != nil {
				return err
			}
			all = append(all, a)
			return nil
		}, "SELECT "+activationColumns+" FROM rule_activations n WHERE n.tenant_id = ? ORDER BY n.id DESC LIMIT ?", string(tenant), storeform.HistoryLimit(limit))
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
