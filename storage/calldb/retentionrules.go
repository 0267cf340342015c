package calldb

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// rulesAtOnce is how many versions one transaction looks at: each that goes has a text of
// up to a megabyte in its row.
const rulesAtOnce = 16

// forgetRules is for versions of rule sets that nobody needs any more.
func (t *tx) forgetRules(ctx context.Context, keep time.Duration, next *ForgetPlace, actor string) (gone int64, err error) {
	type version struct {
		seq          int64
		tenant, hash string
		old          bool
	}
	var all []version
	if keep > 0 {
		err = t.each(ctx, func(s scanner) error {
			var v version
			var age int64
			err := s.Scan(&v.seq, &v.tenant, &v.hash, &age)
			v.old = age > keep.Microseconds()
			all = append(all, v)
			return err
		}, "SELECT seq, tenant_id, hash, @now - created_at FROM rule_sets WHERE seq > ? ORDER BY seq LIMIT ?", next.seq, rulesAtOnce)
		if err != nil {
			return 0, err
		}
	}
	var lines []callmodel.AuditEvent
	for _, v := range all {
		next.seq = v.seq
		if !v.old {
			continue
		}
		tenant := callmodel.TenantID(v.tenant)
		state, err := t.lockRuleSets(ctx, tenant)
		if err != nil {
			return 0, err
		}
		var used int64
		if err := t.row(ctx, "SELECT count(*) FROM (SELECT 1 FROM rule_activations WHERE tenant_id = ? AND (hash = ? OR replaced = ?) AND at > @now - ? LIMIT 1) AS used",
			v.tenant, v.hash, v.hash, keep.Microseconds()).Scan(&used); err != nil {
			return 0, err
		}
		if used > 0 || state.ActiveHash() == v.hash || state.Canary != nil && state.Canary.Hash == v.hash || state.Before != nil && state.Before.Hash == v.hash {
			continue
		}
		if _, err := t.exec(ctx, "DELETE FROM rule_sets WHERE seq = ?", v.seq); err != nil {
			return 0, err
		}
		lines = append(lines, storeform.RuleSetLine(callmodel.AuditRuleSetForgotten, tenant, v.hash, actor))
		gone++
	}
	if len(all) < rulesAtOnce {
		next.stage, next.seq = next.stage+1, 0
	}
	return gone, t.auditAll(ctx, lines)
}

// forgetRuleParts is for the texts of large versions that were forgotten.
func (t *tx) forgetRuleParts(ctx context.Context, keep time.Duration, next *ForgetPlace) error {
	if !t.ruleParts {
		next.stage++
		return nil
	}
	_, err := t.forgetRows(ctx, keep, next, `DELETE FROM rule_set_parts WHERE (parts, part) IN (SELECT p.parts, p.part FROM rule_set_parts p
		WHERE p.stored_at < @now - ? AND NOT EXISTS (SELECT 1 FROM rule_sets r WHERE r.parts = p.parts) LIMIT ?)`, forgottenParts.Microseconds(), forgetAtOnce)
	return err
}
