package calldb

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// lines adds an outcome's event and audit line: the last thing a transaction does.
func (t *tx) lines(ctx context.Context, w *storeform.Written) error {
	if e := w.Event; e != nil {
		if _, err := t.exec(ctx, `INSERT INTO outbox (event_key, tenant_id, type, subject, at, body) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (event_key) DO NOTHING`,
			e.Key, string(e.TenantID), e.Type, e.Subject, storeform.Micros(e.At), e.Body); err != nil {
			return err
		}
	}
	return t.audit(ctx, w.Audit)
}

// audit adds a line to the audit log, and the event that it stands for to the outbox.
func (t *tx) audit(ctx context.Context, e callmodel.AuditEvent) error {
	detail, err := auditDetail(&e)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, "INSERT INTO audit (tenant_id, at, actor, action, subject, detail) VALUES (?, @now, ?, ?, ?, ?)",
		storeform.Text(string(e.TenantID), storeform.MaxKey), storeform.Text(e.Actor, storeform.MaxText),
		storeform.Text(e.Action, storeform.MaxText), storeform.Subject(e.Subject), detail)
	if err != nil {
		return err
	}
	return t.tellLine(ctx, &e)
}

// auditDetail is a line's detail as its column has it.
func auditDetail(e *callmodel.AuditEvent) (string, error) {
	if len(e.Detail) == 0 {
		return "", nil
	}
	b, err := json.Marshal(e.Detail)
	return string(b), err
}

// Audit implements callservice.AuditLog.
func (d *DB) Audit(ctx context.Context, e callmodel.AuditEvent) error {
	return d.update(ctx, "write the audit log", func(ctx context.Context, t *tx) error { return t.audit(ctx, e) })
}

// AuditEvents implements callservice.AuditLog. Ids that were given out to a
// transaction that is still open are waited for, so that a reader who
// continues behind the last one misses none.
func (d *DB) AuditEvents(ctx context.Context, tenant callmodel.TenantID, after int64, limit int) ([]callmodel.AuditEvent, error) {
	return d.auditEvents(ctx, func(*tx) (string, []any) {
		return "tenant_id = ? AND id > ? ORDER BY id LIMIT ?", []any{storeform.Text(string(tenant), storeform.MaxKey), after, storeform.LinesLimit(limit)}
	})
}

// AuditAbout implements callservice.AuditLog. Ids are waited for as by AuditEvents.
func (d *DB) AuditAbout(ctx context.Context, tenant callmodel.TenantID, subjects []string, after int64, limit int) ([]callmodel.AuditEvent, error) {
	if err := storeform.CheckSubjects(subjects); err != nil || len(subjects) == 0 {
		return []callmodel.AuditEvent{}, err
	}
	return d.auditEvents(ctx, func(t *tx) (string, []any) {
		where, args := aboutSubjects(t.subjects, subjects)
		return "tenant_id = ? AND " + where + " AND id > ? ORDER BY id LIMIT ?",
			append(append([]any{storeform.Text(string(tenant), storeform.MaxKey)}, args...), after, storeform.LinesLimit(limit))
	})
}

// aboutSubjects is the condition that a line is about one of the subjects and no routine, with
// the words of the index audit_subjects where there is one.
func aboutSubjects(indexed bool, subjects []string) (string, []any) {
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(subjects)), ", ")
	var begins, wholes []any
	for _, s := range subjects {
		s = storeform.Subject(s)
		begins, wholes = append(begins, storeform.Begin(s)), append(wholes, s)
	}
	where := "action NOT IN ('" + strings.Join(storeform.Routine(), "', '") + "') AND subject IN (" + marks + ")"
	if !indexed {
		return where, wholes
	}
	return "substr(subject, 1, 128) IN (" + marks + ") AND " + where, append(begins, wholes...)
}

// auditEvents reads the lines for which what where gives holds.
func (d *DB) auditEvents(ctx context.Context, where func(*tx) (string, []any)) ([]callmodel.AuditEvent, error) {
	var events []callmodel.AuditEvent
	err := d.viewLines(ctx, "read the audit log", func(ctx context.Context, t *tx) error {
		events = []callmodel.AuditEvent{}
		query, args := where(t)
		return t.eachOnce(ctx, func(s scanner) error {
			var e callmodel.AuditEvent
			var at int64
			var detail string
			if err := s.Scan(&e.ID, &e.TenantID, &at, &e.Actor, &e.Action, &e.Subject, &detail); err != nil {
				return err
			}
			e.At = storeform.Time(at)
			if detail != "" {
				if err := json.Unmarshal([]byte(detail), &e.Detail); err != nil {
					return err
				}
			}
			events = append(events, e)
			return nil
		}, "SELECT id, tenant_id, at, actor, action, subject, detail FROM audit WHERE "+query, args...)
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

// OutboxEvents implements storetest.OutboxEvents. As with AuditEvents, nothing can
// appear later behind the events that were returned.
func (d *DB) OutboxEvents(ctx context.Context, after int64, limit int) ([]callmodel.OutboxEvent, error) {
	var events []callmodel.OutboxEvent
	err := d.viewLines(ctx, "read the outbox", func(ctx context.Context, t *tx) error {
		events = []callmodel.OutboxEvent{}
		return t.each(ctx, func(s scanner) error {
			var e callmodel.OutboxEvent
			var at int64
			if err := s.Scan(&e.ID, &e.Key, &e.TenantID, &e.Type, &e.Subject, &at, &e.Body); err != nil {
				return err
			}
			e.At = storeform.Time(at)
			events = append(events, e)
			return nil
		}, "SELECT id, event_key, tenant_id, type, subject, at, body FROM outbox WHERE id > ? ORDER BY id LIMIT ?",
			after, storeform.LinesLimit(limit))
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

// viewLines is view, after every line id that was given out is visible or gone.
func (d *DB) viewLines(ctx context.Context, op string, fn func(context.Context, *tx) error) error {
	return d.view(ctx, op, func(ctx context.Context, t *tx) error {
		if d.dialect.awaitLines != "" {
			if _, err := t.exec(ctx, d.dialect.awaitLines); err != nil {
				return err
			}
		}
		return fn(ctx, t)
	})
}
