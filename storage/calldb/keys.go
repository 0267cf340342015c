package calldb

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/keys"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// needKeys refuses what a schema before keysSchema can't keep.
func (t *tx) needKeys() error {
	if t.keys {
		return nil
	}
	return callmodel.Errorf(callmodel.CodeUnavailable, "calldb: the schema keeps no API keys yet: run \"switchtape migrate up\"")
}

// now is the database's clock.
func (t *tx) now(ctx context.Context) (time.Time, error) {
	var us int64
	err := t.row(ctx, "SELECT @now").Scan(&us)
	return storeform.Time(us), err
}

// nextKeyChange takes the next place among the changes of keys, and keeps others from
// theirs until the transaction ends.
func (t *tx) nextKeyChange(ctx context.Context) (place int64, err error) {
	err = t.row(ctx, "UPDATE api_key_changes SET through = through + 1 WHERE id = 1 RETURNING through").Scan(&place)
	return place, err
}

// CreateKey implements keyhttp.Keys.
func (d *DB) CreateKey(ctx context.Context, n keys.New) (keys.Key, error) {
	var made keys.Key
	err := d.update(ctx, "create an API key", func(ctx context.Context, t *tx) error {
		if err := t.needKeys(); err != nil {
			return err
		}
		place, err := t.nextKeyChange(ctx)
		if err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		if err := n.Validate(now); err != nil {
			return err
		}
		if err := t.roomForKey(ctx, &n); err != nil {
			return err
		}
		made = storeform.NewKey(&n, now)
		made.Version = place
		if _, err := t.exec(ctx, `INSERT INTO api_keys (id, tenant_id, name, grants, secret, created_at, created_by, expires_at, changed)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, made.ID, string(made.TenantID), made.Name, storeform.Names(made.Grants), n.Secret.String(),
			storeform.Micros(made.CreatedAt), made.CreatedBy, storeform.Micros(made.ExpiresAt), place); err != nil {
			return err
		}
		return t.audit(ctx, storeform.KeyLine(callmodel.AuditKeyCreated, &made, made.CreatedBy))
	})
	if err != nil {
		return keys.Key{}, err
	}
	return made, nil
}

// roomForKey checks that the tenant may have one more key, by that name.
func (t *tx) roomForKey(ctx context.Context, n *keys.New) error {
	var taken string
	switch err := t.row(ctx, "SELECT id FROM api_keys WHERE tenant_id = ? AND name = ? AND revoked_at = 0", string(n.TenantID), n.Name).Scan(&taken); {
	case err == nil:
		return storeform.NameTaken(n.Name, taken)
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	var active int
	err := t.row(ctx, "SELECT count(*) FROM api_keys WHERE tenant_id = ? AND revoked_at = 0", string(n.TenantID)).Scan(&active)
	if err == nil && active >= keys.MaxActive {
		return storeform.TooManyKeys(n.TenantID)
	}
	return err
}

const keyColumns = `k.id, k.tenant_id, k.name, k.grants, k.secret, k.old_secret, k.old_until, k.created_at, k.created_by, k.expires_at,
	k.last_used_at, k.rotated_at, k.revoked_at, k.revoked_by, k.changed`

func scanKey(s scanner) (keys.Stored, error) {
	var k keys.Stored
	var grants, secret, old string
	var oldUntil, created, expires, used, rotated, revoked int64
	if err := s.Scan(&k.ID, &k.TenantID, &k.Name, &grants, &secret, &old, &oldUntil, &created, &k.CreatedBy, &expires,
		&used, &rotated, &revoked, &k.RevokedBy, &k.Version); err != nil {
		return k, err
	}
	k.Grants = storeform.ParseNames(grants)
	k.Secret, _ = keys.ParseHash(secret) // a damaged one is nobody's
	k.Old, _ = keys.ParseHash(old)       // '' is none
	k.OldUntil, k.CreatedAt, k.ExpiresAt = storeform.Time(oldUntil), storeform.Time(created), storeform.Time(expires)
	k.LastUsedAt, k.RotatedAt, k.RevokedAt = storeform.Time(used), storeform.Time(rotated), storeform.Time(revoked)
	return k, nil
}

func (t *tx) key(ctx context.Context, tenant callmodel.TenantID, id, lock string) (keys.Stored, error) {
	if !callmodel.ValidID(string(tenant)) || !callmodel.ValidID(id) {
		return keys.Stored{}, callmodel.ErrNotFound
	}
	k, err := scanKey(t.row(ctx, "SELECT "+keyColumns+" FROM api_keys k WHERE k.tenant_id = ? AND k.id = ? "+lock, string(tenant), id))
	if errors.Is(err, sql.ErrNoRows) {
		return k, callmodel.ErrNotFound
	}
	return k, err
}

// Key implements keyhttp.Keys.
func (d *DB) Key(ctx context.Context, tenant callmodel.TenantID, id string) (keys.Key, error) {
	var k keys.Stored
	err := d.view(ctx, "read an API key", func(ctx context.Context, t *tx) (err error) {
		if err = t.needKeys(); err == nil {
			k, err = t.key(ctx, tenant, id, "")
		}
		return err
	})
	return k.Key, err
}

// Keys implements keyhttp.Keys.
func (d *DB) Keys(ctx context.Context, tenant callmodel.TenantID, f keys.Filter) ([]keys.Key, error) {
	var all []keys.Key
	err := d.view(ctx, "list the API keys", func(ctx context.Context, t *tx) error {
		all = []keys.Key{}
		if err := t.needKeys(); err != nil {
			return err
		}
		where := "k.tenant_id = ? AND k.id > ?"
		if !f.Revoked {
			where += " AND k.revoked_at = 0"
		}
		return t.each(ctx, func(s scanner) error {
			k, err := scanKey(s)
			all = append(all, k.Key)
			return err
		}, "SELECT "+keyColumns+" FROM api_keys k WHERE "+where+" ORDER BY k.id LIMIT ?",
			storeform.Text(string(tenant), storeform.MaxKey), storeform.Text(f.After, storeform.MaxKey), storeform.JobsLimit(f.Limit))
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// ChangeKey implements keyhttp.Keys.
func (d *DB) ChangeKey(ctx context.Context, c keys.Change) (keys.Key, error) {
	if err := c.Validate(); err != nil {
		return keys.Key{}, err
	}
	var k keys.Stored
	err := d.update(ctx, string(c.Action)+" an API key", func(ctx context.Context, t *tx) error {
		if err := t.needKeys(); err != nil {
			return err
		}
		// The row of the changes first, as everybody does.
		place, err := t.nextKeyChange(ctx)
		if err != nil {
			return err
		}
		if k, err = t.key(ctx, c.TenantID, c.ID, "@forupdate"); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		line, done, err := storeform.ChangeKey(&k, &c, now)
		if err != nil || done {
			return err
		}
		k.Version = place
		old := ""
		if k.Old != (keys.Hash{}) {
			old = k.Old.String()
		}
		if _, err := t.exec(ctx, `UPDATE api_keys SET secret = ?, old_secret = ?, old_until = ?, rotated_at = ?, revoked_at = ?, revoked_by = ?, changed = ?
			WHERE id = ?`, k.Secret.String(), old, storeform.Micros(k.OldUntil), storeform.Micros(k.RotatedAt), storeform.Micros(k.RevokedAt),
			k.RevokedBy, place, k.ID); err != nil {
			return err
		}
		return t.audit(ctx, line)
	})
	if err != nil {
		return keys.Key{}, err
	}
	return k.Key, nil
}

// KeyChanges implements auth.Store.
func (d *DB) KeyChanges(ctx context.Context, after int64) (keys.Changes, error) {
	var c keys.Changes
	err := d.view(ctx, "look at the API keys", func(ctx context.Context, t *tx) error {
		c = keys.Changes{}
		if !t.keys {
			return nil
		}
		if err := t.row(ctx, "SELECT through FROM api_key_changes WHERE id = 1").Scan(&c.Through); err != nil {
			return err
		}
		from := after
		if c.Anew = from > c.Through; c.Anew {
			from = 0
		}
		err := t.each(ctx, func(s scanner) error {
			k, err := scanKey(s)
			c.Keys = append(c.Keys, k)
			return err
		}, "SELECT "+keyColumns+" FROM api_keys k WHERE k.changed > ? ORDER BY k.changed LIMIT ?", from, storeform.MaxKeyChanges)
		if n := len(c.Keys); n > 0 {
			c.More = n == storeform.MaxKeyChanges
			c.Through = max(c.Through, c.Keys[n-1].Version)
			if c.More {
				c.Through = c.Keys[n-1].Version
			}
		}
		return err
	})
	return c, err
}

// KeysUsed implements auth.Store.
func (d *DB) KeysUsed(ctx context.Context, ids []string) error {
	for len(ids) > 0 {
		some := ids[:min(len(ids), 256)]
		ids = ids[len(some):]
		err := d.update(ctx, "note the API keys in use", func(ctx context.Context, t *tx) error {
			if !t.keys {
				return nil
			}
			// In the order in which everybody locks them, and without those that others hold.
			_, err := t.exec(ctx, `UPDATE api_keys SET last_used_at = @now WHERE id IN (
				SELECT id FROM api_keys WHERE id IN (`+marks(len(some))+`) AND last_used_at < @now - ? ORDER BY id @skiplocked)`,
				append(pad(some), storeform.UsedWithin.Microseconds())...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
