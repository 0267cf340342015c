package storetest

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
)

// RuleSetStore is what callservice.RuleSetStore promises.
func RuleSetStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	runAll(t, open, []run{
		{"PutReadsBack", putReadsBack},
		{"PutLargeReadsBack", putLargeReadsBack},
		{"Activate", activate},
		{"TenantsAreApart", ruleTenantsApart},
		{"Rollback", rollsBack},
		{"Expected", expects},
		{"Canary", canaries},
		{"ChangesAtOnce", changesAtOnce},
	})
}

// putLargeReadsBack: a set of megabytes is kept to the byte, however often and at
// once it is put.
func putLargeReadsBack(t *testing.T, e Env) {
	random := rand.NewChaCha8([32]byte{1})
	body := make([]byte, 3<<20+17)
	_, err := random.Read(body[:len(body)/2]) // the rest is zeros
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			assert.NoError(t, e.Rules.PutRuleSet(t.Context(), rulesets.Version{TenantID: "acme", Hash: "large", Format: "json", Body: body}, "ann"))
		})
	}
	all.Wait()
	other := append(bytes.Clone(body), 1)
	require.NoError(t, e.Rules.PutRuleSet(t.Context(), rulesets.Version{TenantID: "acme", Hash: "large", Format: "json", Body: other}, "ann"))
	require.NoError(t, e.Rules.PutRuleSet(t.Context(), rulesets.Version{TenantID: "acme", Hash: "other", Format: "json", Body: other}, "ann"))
	for hash, want := range map[string][]byte{"large": body, "other": other} {
		r, err := e.Rules.RuleSet(t.Context(), "acme", hash)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, r.Body), hash)
	}
	require.Len(t, e.actions(t, "acme", callmodel.AuditRuleSetStored), 2)
}

func putReadsBack(t *testing.T, e Env) {
	all, err := e.Rules.RuleSets(t.Context(), "acme")
	require.NoError(t, err)
	require.Empty(t, all)

	body := []byte("rules:\n  - id: \"\x00\xff\"\n")
	for _, hash := range []string{"h2", "h1", "h3", "h1"} {
		require.NoError(t, e.Rules.PutRuleSet(t.Context(), rulesets.Version{
			TenantID: "acme", Hash: hash, Format: "yaml", Body: append(body, hash...), Active: true,
		}, "ann"))
	}
	r, err := e.Rules.RuleSet(t.Context(), "acme", "h1")
	require.NoError(t, err)
	require.Equal(t, append(body, "h1"...), r.Body)
	require.Equal(t, "yaml", r.Format)
	require.Equal(t, "ann", r.CreatedBy)
	require.False(t, r.CreatedAt.IsZero())
	require.False(t, r.Active, "storing does not activate")

	all, err = e.Rules.RuleSets(t.Context(), "acme")
	require.NoError(t, err)
	require.Len(t, all, 3, "the same hash again changes nothing")
	for i, hash := range []string{"h3", "h1", "h2"} {
		require.Equal(t, hash, all[i].Hash, "newest first")
		require.Empty(t, all[i].Body)
	}
	require.Len(t, e.actions(t, "acme", callmodel.AuditRuleSetStored), 3)

	_, err = e.Rules.RuleSet(t.Context(), "acme", "h9")
	require.ErrorIs(t, err, callmodel.ErrNotFound)
	_, err = e.Rules.RuleSet(t.Context(), "acme", "\x00")
	require.ErrorIs(t, err, callmodel.ErrNotFound)
	requireCode(t, callmodel.CodeInvalid, e.Rules.PutRuleSet(t.Context(), rulesets.Version{TenantID: "acme"}, "ann"))
}

func activate(t *testing.T, e Env) {
	for _, hash := range []string{"h1", "h2"} {
		require.NoError(t, e.Rules.PutRuleSet(t.Context(), rulesets.Version{
			TenantID: "acme", Hash: hash, Format: "json", Body: []byte("{}"), CreatedBy: "importer",
		}, "ann"))
	}
	require.ErrorIs(t, e.activate(t, "acme", "h9"), callmodel.ErrNotFound)
	in, err := e.Rules.RuleSetState(t.Context(), "acme")
	require.NoError(t, err)
	require.Nil(t, in.Active)
	for _, hash := range []string{"h1", "h2", "h1"} {
		require.NoError(t, e.activate(t, "acme", hash))
		in, err := e.Rules.RuleSetState(t.Context(), "acme")
		require.NoError(t, err)
		r, err := e.Rules.RuleSet(t.Context(), "acme", in.ActiveHash())
		require.NoError(t, err)
		require.Equal(t, hash, r.Hash)
		require.Equal(t, []byte("{}"), r.Body)
		require.Equal(t, "importer", r.CreatedBy)
		require.True(t, r.Active)
		all, err := e.Rules.RuleSets(t.Context(), "acme")
		require.NoError(t, err)
		for _, r := range all {
			require.Equal(t, r.Hash == hash, r.Active, "exactly one")
		}
	}
	require.Len(t, e.actions(t, "acme", callmodel.AuditRuleSetActivated), 3)
}

func ruleTenantsApart(t *testing.T, e Env) {
	for _, tenant := range []callmodel.TenantID{"acme", "umbrella"} {
		require.NoError(t, e.Rules.PutRuleSet(t.Context(), rulesets.Version{
			TenantID: tenant, Hash: "h1", Format: "json", Body: []byte(tenant),
		}, "ann"))
	}
	require.NoError(t, e.activate(t, "acme", "h1"))
	in, err := e.Rules.RuleSetState(t.Context(), "umbrella")
	require.NoError(t, err)
	require.Nil(t, in.Active)
	r, err := e.Rules.RuleSet(t.Context(), "umbrella", "h1")
	require.NoError(t, err)
	require.Equal(t, []byte("umbrella"), r.Body)
	require.ErrorIs(t, e.activate(t, "third", "h1"), callmodel.ErrNotFound)
}

// activate makes the version the active one, whatever was.
func (e Env) activate(t *testing.T, tenant callmodel.TenantID, hash string) error {
	t.Helper()
	_, err := e.Rules.ChangeRuleSet(t.Context(), rulesets.Change{TenantID: tenant, Action: rulesets.ActionActivate, Hash: hash, Actor: "ann"})
	return err
}
