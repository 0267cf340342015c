package calldb

import (
	"context"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// Users implements userhttp.Store.
func (d *DB) Users(ctx context.Context, f users.Filter) (users.Page[users.User], error) {
	after, err := storeform.ParseIDCursor(f.After)
	if err != nil {
		return users.Page[users.User]{}, err
	}
	if !callmodel.ValidID(string(f.TenantID)) {
		return users.Page[users.User]{Items: []users.User{}}, nil
	}
	where, args := " WHERE kind = 'user' AND tenant_id = ? AND id > ? AND gone = 0", []any{string(f.TenantID), after}
	if f.Number != "" {
		where += " AND id = (SELECT n.user_id FROM user_numbers AS n WHERE n.tenant_id = ? AND n.number = ?)"
		args = append(args, string(f.TenantID), storeform.Text(f.Number, storeform.MaxKey))
	}
	return entryPage(ctx, d, "list users", where+" ORDER BY id LIMIT ?", args, f.Limit,
		(*storeform.Entry).User, func(u *users.User) string { return string(u.ID) })
}

// Tenants implements userhttp.Store.
func (d *DB) Tenants(ctx context.Context, cursor string, limit int) (users.Page[users.Tenant], error) {
	after, err := storeform.ParseIDCursor(cursor)
	if err != nil {
		return users.Page[users.Tenant]{}, err
	}
	return entryPage(ctx, d, "list tenants", " WHERE kind = 'tenant' AND tenant_id > ? AND gone = 0 ORDER BY tenant_id LIMIT ?", []any{after}, limit,
		(*storeform.Entry).TenantDocument, func(t *users.Tenant) string { return string(t.ID) })
}

// entryPage reads a page of documents, and one more to see whether another follows.
func entryPage[T any](ctx context.Context, d *DB, op, where string, args []any, limit int,
	document func(*storeform.Entry) (T, error), id func(*T) string,
) (users.Page[T], error) {
	limit = storeform.CallsLimit(limit)
	var page users.Page[T]
	err := d.view(ctx, op, func(ctx context.Context, t *tx) error {
		page = users.Page[T]{Items: []T{}}
		if err := t.hasDirectory(); err != nil {
			return err
		}
		return t.each(ctx, func(s scanner) error {
			var e storeform.Entry
			if err := scanEntry(s, &e); err != nil {
				return err
			}
			if len(page.Items) == limit {
				page.Next = storeform.IDCursor(id(&page.Items[limit-1]))
				return nil
			}
			one, err := document(&e)
			page.Items = append(page.Items, one)
			return err
		}, "SELECT "+entryColumns+" FROM directory"+where, append(args, limit+1)...)
	})
	return page, err
}

// UserVersions implements userhttp.Store.
func (d *DB) UserVersions(ctx context.Context, t callmodel.TenantID, id users.ID, before int64, limit int) ([]users.Version[users.User], error) {
	return versionsOf(ctx, d, &storeform.Entry{Kind: storeform.KindUser, Tenant: t, ID: id}, before, limit, (*storeform.Entry).User)
}

// TenantVersions implements userhttp.Store.
func (d *DB) TenantVersions(ctx context.Context, t callmodel.TenantID, before int64, limit int) ([]users.Version[users.Tenant], error) {
	return versionsOf(ctx, d, &storeform.Entry{Kind: storeform.KindTenant, Tenant: t}, before, limit, (*storeform.Entry).TenantDocument)
}

// versionsOf reads the history of an entry, newest first; ErrNotFound of one that never was.
func versionsOf[T any](ctx context.Context, d *DB, of *storeform.Entry, before int64, limit int,
	document func(*storeform.Entry) (T, error),
) ([]users.Version[T], error) {
	if !storeform.CheckEntry(of.Kind, of.Tenant, of.ID) {
		return nil, callmodel.ErrNotFound
	}
	if before <= 0 {
		before = storeform.NoVersion
	}
	var all []users.Version[T]
	err := d.view(ctx, "read the history of a "+of.Kind, func(ctx context.Context, t *tx) error {
		all = []users.Version[T]{}
		if err := t.hasDirectory(); err != nil {
			return err
		}
		err := t.each(ctx, func(s scanner) error {
			e := *of
			var gone, at int64
			if err := s.Scan(&e.Version, &gone, &e.Doc, &at, &e.UpdatedBy); err != nil {
				return err
			}
			e.Gone, e.UpdatedAt = gone == 1, storeform.Time(at)
			v, err := storeform.VersionOf(&e, document)
			all = append(all, v)
			return err
		}, `SELECT version, gone, doc, at, actor FROM directory_versions WHERE kind = ? AND tenant_id = ? AND id = ? AND version < ?
			ORDER BY version DESC LIMIT ?`, of.Kind, string(of.Tenant), string(of.ID), before, storeform.HistoryLimit(limit))
		if err == nil && len(all) == 0 && before == storeform.NoVersion {
			return callmodel.ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// UserChanges implements directory.Source. A schema without users has no changes.
func (d *DB) UserChanges(ctx context.Context, after int64, limit int) ([]users.Change, error) {
	var news int
	err := d.view(ctx, "look for changes of users", func(ctx context.Context, t *tx) error {
		news = 0
		if !t.directory {
			return nil
		}
		return t.row(ctx, "SELECT count(*) FROM (SELECT seq FROM directory WHERE seq > ? LIMIT 1) AS news", after).Scan(&news)
	})
	if err != nil || news == 0 {
		return []users.Change{}, err // nothing is locked for nothing
	}
	var all []users.Change
	err = d.viewLines(ctx, "read changes of users", func(ctx context.Context, t *tx) error {
		all = []users.Change{}
		return t.each(ctx, func(s scanner) error {
			var e storeform.Entry
			var seq int64
			if err := scanEntry(s, &e, &seq); err != nil {
				return err
			}
			c, err := e.Change(seq)
			all = append(all, c)
			return err
		}, "SELECT "+entryColumns+", seq FROM directory WHERE seq > ? ORDER BY seq LIMIT ?", after, storeform.ChangesLimit(limit))
	})
	return all, err
}
