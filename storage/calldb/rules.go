package calldb

import (
	"context"
	"database/sql"
	"errors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// PutRuleSet implements callservice.RuleSetStore. CreatedAt is the database's
// clock; CreatedBy is the actor where the set doesn't say.
func (d *DB) PutRuleSet(ctx context.Context, s rulesets.Version, actor string) error {
	if err := storeform.CheckRuleSet(&s, actor); err != nil {
		return err
	}
	parts := ""
	if len(s.Body) >= largeBody {
		has, inParts, err := d.hasRuleSet(ctx, &s)
		if has || err != nil {
			return err
		}
		if inParts {
			if parts, err = d.putParts(ctx, s.Body); err == nil {
				s.Body = []byte{}
				err = d.putRuleSet(ctx, &s, actor, parts)
			} else {
				err = errors.Join(err, d.dropParts(context.WithoutCancel(ctx), parts))
			}
			return err
		}
	}
	return d.putRuleSet(ctx, &s, actor, parts)
}

// putRuleSet stores the version's row. parts is the name of the parts of its text, ""
// if the body is the text.
func (d *DB) putRuleSet(ctx context.Context, s *rulesets.Version, actor, parts string) error {
	return d.update(ctx, "store a rule set", func(ctx context.Context, t *tx) error {
		column, value, args := "", "", []any{string(s.TenantID), s.Hash, s.Format, s.Body, s.CreatedBy}
		if parts != "" {
			column, value, args = ", parts", ", ?", append(args, parts)
		}
		n, err := t.exec(ctx, `INSERT INTO rule_sets (tenant_id, hash, format, body, created_at, created_by`+column+`) VALUES (?, ?, ?, ?, @now, ?`+value+`)
			ON CONFLICT (tenant_id, hash) DO NOTHING`, args...)
		if err == nil && n == 0 && parts != "" { // another has stored it meanwhile
			_, err = t.exec(ctx, "DELETE FROM rule_set_parts WHERE parts = ?", parts)
		}
		if err != nil || n == 0 {
			return err
		}
		return t.audit(ctx, storeform.RuleSetLine(callmodel.AuditRuleSetStored, s.TenantID, s.Hash, actor))
	})
}

const ruleSetColumns = `r.tenant_id, r.hash, r.format, r.created_at, r.created_by, CASE WHEN a.hash IS NULL THEN 0 ELSE 1 END`

const ruleSetTables = ` FROM rule_sets r LEFT JOIN active_rule_sets a ON a.tenant_id = r.tenant_id AND a.hash = r.hash WHERE r.tenant_id = ?`

func scanRuleSet(s scanner, r *rulesets.Version, more ...any) error {
	var at, active int64
	if err := s.Scan(append([]any{&r.TenantID, &r.Hash, &r.Format, &at, &r.CreatedBy, &active}, more...)...); err != nil {
		return err
	}
	r.CreatedAt, r.Active = storeform.Time(at), active == 1
	return nil
}

// RuleSet implements callservice.RuleSetStore.
func (d *DB) RuleSet(ctx context.Context, tenant callmodel.TenantID, hash string) (rulesets.Version, error) {
	if storeform.CheckKey("hash", hash) != nil {
		return rulesets.Version{}, callmodel.ErrNotFound
	}
	return d.ruleSet(ctx, tenant, " AND r.hash = ?", hash)
}

func (d *DB) ruleSet(ctx context.Context, tenant callmodel.TenantID, and string, args ...any) (rulesets.Version, error) {
	if !callmodel.ValidID(string(tenant)) {
		return rulesets.Version{}, callmodel.ErrNotFound
	}
	var r rulesets.Version
	err := d.view(ctx, "read a rule set", func(ctx context.Context, t *tx) error {
		r = rulesets.Version{}
		parts, column := "", ", ''"
		if t.ruleParts {
			column = ", r.parts"
		}
		err := scanRuleSet(t.row(ctx, "SELECT "+ruleSetColumns+", r.body"+column+ruleSetTables+and,
			append([]any{string(tenant)}, args...)...), &r, &r.Body, &parts)
		if errors.Is(err, sql.ErrNoRows) {
			return callmodel.ErrNotFound
		}
		if err == nil && parts != "" {
			r.Body, err = t.partsOf(ctx, parts)
		}
		return err
	})
	if err != nil {
		return rulesets.Version{}, err
	}
	return r, nil
}

// RuleSets implements callservice.RuleSetStore.
func (d *DB) RuleSets(ctx context.Context, tenant callmodel.TenantID) ([]rulesets.Version, error) {
	if !callmodel.ValidID(string(tenant)) {
		return []rulesets.Version{}, nil
	}
	var all []rulesets.Version
	err := d.view(ctx, "list rule sets", func(ctx context.Context, t *tx) error {
		all = []rulesets.Version{}
		return t.each(ctx, func(s scanner) error {
			var r rulesets.Version
			if err := scanRuleSet(s, &r); err != nil {
				return err
			}
			all = append(all, r)
			return nil
		}, "SELECT "+ruleSetColumns+ruleSetTables+" ORDER BY r.seq DESC", string(tenant))
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
