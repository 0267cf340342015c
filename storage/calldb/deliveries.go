package calldb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// FanOut implements webhook.Queue.
func (d *DB) FanOut(ctx context.Context, r outbox.Reader, events []callmodel.OutboxEvent) (made int, err error) {
	if err := storeform.CheckReader(&r); err != nil || len(events) == 0 {
		return 0, err
	}
	changed := false // endpoints, by settings
	err = d.update(ctx, "make deliveries", func(ctx context.Context, t *tx) error {
		made, changed = 0, false
		if err := t.needWebhooks(); err != nil {
			return err
		}
		// The reader's row first: one that has lost its place makes none.
		n, err := t.exec(ctx, `UPDATE outbox_readers SET through = CASE WHEN through > ? THEN through ELSE ? END, holder_until = @now + ?, read_at = @now
			WHERE name = ? AND holder = ?`, events[len(events)-1].ID, events[len(events)-1].ID, r.TTL.Microseconds(), r.Name, r.Holder)
		if err != nil {
			return err
		}
		if n == 0 {
			return callmodel.ErrLeaseLost
		}
		of := map[callmodel.TenantID][]webhooks.Stored{}
		var lines []callmodel.AuditEvent
		for i := range events {
			e := &events[i]
			all, known := of[e.TenantID]
			if !known {
				// Settings that were stored before there were webhooks have theirs from now on.
				want, since, err := t.keptWebhooks(ctx, e.TenantID)
				if err != nil {
					return err
				}
				more, err := t.settingsWebhooks(ctx, e.TenantID, want, since, storeform.System)
				if err != nil {
					return err
				}
				lines = append(lines, more...)
				if err := t.each(ctx, func(s scanner) error {
					w, err := scanWebhook(s)
					all = append(all, w)
					return err
				}, "SELECT "+webhookColumns+" FROM webhook_endpoints e WHERE e.tenant_id = ? AND e.state = 'enabled' ORDER BY e.id", string(e.TenantID)); err != nil {
					return err
				}
				of[e.TenantID] = all
			}
			for j := range all {
				if !all[j].Wants(e.Type) || e.At.Before(all[j].CreatedAt) {
					continue
				}
				n, err := t.exec(ctx, `INSERT INTO webhook_deliveries (endpoint_id, event_id, event_key, type, subject, event_at, state, next_at, made_at)
					VALUES (?, ?, ?, ?, ?, ?, 'waiting', @now, @now) ON CONFLICT (endpoint_id, event_id) DO NOTHING`,
					all[j].ID, e.ID, e.Key, e.Type, e.Subject, storeform.Micros(e.At))
				if err != nil {
					return err
				}
				made += int(n)
			}
		}
		changed = len(lines) > 0
		return t.auditAll(ctx, lines)
	})
	if changed {
		d.listeners.changed()
	}
	return made, err
}

// DueWebhooks implements webhook.Queue.
func (d *DB) DueWebhooks(ctx context.Context, limit int) ([]webhooks.Due, error) {
	var all []webhooks.Due
	err := d.view(ctx, "look for deliveries", func(ctx context.Context, t *tx) error {
		all = nil
		if !t.webhooks {
			return nil
		}
		return t.each(ctx, func(s scanner) error {
			var due webhooks.Due
			var failing int64
			err := s.Scan(&due.EndpointID, &failing)
			due.Failing = failing > 0
			all = append(all, due)
			return err
		}, `SELECT id, failing_since FROM (SELECT e.id, e.failing_since, (SELECT min(d.next_at) FROM webhook_deliveries d
				WHERE d.endpoint_id = e.id AND d.state = 'waiting') AS next_at FROM webhook_endpoints e WHERE e.state = 'enabled') AS due
			WHERE next_at <= @now ORDER BY next_at, id LIMIT ?`, storeform.DueLimit(limit))
	})
	return all, err
}

// ClaimDeliveries implements webhook.Queue.
func (d *DB) ClaimDeliveries(ctx context.Context, c webhooks.Claim) (webhooks.Claimed, error) {
	storeform.CheckDeliveriesClaim(&c)
	var got webhooks.Claimed
	err := d.update(ctx, "claim deliveries", func(ctx context.Context, t *tx) (err error) {
		got = webhooks.Claimed{}
		if !t.webhooks {
			return nil
		}
		got.Endpoint, err = scanWebhook(t.row(ctx, "SELECT "+webhookColumns+" FROM webhook_endpoints e WHERE e.id = ? AND e.state = 'enabled'",
			storeform.Text(c.EndpointID, storeform.MaxKey)))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.each(ctx, func(s scanner) error {
			var k webhooks.Task
			err := s.Scan(&k.ID, &k.Token, &k.Tries, &k.Event.ID)
			got.Tasks = append(got.Tasks, k)
			return err
		}, `UPDATE webhook_deliveries SET next_at = @now + ?, token = token + 1 WHERE id IN (SELECT id FROM webhook_deliveries
				WHERE endpoint_id = ? AND state = 'waiting' AND next_at <= @now ORDER BY next_at, id LIMIT ? @skiplocked) RETURNING id, token, tries, event_id`,
			c.Lease.Microseconds(), c.EndpointID, c.Limit); err != nil || len(got.Tasks) == 0 {
			return err
		}
		if err := t.secrets.openBoth(&got.Endpoint); err != nil {
			return err
		}
		return t.claimedEvents(ctx, &got)
	})
	return got, err
}

// claimedEvents fills in the events of what was claimed, in their order.
func (t *tx) claimedEvents(ctx context.Context, got *webhooks.Claimed) error {
	ids := make([]int64, len(got.Tasks))
	for i := range got.Tasks {
		ids[i] = got.Tasks[i].Event.ID
	}
	events := map[int64]callmodel.OutboxEvent{}
	if err := t.each(ctx, func(s scanner) error {
		var e callmodel.OutboxEvent
		var at int64
		err := s.Scan(&e.ID, &e.Key, &e.TenantID, &e.Type, &e.Subject, &at, &e.Body)
		e.At = storeform.Time(at)
		events[e.ID] = e
		return err
	}, "SELECT id, event_key, tenant_id, type, subject, at, body FROM outbox WHERE id IN ("+marks(len(ids))+")", padInts(ids)...); err != nil {
		return err
	}
	for i := range got.Tasks {
		got.Tasks[i].Event = events[got.Tasks[i].Event.ID] // the zero event where somebody has taken it out
	}
	slices.SortFunc(got.Tasks, func(a, b webhooks.Task) int { return cmp.Compare(a.Event.ID, b.Event.ID) })
	return nil
}

// SettleDelivery implements webhook.Queue.
func (d *DB) SettleDelivery(ctx context.Context, o webhooks.Outcome) error {
	return d.update(ctx, "settle a delivery", func(ctx context.Context, t *tx) error {
		if err := t.needWebhooks(); err != nil {
			return err
		}
		state, delivered := webhooks.Waiting, 0
		switch {
		case o.Delivered:
			state, delivered = webhooks.Delivered, 1
		case o.RetryIn <= 0:
			state = webhooks.Failed
		}
		reason := storeform.Text(o.Error, webhooks.MaxError)
		n, err := t.exec(ctx, `UPDATE webhook_deliveries SET state = ?, tries = tries + 1, next_at = @now + ?, last_at = @now, last_status = ?, last_error = ?,
			delivered_at = @now * ? WHERE id = ? AND token = ? AND endpoint_id = ? AND state = 'waiting'`,
			string(state), max(o.RetryIn, 0).Microseconds(), o.Status, reason, delivered, o.ID, o.Token, storeform.Text(o.EndpointID, storeform.MaxKey))
		if err != nil {
			return err
		}
		if n == 0 {
			return callmodel.ErrLeaseLost
		}
		return t.noteHealth(ctx, &o, reason)
	})
}

// noteHealth keeps how the receiver does, and disables one that is gone. What succeeds
// many times a second is noted once in it.
func (t *tx) noteHealth(ctx context.Context, o *webhooks.Outcome, reason string) error {
	if o.Delivered {
		_, err := t.exec(ctx, `UPDATE webhook_endpoints SET last_success_at = @now, failing_since = 0 WHERE id = ? AND (failing_since > 0 OR last_success_at <= @now - ?)`,
			o.EndpointID, storeform.SuccessWithin.Microseconds())
		return err
	}
	if _, err := t.exec(ctx, `UPDATE webhook_endpoints SET failing_since = CASE WHEN failing_since > 0 THEN failing_since ELSE @now END, last_status = ?, last_error = ?
		WHERE id = ?`, o.Status, reason, o.EndpointID); err != nil || !o.Gone {
		return err
	}
	e, err := scanWebhook(t.row(ctx, "SELECT "+webhookColumns+" FROM webhook_endpoints e WHERE e.id = ? AND e.state = 'enabled' @forupdate", o.EndpointID))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	line := storeform.WebhookGone(&e.Endpoint)
	if _, err := t.exec(ctx, "UPDATE webhook_endpoints SET state = ?, state_reason = ?, version = version + 1 WHERE id = ?",
		string(e.State), e.StateReason, e.ID); err != nil {
		return err
	}
	return t.audit(ctx, line)
}

// WebhookStats implements webhook.Queue.
func (d *DB) WebhookStats(ctx context.Context) (webhooks.Stats, error) {
	var q webhooks.Stats
	err := d.view(ctx, "count deliveries", func(ctx context.Context, t *tx) error {
		q = webhooks.Stats{}
		if !t.webhooks {
			return nil
		}
		var oldest int64
		if err := t.row(ctx, `SELECT COALESCE(sum(CASE WHEN state = 'enabled' THEN 1 ELSE 0 END), 0), COALESCE(sum(CASE WHEN state = 'disabled' THEN 1 ELSE 0 END), 0),
				COALESCE(max(CASE WHEN state = 'enabled' THEN @now - (SELECT min(d.next_at) FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'waiting') END), 0)
			FROM webhook_endpoints e`).Scan(&q.Enabled, &q.Disabled, &oldest); err != nil {
			return err
		}
		q.Oldest = time.Duration(max(oldest, 0)) * time.Microsecond
		if err := t.row(ctx, `SELECT count(*) FROM (SELECT 1 FROM webhook_endpoints e JOIN webhook_deliveries d ON d.endpoint_id = e.id AND d.state = 'waiting'
			WHERE e.state = 'enabled' LIMIT ?) AS waiting`, webhooks.WaitingAtMost).Scan(&q.Waiting); err != nil {
			return err
		}
		return t.each(ctx, func(s scanner) error {
			var f webhooks.FailingEndpoint
			var failing, success int64
			err := s.Scan(&f.TenantID, &f.ID, &failing, &success, &f.Waiting)
			f.For, f.SinceSuccess = time.Duration(failing)*time.Microsecond, time.Duration(success)*time.Microsecond
			q.Failing = append(q.Failing, f)
			return err
		}, `SELECT e.tenant_id, e.id, @now - e.failing_since, CASE WHEN e.last_success_at > 0 THEN @now - e.last_success_at ELSE 0 END,
				(SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'waiting' LIMIT ?) AS waiting)
			FROM webhook_endpoints e WHERE e.state = 'enabled' AND e.failing_since > 0 ORDER BY e.failing_since, e.id LIMIT ?`, webhooks.WaitingAtMost, webhooks.MaxFailing)
	})
	return q, err
}
