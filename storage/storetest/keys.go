package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/keys"
)

// APIKeys is what [KeyStore] tests: the ports keyhttp.Keys and auth.Store, where the
// promises are written.
type APIKeys interface {
	CreateKey(ctx context.Context, n keys.New) (keys.Key, error)
	Key(ctx context.Context, t callmodel.TenantID, id string) (keys.Key, error)
	Keys(ctx context.Context, t callmodel.TenantID, f keys.Filter) ([]keys.Key, error)
	ChangeKey(ctx context.Context, c keys.Change) (keys.Key, error)
	KeyChanges(ctx context.Context, after int64) (keys.Changes, error)
	KeysUsed(ctx context.Context, ids []string) error
}

// KeyStore is what keyhttp.Keys and auth.Store promise.
func KeyStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	runAll(t, open, []run{
		{"KeepsWhatItIsGiven", withKeys(keyKept)},
		{"Refuses", withKeys(keyRefused)},
		{"RotateAndRevoke", withKeys(keyChanges)},
		{"ChangesInOrder", withKeys(keyOrder)},
		{"Lists", withKeys(keyLists)},
		{"LastUsed", withKeys(keyUsed)},
	})
}

// withKeys runs test on a schema that has keys. One before has none, and says so to who
// would make one alone.
func withKeys(test func(t *testing.T, e Env)) func(t *testing.T, e Env) {
	return func(t *testing.T, e Env) {
		if !e.NoKeys {
			test(t, e)
			return
		}
		_, err := e.Keys.CreateKey(t.Context(), newKey("a"))
		requireCode(t, callmodel.CodeUnavailable, err)
		c, err := e.Keys.KeyChanges(t.Context(), 0)
		require.NoError(t, err)
		require.Empty(t, c)
		require.NoError(t, e.Keys.KeysUsed(t.Context(), []string{"key-a"}))
	}
}

func newKey(name string) keys.New {
	return keys.New{
		ID: "key-" + name, TenantID: "acme", Name: name, Grants: []string{callmodel.RoleReader, string(callmodel.ScopeCallsWrite)},
		Secret: keys.HashOf(name), Actor: "ann",
	}
}

func (e Env) createKey(t *testing.T, n keys.New) keys.Key {
	t.Helper()
	k, err := e.Keys.CreateKey(t.Context(), n)
	require.NoError(t, err)
	return k
}

func keyKept(t *testing.T, e Env) {
	n := newKey("dashboard")
	n.ExpiresAt = started.AddDate(100, 0, 0)
	made := e.createKey(t, n)
	require.Equal(t, n.Grants, made.Grants)
	require.Equal(t, "ann", made.CreatedBy)
	require.False(t, made.CreatedAt.IsZero())
	require.Equal(t, n.ExpiresAt.Truncate(time.Microsecond), made.ExpiresAt)
	require.Contains(t, made.Scopes(), callmodel.ScopeCallsWrite)
	require.NotContains(t, made.Scopes(), callmodel.ScopeRulesWrite)
	read, err := e.Keys.Key(t.Context(), "acme", made.ID)
	require.NoError(t, err)
	same(t, made, read)
	for _, of := range []struct {
		tenant callmodel.TenantID
		id     string
	}{{"umbrella", made.ID}, {"acme", "key-none"}, {"acme", "\x00"}, {"", made.ID}} {
		_, err = e.Keys.Key(t.Context(), of.tenant, of.id)
		require.ErrorIs(t, err, callmodel.ErrNotFound)
		_, err = e.Keys.ChangeKey(t.Context(), keys.Change{TenantID: of.tenant, ID: of.id, Action: keys.Revoke})
		require.ErrorIs(t, err, callmodel.ErrNotFound)
	}
	lines := e.actions(t, "acme", callmodel.AuditKeyCreated)
	require.Len(t, lines, 1)
	require.Equal(t, map[string]string{"name": "dashboard", "grants": "reader,calls:write"}, lines[0].Detail)
}

func keyRefused(t *testing.T, e Env) {
	first := e.createKey(t, newKey("a"))
	for name, change := range map[string]func(n *keys.New){
		"no grants":     func(n *keys.New) { n.Grants = nil },
		"unknown grant": func(n *keys.New) { n.Grants = []string{"calls:read", "king"} },
		"no name":       func(n *keys.New) { n.Name = "" },
		"odd name":      func(n *keys.New) { n.Name = "a\nb" },
		"bad tenant":    func(n *keys.New) { n.TenantID = "../x" },
		"over":          func(n *keys.New) { n.ExpiresAt = time.Unix(1, 0) },
		"no secret":     func(n *keys.New) { n.Secret = keys.Hash{} },
	} {
		n := newKey("b")
		change(&n)
		_, err := e.Keys.CreateKey(t.Context(), n)
		require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err), "%s: %v", name, err)
	}
	again := newKey("a")
	again.ID = "key-another"
	_, err := e.Keys.CreateKey(t.Context(), again)
	requireCode(t, callmodel.CodeConflict, err)
	require.ErrorContains(t, err, first.ID)
	_, err = e.Keys.ChangeKey(t.Context(), keys.Change{TenantID: "acme", ID: first.ID, Action: keys.Revoke, Actor: "ann"})
	require.NoError(t, err)
	_, err = e.Keys.CreateKey(t.Context(), again)
	require.NoError(t, err, "the name of a revoked key is free")
	for _, c := range []keys.Change{
		{TenantID: "acme", ID: again.ID, Action: "paint"},
		{TenantID: "acme", ID: again.ID, Action: keys.Rotate},
		{TenantID: "acme", ID: again.ID, Action: keys.Rotate, Secret: keys.HashOf("x"), Grace: -1},
		{TenantID: "acme", ID: again.ID, Action: keys.Rotate, Secret: keys.HashOf("x"), Grace: keys.MaxGrace + 1},
	} {
		_, err = e.Keys.ChangeKey(t.Context(), c)
		requireCode(t, callmodel.CodeInvalid, err)
	}
}

func keyChanges(t *testing.T, e Env) {
	made := e.createKey(t, newKey("a"))
	rotate := keys.Change{TenantID: "acme", ID: made.ID, Action: keys.Rotate, Secret: keys.HashOf("second"), Grace: time.Hour, Expected: made.Tag(), Actor: "ben"}
	rotated, err := e.Keys.ChangeKey(t.Context(), rotate)
	require.NoError(t, err)
	require.Equal(t, time.Hour, rotated.OldUntil.Sub(rotated.RotatedAt))
	require.Greater(t, rotated.Version, made.Version)
	_, err = e.Keys.ChangeKey(t.Context(), rotate)
	requireCode(t, callmodel.CodeConflict, err)
	c, err := e.Keys.KeyChanges(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, c.Keys, 1)
	require.Equal(t, keys.HashOf("second"), c.Keys[0].Secret)
	require.Equal(t, keys.HashOf("a"), c.Keys[0].Old)
	require.Equal(t, rotated.Version, c.Through)

	revoke := keys.Change{TenantID: "acme", ID: made.ID, Action: keys.Revoke, Actor: "cem"}
	gone, err := e.Keys.ChangeKey(t.Context(), revoke)
	require.NoError(t, err)
	require.Equal(t, "cem", gone.RevokedBy)
	require.False(t, gone.Active(gone.RevokedAt))
	again, err := e.Keys.ChangeKey(t.Context(), revoke)
	require.NoError(t, err)
	same(t, gone, again, "twice is once")
	rotate.Expected = ""
	_, err = e.Keys.ChangeKey(t.Context(), rotate)
	requireCode(t, callmodel.CodeConflict, err)
	require.Len(t, e.actions(t, "acme", callmodel.AuditKeyRotated), 1)
	require.Len(t, e.actions(t, "acme", callmodel.AuditKeyRevoked), 1)
}

// keyOrder: who asks on behind the last change misses none, however many are made
// meanwhile, and sees the newest state of each.
func keyOrder(t *testing.T, e Env) {
	e.createKey(t, newKey("first"))
	const writers, each = 4, 8
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				n := newKey(fmt.Sprintf("k%d-%d", w, i))
				_, err := e.Keys.CreateKey(t.Context(), n)
				assert.NoError(t, err)
				_, err = e.Keys.ChangeKey(t.Context(), keys.Change{TenantID: "acme", ID: n.ID, Action: keys.Revoke})
				assert.NoError(t, err)
			}
		})
	}
	known, at := map[string]keys.Stored{}, int64(0)
	follow := func() {
		c, err := e.Keys.KeyChanges(t.Context(), at)
		require.NoError(t, err)
		require.False(t, c.Anew)
		for _, k := range c.Keys {
			require.Greater(t, k.Version, at)
			known[k.ID] = k
		}
		at = c.Through
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		follow()
	}
	require.Len(t, known, writers*each+1)
	for id, k := range known {
		require.Equal(t, id != "key-first", !k.RevokedAt.IsZero(), id)
	}
	c, err := e.Keys.KeyChanges(t.Context(), at+1000)
	require.NoError(t, err)
	require.True(t, c.Anew, "the store was put back to an earlier state")
	require.Len(t, c.Keys, writers*each+1)
}

func keyLists(t *testing.T, e Env) {
	e.createKey(t, newKey("k0"))
	for i := 1; i < 7; i++ {
		e.createKey(t, newKey(fmt.Sprint("k", i)))
	}
	other := newKey("other")
	other.TenantID = "umbrella"
	e.createKey(t, other)
	_, err := e.Keys.ChangeKey(t.Context(), keys.Change{TenantID: "acme", ID: "key-k3", Action: keys.Revoke})
	require.NoError(t, err)
	ids := func(f keys.Filter) (ids []string) {
		t.Helper()
		all, err := e.Keys.Keys(t.Context(), "acme", f)
		require.NoError(t, err)
		for _, k := range all {
			ids = append(ids, k.ID)
		}
		return ids
	}
	require.Equal(t, []string{"key-k0", "key-k1", "key-k2", "key-k4", "key-k5", "key-k6"}, ids(keys.Filter{}))
	require.Equal(t, []string{"key-k2", "key-k3"}, ids(keys.Filter{After: "key-k1", Limit: 2, Revoked: true}))
	require.Empty(t, ids(keys.Filter{After: "key-k6"}))
}

func keyUsed(t *testing.T, e Env) {
	made := e.createKey(t, newKey("a"))
	require.NoError(t, e.Keys.KeysUsed(t.Context(), []string{made.ID, "key-none"}))
	k, err := e.Keys.Key(t.Context(), "acme", made.ID)
	require.NoError(t, err)
	require.False(t, k.LastUsedAt.Before(made.CreatedAt))
	require.Equal(t, made.Version, k.Version, "that is no change")
	require.NoError(t, e.Keys.KeysUsed(t.Context(), []string{made.ID}))
	again, err := e.Keys.Key(t.Context(), "acme", made.ID)
	require.NoError(t, err)
	require.Equal(t, k.LastUsedAt, again.LastUsedAt, "it isn't written at every use")
}
