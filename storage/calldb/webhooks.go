package calldb

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// needWebhooks refuses what a schema before webhooksSchema can't keep.
func (t *tx) needWebhooks() error {
	if t.webhooks {
		return nil
	}
	return callmodel.Errorf(callmodel.CodeUnavailable, "calldb: the schema keeps no webhooks yet: run \"switchtape migrate up\"")
}

const webhookColumns = `e.id, e.tenant_id, e.url, e.events, e.form, e.description, e.state, e.state_reason, e.secret, e.old_secret, e.old_until,
	e.rotated_at, e.created_at, e.created_by, e.version, e.from_settings, e.last_success_at, e.failing_since, e.last_status, e.last_error`

func scanWebhook(s scanner) (e webhooks.Stored, err error) {
	var events, secret, old string
	var oldUntil, rotated, created, settings, success, failing int64
	if err := s.Scan(
		&e.ID, &e.TenantID, &e.URL, &events, &e.Form, &e.Description, &e.State, &e.StateReason, &secret, &old, &oldUntil,
		&rotated, &created, &e.CreatedBy, &e.Version, &settings, &success, &failing, &e.Health.LastStatus, &e.Health.LastError,
	); err != nil {
		return e, err
	}
	e.Events, e.Secret, e.Old = storeform.ParseNames(events), webhooks.Secret(secret), webhooks.Secret(old)
	e.OldUntil, e.RotatedAt, e.CreatedAt = storeform.Time(oldUntil), storeform.Time(rotated), storeform.Time(created)
	e.Settings = settings == 1
	e.Health.LastSuccessAt, e.Health.FailingSince = storeform.Time(success), storeform.Time(failing)
	return e, nil
}

// CreateWebhook implements webhookhttp.Store.
func (d *DB) CreateWebhook(ctx context.Context, n webhooks.New) (webhooks.Endpoint, error) {
	if err := n.Validate(); err != nil {
		return webhooks.Endpoint{}, err
	}
	var made webhooks.Stored
	err := d.update(ctx, "create a webhook", func(ctx context.Context, t *tx) error {
		if err := t.needWebhooks(); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		var there int
		if err := t.row(ctx, "SELECT count(*) FROM webhook_endpoints WHERE tenant_id = ? AND state <> 'deleted' AND from_settings = 0", string(n.TenantID)).Scan(&there); err != nil {
			return err
		}
		if there >= webhooks.MaxEndpoints {
			return storeform.TooManyWebhooks(n.TenantID)
		}
		made = storeform.NewWebhook(&n, now)
		if _, err := t.exec(ctx, `INSERT INTO webhook_endpoints (id, tenant_id, url, events, form, description, state, secret, created_at, created_by)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, made.ID, string(made.TenantID), made.URL, storeform.Names(made.Events), string(made.Form),
			made.Description, string(made.State), t.secrets.kept(&made, made.Secret), storeform.Micros(made.CreatedAt), made.CreatedBy); err != nil {
			return err
		}
		return t.audit(ctx, storeform.WebhookLine(webhooks.AuditCreated, &made.Endpoint, made.CreatedBy))
	})
	if err != nil {
		return webhooks.Endpoint{}, err
	}
	d.listeners.changed()
	return made.Endpoint, nil
}

func (t *tx) webhook(ctx context.Context, tenant callmodel.TenantID, id, lock string) (webhooks.Stored, error) {
	if err := t.needWebhooks(); err != nil {
		return webhooks.Stored{}, err
	}
	if !callmodel.ValidID(string(tenant)) || !callmodel.ValidID(id) {
		return webhooks.Stored{}, callmodel.ErrNotFound
	}
	e, err := scanWebhook(t.row(ctx, "SELECT "+webhookColumns+" FROM webhook_endpoints e WHERE e.tenant_id = ? AND e.id = ? AND e.state <> 'deleted' "+lock,
		string(tenant), id))
	if errors.Is(err, sql.ErrNoRows) {
		return e, callmodel.ErrNotFound
	}
	return e, err
}

// countWaiting fills in how many deliveries wait.
func (t *tx) countWaiting(ctx context.Context, e *webhooks.Endpoint) error {
	return t.row(ctx, "SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries WHERE endpoint_id = ? AND state = 'waiting' LIMIT ?) AS waiting",
		e.ID, webhooks.WaitingAtMost).Scan(&e.Health.Waiting)
}

// Webhook implements webhookhttp.Store.
func (d *DB) Webhook(ctx context.Context, tenant callmodel.TenantID, id string) (webhooks.Endpoint, error) {
	var e webhooks.Stored
	err := d.view(ctx, "read a webhook", func(ctx context.Context, t *tx) (err error) {
		if e, err = t.webhook(ctx, tenant, id, ""); err != nil {
			return err
		}
		return t.countWaiting(ctx, &e.Endpoint)
	})
	return e.Endpoint, err
}

// Webhooks implements webhookhttp.Store.
func (d *DB) Webhooks(ctx context.Context, tenant callmodel.TenantID, f webhooks.Filter) ([]webhooks.Endpoint, error) {
	var all []webhooks.Endpoint
	err := d.view(ctx, "list the webhooks", func(ctx context.Context, t *tx) error {
		all = []webhooks.Endpoint{}
		if err := t.needWebhooks(); err != nil {
			return err
		}
		if err := t.each(ctx, func(s scanner) error {
			e, err := scanWebhook(s)
			all = append(all, e.Endpoint)
			return err
		}, "SELECT "+webhookColumns+" FROM webhook_endpoints e WHERE e.tenant_id = ? AND e.id > ? AND e.state <> 'deleted' ORDER BY e.id LIMIT ?",
			storeform.Text(string(tenant), storeform.MaxKey), storeform.Text(f.After, storeform.MaxKey), storeform.JobsLimit(f.Limit)); err != nil {
			return err
		}
		for i := range all {
			if err := t.countWaiting(ctx, &all[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// ChangeWebhook implements webhookhttp.Store.
func (d *DB) ChangeWebhook(ctx context.Context, c webhooks.Change) (webhooks.Endpoint, error) {
	if err := c.Validate(); err != nil {
		return webhooks.Endpoint{}, err
	}
	var e webhooks.Stored
	err := d.update(ctx, "change a webhook", func(ctx context.Context, t *tx) (err error) {
		if e, err = t.webhook(ctx, c.TenantID, c.ID, "@forupdate"); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		lines, err := storeform.ChangeWebhook(&e, &c, now)
		if err != nil {
			return err
		}
		if c.Delete {
			// What waits is taken out later, in parts: see Forget.
			lines = []callmodel.AuditEvent{storeform.WebhookLine(webhooks.AuditDeleted, &e.Endpoint, storeform.Text(c.Actor, storeform.MaxText))}
			_, err = t.exec(ctx, "UPDATE webhook_endpoints SET state = 'deleted', secret = '', old_secret = '', version = version + 1 WHERE id = ?", e.ID)
		} else if len(lines) > 0 {
			_, err = t.exec(ctx, `UPDATE webhook_endpoints SET url = ?, events = ?, form = ?, description = ?, state = ?, state_reason = ?,
				secret = ?, old_secret = ?, old_until = ?, rotated_at = ?, version = ? WHERE id = ?`, e.URL, storeform.Names(e.Events), string(e.Form), e.Description,
				string(e.State), e.StateReason, t.secrets.kept(&e, e.Secret), t.secrets.kept(&e, e.Old), storeform.Micros(e.OldUntil), storeform.Micros(e.RotatedAt), e.Version, e.ID)
		}
		if err != nil {
			return err
		}
		if err := t.countWaiting(ctx, &e.Endpoint); err != nil {
			return err
		}
		return t.auditAll(ctx, lines)
	})
	d.listeners.changed()
	return e.Endpoint, err
}

// WebhookDeliveries implements webhookhttp.Store.
func (d *DB) WebhookDeliveries(ctx context.Context, f webhooks.DeliveryFilter) ([]webhooks.Delivery, error) {
	var all []webhooks.Delivery
	err := d.view(ctx, "list deliveries", func(ctx context.Context, t *tx) error {
		all = []webhooks.Delivery{}
		if _, err := t.webhook(ctx, f.TenantID, f.EndpointID, ""); err != nil {
			return err
		}
		var where condition
		if f.State != "" {
			where.and("state = ?", storeform.Text(string(f.State), storeform.MaxKey))
		}
		if !f.From.IsZero() {
			where.and("event_at >= ?", storeform.Micros(f.From))
		}
		if !f.To.IsZero() {
			where.and("event_at < ?", storeform.Micros(f.To))
		}
		args := append(append([]any{f.EndpointID, f.After}, where.args...), storeform.JobsLimit(f.Limit))
		return t.each(ctx, func(s scanner) error {
			v, err := scanDelivery(s)
			all = append(all, v)
			return err
		}, `SELECT id, endpoint_id, event_key, type, subject, event_at, state, tries, next_at, last_at, last_status, last_error, delivered_at
			FROM webhook_deliveries WHERE endpoint_id = ? AND id > ?`+where.text()+" ORDER BY id LIMIT ?", args...)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func scanDelivery(s scanner) (v webhooks.Delivery, err error) {
	var at, next, last, delivered int64
	if err := s.Scan(&v.ID, &v.EndpointID, &v.EventKey, &v.Type, &v.Subject, &at, &v.State, &v.Tries, &next, &last, &v.LastStatus, &v.LastError, &delivered); err != nil {
		return v, err
	}
	v.WebhookID, v.EventAt, v.LastAt, v.DeliveredAt = webhooks.EventID(v.EventKey), storeform.Time(at), storeform.Time(last), storeform.Time(delivered)
	if v.State == webhooks.Waiting {
		v.NextAt = storeform.Time(next)
	}
	return v, nil
}

// ReplayWebhook implements webhookhttp.Store.
func (d *DB) ReplayWebhook(ctx context.Context, r webhooks.Replay) (done webhooks.Replayed, err error) {
	if err := r.Validate(); err != nil {
		return done, err
	}
	err = d.update(ctx, "replay deliveries", func(ctx context.Context, t *tx) error {
		done = webhooks.Replayed{}
		e, err := t.webhook(ctx, r.TenantID, r.EndpointID, "")
		if err != nil {
			return err
		}
		var where condition
		where.and("d.state IN ("+strings.TrimSuffix(strings.Repeat("?,", len(r.States)), ",")+")", texts(r.States)...)
		if len(r.IDs) > 0 {
			where.and("d.id IN ("+marks(len(r.IDs))+")", padInts(r.IDs)...)
		}
		if !r.From.IsZero() {
			where.and("d.event_at >= ?", storeform.Micros(r.From))
		}
		if !r.To.IsZero() {
			where.and("d.event_at < ?", storeform.Micros(r.To))
		}
		// What the outbox has no more can't be told again.
		args := append(append([]any{r.EndpointID, r.After}, where.args...), webhooks.MaxReplay)
		err = t.each(ctx, func(s scanner) error {
			var id int64
			err := s.Scan(&id)
			done.Count, done.Last = done.Count+1, max(done.Last, id)
			return err
		}, `UPDATE webhook_deliveries SET state = 'waiting', tries = 0, next_at = @now, token = token + 1, delivered_at = 0 WHERE id IN (
			SELECT d.id FROM webhook_deliveries d WHERE d.endpoint_id = ? AND d.id > ?`+where.text()+`
			AND EXISTS (SELECT 1 FROM outbox o WHERE o.id = d.event_id) ORDER BY d.id LIMIT ? @skiplocked) RETURNING id`, args...)
		if err != nil || done.Count == 0 {
			return err
		}
		line := storeform.WebhookLine(webhooks.AuditReplayed, &e.Endpoint, storeform.Text(r.Actor, storeform.MaxText))
		line.Detail["deliveries"] = strconv.Itoa(done.Count)
		return t.audit(ctx, line)
	})
	return done, err
}

func texts[T ~string](values []T) []any {
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = string(v)
	}
	return args
}

// padInts turns values into arguments for marks, repeating the last one.
func padInts(values []int64) []any {
	args := make([]any, 0, padded(len(values)))
	for _, v := range values {
		args = append(args, v)
	}
	for len(args) < cap(args) {
		args = append(args, args[len(args)-1])
	}
	return args
}

// settingsWebhooks brings the endpoints of a tenant's settings to what those say, which
// have been so since at. The lines are for the end of the transaction.
func (t *tx) settingsWebhooks(ctx context.Context, tenant callmodel.TenantID, want []users.Webhook, at time.Time, actor string) ([]callmodel.AuditEvent, error) {
	have := map[string]webhooks.Stored{}
	if err := t.each(ctx, func(s scanner) error {
		e, err := scanWebhook(s)
		have[e.ID] = e
		return err
	}, "SELECT "+webhookColumns+" FROM webhook_endpoints e WHERE e.tenant_id = ? AND e.from_settings = 1", string(tenant)); err != nil {
		return nil, err
	}
	changed, lines := storeform.SettingsWebhooks(tenant, have, want, at, actor)
	for i := range changed {
		e := &changed[i]
		if _, err := t.exec(ctx, `INSERT INTO webhook_endpoints (id, tenant_id, url, events, form, description, state, secret, created_at, created_by, version, from_settings)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT (id) DO UPDATE SET events = excluded.events, form = excluded.form, state = excluded.state,
			state_reason = ?, secret = excluded.secret, old_secret = ?, created_at = excluded.created_at, created_by = excluded.created_by, version = excluded.version`,
			e.ID, string(e.TenantID), e.URL, storeform.Names(e.Events), string(e.Form), e.Description, string(e.State), t.secrets.kept(e, e.Secret),
			storeform.Micros(e.CreatedAt), e.CreatedBy, e.Version, e.StateReason, t.secrets.kept(e, e.Old)); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// keptWebhooks are those that the tenant's settings have as they are stored, and since when.
func (t *tx) keptWebhooks(ctx context.Context, tenant callmodel.TenantID) ([]users.Webhook, time.Time, error) {
	var e storeform.Entry
	err := scanEntry(t.row(ctx, "SELECT "+entryColumns+" FROM directory WHERE kind = ? AND tenant_id = ? AND id = '' AND version > 0",
		storeform.KindTenant, string(tenant)), &e)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !e.There() {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	doc, err := e.TenantDocument()
	return doc.Defaults.Webhooks, e.UpdatedAt, err
}

func (t *tx) auditAll(ctx context.Context, lines []callmodel.AuditEvent) error {
	for i := range lines {
		if err := t.audit(ctx, lines[i]); err != nil {
			return err
		}
	}
	return nil
}
