package calldb

import (
	"context"
	"database/sql"
	"errors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// PutUser implements userhttp.Store.
func (d *DB) PutUser(ctx context.Context, u users.User, w users.Write) (stored users.User, created bool, err error) {
	entries, err := storeform.CheckPut([]users.User{u})
	if err != nil {
		return users.User{}, false, err
	}
	created, err = d.putEntries(ctx, "store a user", entries, []*users.Numbers{&u.Numbers}, w)
	if err != nil {
		return users.User{}, false, err
	}
	stored, err = entries[0].User()
	return stored, created, err
}

// PutUsers implements userhttp.Store.
func (d *DB) PutUsers(ctx context.Context, list []users.User, actor string) error {
	entries, err := storeform.CheckPut(list)
	if err != nil || len(list) == 0 {
		return err
	}
	numbers := make([]*users.Numbers, len(list))
	for i := range list {
		numbers[i] = &list[i].Numbers
	}
	_, err = d.putEntries(ctx, "store users", entries, numbers, users.Write{Actor: actor})
	return err
}

// PutTenant implements userhttp.Store.
func (d *DB) PutTenant(ctx context.Context, tenant users.Tenant, w users.Write) (stored users.Tenant, created bool, err error) {
	e, err := storeform.TenantEntry(&tenant)
	if err != nil {
		return users.Tenant{}, false, err
	}
	entries := []storeform.Entry{e}
	created, err = d.putEntries(ctx, "store a tenant", entries, nil, w)
	if err != nil {
		return users.Tenant{}, false, err
	}
	stored, err = entries[0].TenantDocument()
	return stored, created, err
}

// putEntries stores the entries and sets their revisions. numbers are those of users.
// created says of the last one that it wasn't there before.
func (d *DB) putEntries(ctx context.Context, op string, entries []storeform.Entry, numbers []*users.Numbers, w users.Write) (created bool, err error) {
	err = d.update(ctx, op, func(ctx context.Context, t *tx) error {
		if err := t.hasDirectory(); err != nil {
			return err
		}
		before := make([]storeform.Entry, len(entries))
		for i := range entries {
			e := &entries[i]
			if before[i], err = t.lockEntry(ctx, e.Kind, e.Tenant, e.ID); err != nil {
				return err
			}
			if err := w.If.Check(before[i].Current()); err != nil {
				return err
			}
			created = !before[i].There()
		}
		if err := t.putNumbers(ctx, entries, before, numbers); err != nil {
			return err
		}
		var lines []callmodel.AuditEvent
		for i := range entries {
			more, err := t.tenantWebhooks(ctx, &entries[i], w.Actor)
			if err != nil {
				return err
			}
			lines = append(lines, more...)
		}
		for i := range entries {
			if err := t.putEntry(ctx, &before[i], &entries[i], w.Actor); err != nil {
				return err
			}
		}
		return t.auditAll(ctx, lines)
	})
	d.listeners.changed()
	return created, err
}

// tenantWebhooks brings the webhooks of an entry that is a tenant's to what it says.
func (t *tx) tenantWebhooks(ctx context.Context, e *storeform.Entry, actor string) ([]callmodel.AuditEvent, error) {
	if e.Kind != storeform.KindTenant || !t.webhooks {
		return nil, nil
	}
	var want []users.Webhook
	if !e.Gone {
		doc, err := e.TenantDocument()
		if err != nil {
			return nil, err
		}
		want = doc.Defaults.Webhooks
	}
	now, err := t.now(ctx)
	if err != nil {
		return nil, err
	}
	return t.settingsWebhooks(ctx, e.Tenant, want, now, actor)
}

// hasDirectory reports a schema without users.
func (t *tx) hasDirectory() error {
	if t.directory {
		return nil
	}
	return callmodel.Errorf(callmodel.CodeUnavailable, "calldb: users and tenants need the schema's version %d: run \"switchtape migrate up\"", directorySchema)
}

const entryColumns = "kind, tenant_id, id, version, gone, doc, updated_at, updated_by"

func scanEntry(s scanner, e *storeform.Entry, more ...any) error {
	var gone, at int64
	if err := s.Scan(append([]any{&e.Kind, &e.Tenant, &e.ID, &e.Version, &gone, &e.Doc, &at, &e.UpdatedBy}, more...)...); err != nil {
		return err
	}
	e.Gone, e.UpdatedAt = gone == 1, storeform.Time(at)
	return nil
}

// lockEntry reads the entry and keeps it from others' changes until the transaction
// ends. One that isn't there yet gets a row to lock, which is nothing until it is put.
func (t *tx) lockEntry(ctx context.Context, kind string, tenant callmodel.TenantID, id users.ID) (storeform.Entry, error) {
	var e storeform.Entry
	err := scanEntry(t.row(ctx, `INSERT INTO directory (kind, tenant_id, id, version, seq, gone, doc, updated_at, updated_by)
		VALUES (?, ?, ?, 0, 0, 1, '', 0, '') ON CONFLICT (kind, tenant_id, id) DO UPDATE SET kind = directory.kind RETURNING `+entryColumns,
		kind, string(tenant), string(id)), &e)
	return e, err
}

// putNumbers makes the numbers the users'. Every number that is another's is a fault.
func (t *tx) putNumbers(ctx context.Context, entries, before []storeform.Entry, numbers []*users.Numbers) error {
	var faults callmodel.FieldErrors
	for i := range numbers {
		if before[i].Version == 0 {
			continue
		}
		if err := t.dropNumbers(ctx, &entries[i]); err != nil {
			return err
		}
	}
	for i, n := range numbers {
		for _, one := range storeform.NumbersOf(n) {
			did := 0
			if one.DID {
				did = 1
			}
			added, err := t.exec(ctx, "INSERT INTO user_numbers (tenant_id, number, user_id, did) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
				string(entries[i].Tenant), one.Number, string(entries[i].ID), did)
			if err != nil {
				return err
			}
			if added == 0 {
				storeform.Taken(&faults, storeform.PutPath(i, len(entries)), &one)
			}
		}
	}
	return faults.Err()
}

func (t *tx) dropNumbers(ctx context.Context, e *storeform.Entry) error {
	_, err := t.exec(ctx, "DELETE FROM user_numbers WHERE tenant_id = ? AND user_id = ?", string(e.Tenant), string(e.ID))
	return err
}

// putEntry writes what became of an entry that is locked, unless nothing did, and sets
// its revision.
func (t *tx) putEntry(ctx context.Context, before, after *storeform.Entry, actor string) error {
	if before.Version > 0 && before.Gone == after.Gone && before.Doc == after.Doc {
		after.Revision = before.Revision
		return nil
	}
	gone := 0
	if after.Gone {
		gone = 1
	}
	actor = storeform.Text(actor, storeform.MaxText)
	var at int64
	err := t.row(ctx, `UPDATE directory SET version = version + 1, seq = @nextchange, gone = ?, doc = ?, updated_at = @now, updated_by = ?
		WHERE kind = ? AND tenant_id = ? AND id = ? RETURNING updated_at`,
		gone, after.Doc, actor, after.Kind, string(after.Tenant), string(after.ID)).Scan(&at)
	if err != nil {
		return err
	}
	after.Revision = users.Revision{Version: before.Version + 1, UpdatedAt: storeform.Time(at), UpdatedBy: actor}
	_, err = t.exec(ctx, "INSERT INTO directory_versions (kind, tenant_id, id, version, gone, doc, at, actor) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		after.Kind, string(after.Tenant), string(after.ID), after.Version, gone, after.Doc, at, actor)
	if err != nil {
		return err
	}
	return t.audit(ctx, storeform.DirectoryLine(before, after, actor))
}

// DeleteUser implements userhttp.Store.
func (d *DB) DeleteUser(ctx context.Context, t callmodel.TenantID, id users.ID, w users.Write) error {
	return d.deleteEntry(ctx, storeform.KindUser, t, id, w)
}

// DeleteTenant implements userhttp.Store.
func (d *DB) DeleteTenant(ctx context.Context, t callmodel.TenantID, w users.Write) error {
	return d.deleteEntry(ctx, storeform.KindTenant, t, "", w)
}

func (d *DB) deleteEntry(ctx context.Context, kind string, tenant callmodel.TenantID, id users.ID, w users.Write) error {
	if !storeform.CheckEntry(kind, tenant, id) {
		return callmodel.ErrNotFound
	}
	return d.update(ctx, "delete a "+kind, func(ctx context.Context, t *tx) error {
		if err := t.hasDirectory(); err != nil {
			return err
		}
		before, err := t.lockEntry(ctx, kind, tenant, id)
		if err != nil {
			return err
		}
		if !before.There() {
			return callmodel.ErrNotFound
		}
		if err := w.If.Check(before.Current()); err != nil {
			return err
		}
		after := storeform.Entry{Kind: kind, Tenant: tenant, ID: id, Gone: true}
		if kind == storeform.KindUser {
			if err := t.dropNumbers(ctx, &after); err != nil {
				return err
			}
		}
		lines, err := t.tenantWebhooks(ctx, &after, w.Actor)
		if err != nil {
			return err
		}
		if err := t.putEntry(ctx, &before, &after, w.Actor); err != nil {
			return err
		}
		return t.auditAll(ctx, lines)
	})
}

// entry reads one that is there; ErrNotFound.
func (d *DB) entry(ctx context.Context, kind string, tenant callmodel.TenantID, id users.ID) (storeform.Entry, error) {
	var e storeform.Entry
	if !storeform.CheckEntry(kind, tenant, id) {
		return e, callmodel.ErrNotFound
	}
	err := d.view(ctx, "read a "+kind, func(ctx context.Context, t *tx) error {
		if err := t.hasDirectory(); err != nil {
			return err
		}
		err := scanEntry(t.row(ctx, "SELECT "+entryColumns+" FROM directory WHERE kind = ? AND tenant_id = ? AND id = ? AND version > 0",
			kind, string(tenant), string(id)), &e)
		if errors.Is(err, sql.ErrNoRows) || err == nil && !e.There() {
			return callmodel.ErrNotFound
		}
		return err
	})
	return e, err
}

// User implements userhttp.Store.
func (d *DB) User(ctx context.Context, t callmodel.TenantID, id users.ID) (users.User, error) {
	e, err := d.entry(ctx, storeform.KindUser, t, id)
	if err != nil {
		return users.User{}, err
	}
	return e.User()
}

// Tenant implements userhttp.Store.
func (d *DB) Tenant(ctx context.Context, t callmodel.TenantID) (users.Tenant, error) {
	e, err := d.entry(ctx, storeform.KindTenant, t, "")
	if err != nil {
		return users.Tenant{}, err
	}
	return e.TenantDocument()
}
