package calldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// expiredAtOnce is how many recordings one look at those whose time may be over takes.
const expiredAtOnce = 200

// Expired implements lifecycle.ExpiryLedger.
func (d *DB) Expired(ctx context.Context, q retention.Due) (page retention.DuePage, err error) {
	err = d.view(ctx, "look for recordings whose time is over", func(ctx context.Context, t *tx) error {
		page = retention.DuePage{Next: q.After}
		switch {
		case !t.keeping:
			page.End = true
			return nil
		case !q.After.Ruled:
			return t.expiredThemselves(ctx, q.DeniedOnly, &page)
		}
		return t.expiredByRule(ctx, &q, &page)
	})
	return page, err
}

// expiredRow reads a recording's row: its seq, and a time.
func expiredRow(s scanner, more ...any) (e retention.Expired, seq, at int64, err error) {
	var nonce string
	err = s.Scan(append([]any{&seq, &nonce, &e.TenantID, &e.CallID, &e.RecordingID, &e.Queue, &at}, more...)...)
	e.JobID = storeform.JobID(seq, nonce)
	return e, seq, at, err
}

// expiredThemselves are those that say until when they are kept.
func (t *tx) expiredThemselves(ctx context.Context, deniedOnly bool, page *retention.DuePage) error {
	which := ""
	if deniedOnly {
		which = " AND retain_until = 1"
	}
	n := 0
	err := t.each(ctx, func(s scanner) error {
		e, seq, until, err := expiredRow(s)
		if err != nil {
			return err
		}
		n++
		page.Next.Micros, page.Next.Seq = until, seq
		if e.Until, e.By = storeform.Time(until), "recording"; e.Until.Equal(storeform.NotKept) {
			e.By = retention.ByConsent
		}
		page.Expired = append(page.Expired, e)
		return nil
	}, `SELECT seq, nonce, tenant_id, call_id, recording_id, queue, retain_until FROM jobs WHERE retain_until > 0 AND erased = 0 AND retain_until <= @now`+which+`
		AND (retain_until, seq) > (?, ?) ORDER BY retain_until, seq LIMIT ?`, page.Next.Micros, page.Next.Seq, expiredAtOnce)
	if err == nil && n < expiredAtOnce {
		page.Next, page.End = retention.DuePlace{Ruled: true}, deniedOnly
	}
	return err
}

// expiredByRule are those of the next tenant, or of the one that was begun, whose users, or
// the tenant itself, or the service, say so.
func (t *tx) expiredByRule(ctx context.Context, q *retention.Due, page *retention.DuePage) error {
	at := &page.Next
	if at.Micros == 0 && at.Seq == 0 {
		var next *string
		if err := t.row(ctx, "SELECT min(tenant_id) FROM jobs WHERE kind = 'record' AND retain_until = 0 AND erased = 0 AND tenant_id > ?", string(at.Tenant)).Scan(&next); err != nil {
			return err
		}
		if next == nil {
			page.End = true
			return nil
		}
		at.Tenant = callmodel.TenantID(*next)
	}
	tenantDays, least, err := t.retentionOf(ctx, at.Tenant, q.Service)
	if err != nil {
		return err
	}
	done := retention.DuePlace{Ruled: true, Tenant: at.Tenant}
	if least == 0 {
		*at = done
		return nil
	}
	type row struct {
		retention.Expired
		made, now int64
		doc       *string
	}
	var rows []row
	err = t.each(ctx, func(s scanner) error {
		var r row
		var err error
		if r.Expired, at.Seq, at.Micros, err = expiredRow(s, &r.doc, &r.now); err != nil {
			return err
		}
		r.made = at.Micros
		rows = append(rows, r)
		return nil
	}, `SELECT j.seq, j.nonce, j.tenant_id, j.call_id, j.recording_id, j.queue, j.created_at, (SELECT c.doc FROM calls AS c WHERE c.tenant_id = j.tenant_id AND c.id = j.call_id), @now
		FROM jobs AS j WHERE j.tenant_id = ? AND j.kind = 'record' AND j.retain_until = 0 AND j.erased = 0 AND (j.created_at, j.seq) > (?, ?) AND j.created_at <= @now - ?
		ORDER BY j.created_at, j.seq LIMIT ?`, string(at.Tenant), at.Micros, at.Seq, least.Microseconds(), expiredAtOnce)
	if err != nil {
		return err
	}
	known := map[users.ID]int{}
	for i := range rows {
		r := &rows[i]
		byUser := map[string]int{}
		var c calls.Call
		if r.doc != nil {
			if json.Unmarshal([]byte(*r.doc), &c) != nil {
				continue // whose call it is can't be read: it is kept
			}
			for _, id := range storeform.Users(&c) {
				days, have := known[id]
				if !have {
					if days, err = t.retentionOfUser(ctx, at.Tenant, id); err != nil {
						return err
					}
					known[id] = days
				}
				byUser[string(id)] = days
			}
		}
		rule := retention.RuleOf(byUser, tenantDays, q.Service)
		if until := storeform.Time(r.made).Add(rule.Keep); rule.Keep > 0 && !until.After(storeform.Time(r.now)) {
			r.Until, r.By = until, rule.By
			page.Expired = append(page.Expired, r.Expired)
		}
	}
	if len(rows) < expiredAtOnce {
		*at = done
	}
	return nil
}

// retentionOf is how many days the tenant's own recordings are kept, 0 if it doesn't say, and
// the shortest time that anybody says of one; 0 if nobody does.
func (t *tx) retentionOf(ctx context.Context, tenant callmodel.TenantID, service time.Duration) (days int, least time.Duration, err error) {
	shortest := func(keep time.Duration) {
		if keep > 0 && (least == 0 || keep < least) {
			least = keep
		}
	}
	shortest(service)
	if !t.directory {
		return 0, least, nil
	}
	err = t.each(ctx, func(s scanner) error {
		var kind, doc string
		if err := s.Scan(&kind, &doc); err != nil {
			return err
		}
		if kind == "tenant" {
			var of users.Tenant
			if err := json.Unmarshal([]byte(doc), &of); err != nil {
				return err
			}
			days = of.Defaults.RetentionDays
			shortest(time.Duration(days) * retention.Day)
			return nil
		}
		var of users.User
		if err := json.Unmarshal([]byte(doc), &of); err != nil {
			return err
		}
		shortest(time.Duration(of.Preferences.RetentionDays) * retention.Day)
		return nil
	}, "SELECT kind, doc FROM directory WHERE kind IN ('tenant', 'user') AND tenant_id = ? AND gone = 0 AND @find(doc, ?) > 0", string(tenant), `"retention_days"`)
	return days, least, err
}

func (t *tx) retentionOfUser(ctx context.Context, tenant callmodel.TenantID, id users.ID) (int, error) {
	if !t.directory {
		return 0, nil
	}
	var doc string
	err := t.row(ctx, "SELECT doc FROM directory WHERE kind = 'user' AND tenant_id = ? AND id = ? AND gone = 0", string(tenant), string(id)).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) || err == nil && doc == "" {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var u users.User
	err = json.Unmarshal([]byte(doc), &u)
	return u.Preferences.RetentionDays, err
}

// retains is the part of the insertion of a recording's job that says until when it is kept,
// and its argument; nothing of one that doesn't say.
func (t *tx) retains(kind string, payload []byte) (column, value string, args []any) {
	until, days := storeform.Retains(kind, payload)
	switch {
	case !t.keeping || kind != record.Kind:
	case !until.IsZero():
		return ", retain_until", ", ?", []any{storeform.Micros(until)}
	case days > 0:
		return ", retain_until", ", @now + ?", []any{(time.Duration(days) * retention.Day).Microseconds()}
	}
	return "", "", nil
}
