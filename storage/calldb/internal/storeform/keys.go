package storeform

import (
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/keys"
)

// UsedWithin is how exactly it is known when a key was used last.
const UsedWithin = 5 * time.Minute

// MaxKeyChanges bounds one look at what has changed among the API keys.
const MaxKeyChanges = 1000

// KeyLine is the audit line of a change of an API key.
func KeyLine(action string, k *keys.Key, actor string) callmodel.AuditEvent {
	return callmodel.AuditEvent{
		TenantID: k.TenantID, Actor: actor, Action: action, Subject: k.ID,
		Detail: map[string]string{"name": k.Name, "grants": strings.Join(k.Grants, ",")},
	}
}

// NewKey is the key as it is kept first, but for its version.
func NewKey(n *keys.New, now time.Time) keys.Key {
	return keys.Key{
		ID: n.ID, TenantID: n.TenantID, Name: n.Name, Grants: n.Grants, ExpiresAt: n.ExpiresAt.UTC().Truncate(time.Microsecond),
		CreatedAt: now, CreatedBy: Text(n.Actor, MaxText),
	}
}

// ChangeKey works out what a key is after the change, but for its version. done says
// that there is nothing to do. The error is CodeConflict.
func ChangeKey(k *keys.Stored, c *keys.Change, now time.Time) (line callmodel.AuditEvent, done bool, err error) {
	if !k.RevokedAt.IsZero() && c.Action == keys.Revoke {
		return line, true, nil
	}
	switch {
	case c.Expected != "" && c.Expected != k.Tag():
		return line, false, conflict("the key %s was changed meanwhile: its version is %s; look at it and decide again", k.ID, k.Tag())
	case c.Action == keys.Rotate && !k.Active(now):
		return line, false, conflict("the key %s is revoked or has expired; make another one", k.ID)
	}
	actor := Text(c.Actor, MaxText)
	if c.Action == keys.Revoke {
		k.RevokedAt, k.RevokedBy = now, actor
		return KeyLine(callmodel.AuditKeyRevoked, &k.Key, actor), false, nil
	}
	k.Old, k.OldUntil, k.Secret, k.RotatedAt = k.Secret, now.Add(c.Grace), c.Secret, now
	line = KeyLine(callmodel.AuditKeyRotated, &k.Key, actor)
	line.Detail["old_until"] = k.OldUntil.Format(time.RFC3339)
	return line, false, nil
}

// TooManyKeys refuses one more active key of a tenant.
func TooManyKeys(t callmodel.TenantID) error {
	return conflict("the tenant %s has %d active keys, and may have no more; revoke some", t, keys.MaxActive)
}

// NameTaken refuses a name that another key has.
func NameTaken(name, id string) error {
	return conflict("the key %s has the name %q; revoke it, rotate it, or take another name", id, name)
}
