package storetest

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
)

// versioned is a store with the versions a, b and c of acme's rules.
func versioned(t *testing.T, e Env, activate ...string) {
	t.Helper()
	for _, hash := range []string{"a", "b", "c"} {
		require.NoError(t, e.Rules.PutRuleSet(t.Context(), rulesets.Version{TenantID: "acme", Hash: hash, Format: "json", Body: []byte(hash)}, "ann"))
	}
	for _, hash := range activate {
		e.change(t, rulesets.Change{Action: rulesets.ActionActivate, Hash: hash})
	}
}

func (e Env) change(t *testing.T, c rulesets.Change) rulesets.State {
	t.Helper()
	c.TenantID, c.Actor = "acme", "ann"
	s, err := e.Rules.ChangeRuleSet(t.Context(), c)
	require.NoError(t, err)
	now, err := e.Rules.RuleSetState(t.Context(), "acme")
	require.NoError(t, err)
	same(t, now, s, "what is returned is what is in service")
	return s
}

func (e Env) refuse(t *testing.T, code callmodel.Code, c rulesets.Change) {
	t.Helper()
	before, err := e.Rules.RuleSetState(t.Context(), "acme")
	require.NoError(t, err)
	lines, err := e.Audit.AuditEvents(t.Context(), "acme", 0, 1000)
	require.NoError(t, err)
	c.TenantID, c.Actor = "acme", "ann"
	_, err = e.Rules.ChangeRuleSet(t.Context(), c)
	requireCode(t, code, err)
	now, err := e.Rules.RuleSetState(t.Context(), "acme")
	require.NoError(t, err)
	same(t, before, now, "a change that is refused changes nothing")
	after, err := e.Audit.AuditEvents(t.Context(), "acme", 0, 1000)
	require.NoError(t, err)
	require.Len(t, after, len(lines))
}

func rollback(expected string) rulesets.Change {
	return rulesets.Change{Action: rulesets.ActionRollback, Expected: expected}
}

func canaryOf(hash string, s rulesets.Share) rulesets.Change {
	return rulesets.Change{Action: rulesets.ActionCanary, Hash: hash, Share: s}
}

func rollsBack(t *testing.T, e Env) {
	s, err := e.Rules.RuleSetState(t.Context(), "acme")
	require.NoError(t, err)
	require.Zero(t, s)
	e.refuse(t, callmodel.CodeConflict, rollback(""))
	versioned(t, e, "a")
	e.refuse(t, callmodel.CodeConflict, rollback(""))
	e.change(t, rulesets.Change{Action: rulesets.ActionActivate, Hash: "b"})
	s = e.change(t, rulesets.Change{Action: rulesets.ActionActivate, Hash: "c"})
	require.Equal(t, "c", s.ActiveHash())
	require.Equal(t, "b", s.Previous)
	require.False(t, s.Active.At.IsZero())
	require.Equal(t, "ann", s.Active.Actor)

	require.Equal(t, "b", e.change(t, rollback("c")).ActiveHash())
	r, err := e.Rules.RuleSet(t.Context(), "acme", "b")
	require.NoError(t, err)
	require.Equal(t, []byte("b"), r.Body)
	require.True(t, r.Active)
	require.Equal(t, "b", e.change(t, rollback("c")).ActiveHash(), "repeated, it changes nothing")
	s = e.change(t, rollback("b"))
	require.Equal(t, "a", s.ActiveHash(), "once more, it goes further back")
	require.Empty(t, s.Previous)
	e.refuse(t, callmodel.CodeConflict, rollback("c"))
	e.refuse(t, callmodel.CodeConflict, rollback(""))

	e.change(t, rulesets.Change{Action: rulesets.ActionActivate, Hash: "c"})
	require.Equal(t, "a", e.change(t, rollback("")).ActiveHash())

	all, err := e.Rules.Activations(t.Context(), "acme", 0)
	require.NoError(t, err)
	var path []string
	for i, a := range all {
		require.Equal(t, int64(len(all)-i), a.ID)
		path = append(path, a.Replaced+">"+a.Hash)
	}
	require.Equal(t, []string{"c>a", "a>c", "b>a", "c>b", "b>c", "a>b", ">a"}, path)
	few, err := e.Rules.Activations(t.Context(), "acme", 2)
	require.NoError(t, err)
	same(t, all[:2], few)
	lines := e.actions(t, "acme", callmodel.AuditRuleSetRollback)
	require.Len(t, lines, 3)
	require.Equal(t, "b", lines[0].Subject)
	require.Equal(t, "c", lines[0].Detail["replaced"])
}

func expects(t *testing.T, e Env) {
	versioned(t, e)
	act := func(hash, expected string) rulesets.Change {
		return rulesets.Change{Action: rulesets.ActionActivate, Hash: hash, Expected: expected}
	}
	e.refuse(t, callmodel.CodeConflict, act("a", "b"))
	e.change(t, act("a", ""))
	e.change(t, act("b", "a"))
	e.change(t, act("b", "a"))
	require.Len(t, e.actions(t, "acme", callmodel.AuditRuleSetActivated), 2, "a repeated change leaves no line")
	e.refuse(t, callmodel.CodeConflict, act("c", "a"))
	e.refuse(t, callmodel.CodeNotFound, act("none", "b"))
	e.refuse(t, callmodel.CodeNotFound, act("", ""))
	e.refuse(t, callmodel.CodeInvalid, rulesets.Change{Action: "stop"})
	e.refuse(t, callmodel.CodeInvalid, rulesets.Change{Action: rulesets.ActionRollback, Hash: "a"})
	_, err := e.Rules.ChangeRuleSet(t.Context(), rulesets.Change{TenantID: "../x", Action: rulesets.ActionAbort})
	requireCode(t, callmodel.CodeInvalid, err)
}

func canaries(t *testing.T, e Env) {
	versioned(t, e)
	promote := rulesets.Change{Action: rulesets.ActionPromote}
	abort := rulesets.Change{Action: rulesets.ActionAbort}
	e.refuse(t, callmodel.CodeConflict, canaryOf("b", 1))
	e.refuse(t, callmodel.CodeConflict, promote)
	e.change(t, abort) // there is none: that is so already
	e.change(t, rulesets.Change{Action: rulesets.ActionActivate, Hash: "a"})
	for _, s := range []rulesets.Share{0, -1, rulesets.AllCalls + 1} {
		e.refuse(t, callmodel.CodeInvalid, canaryOf("b", s))
	}
	e.refuse(t, callmodel.CodeNotFound, canaryOf("none", 1))
	e.refuse(t, callmodel.CodeConflict, canaryOf("a", 1))
	e.refuse(t, callmodel.CodeConflict, rulesets.Change{Action: rulesets.ActionCanary, Hash: "b", Share: 1, Expected: "c"})

	first := e.change(t, canaryOf("b", 1))
	require.Equal(t, "a", first.ActiveHash())
	require.Equal(t, "b", first.CanaryHash())
	require.NotEmpty(t, first.Canary.Salt)
	require.False(t, first.Canary.StartedAt.IsZero())
	second := e.change(t, canaryOf("b", 500))
	require.Equal(t, rulesets.Share(500), second.Canary.Share)
	require.Equal(t, first.Canary.Salt, second.Canary.Salt, "the calls of the smaller share stay")
	require.Equal(t, first.Canary.StartedAt, second.Canary.StartedAt)
	e.change(t, canaryOf("b", 500))
	require.Len(t, e.actions(t, "acme", callmodel.AuditRuleSetCanary), 2)
	e.refuse(t, callmodel.CodeConflict, canaryOf("c", 1))
	e.refuse(t, callmodel.CodeConflict, rulesets.Change{Action: rulesets.ActionAbort, Hash: "c"})
	e.refuse(t, callmodel.CodeConflict, rulesets.Change{Action: rulesets.ActionPromote, Hash: "c"})
	require.Equal(t, "b", e.change(t, rulesets.Change{Action: rulesets.ActionActivate, Hash: "a"}).CanaryHash(), "what changes nothing ends nothing")

	require.Nil(t, e.change(t, abort).Canary)
	require.Len(t, e.actions(t, "acme", callmodel.AuditRuleSetAborted), 1)
	third := e.change(t, canaryOf("b", rulesets.AllCalls))
	require.NotEqual(t, first.Canary.Salt, third.Canary.Salt)
	s := e.change(t, rulesets.Change{Action: rulesets.ActionPromote, Hash: "b", Expected: "a"})
	require.Equal(t, "b", s.ActiveHash())
	require.Nil(t, s.Canary)
	e.change(t, rulesets.Change{Action: rulesets.ActionPromote, Hash: "b", Expected: "a"})
	require.Len(t, e.actions(t, "acme", callmodel.AuditRuleSetPromoted), 1)

	e.change(t, canaryOf("c", 1))
	s = e.change(t, rollback("b"))
	require.Equal(t, "a", s.ActiveHash())
	require.Nil(t, s.Canary, "a rollback ends the canary")
	line := e.actions(t, "acme", callmodel.AuditRuleSetRollback)[0]
	require.Equal(t, "c", line.Detail["canary_ended"])
	e.change(t, canaryOf("c", 1))
	require.Nil(t, e.change(t, rulesets.Change{Action: rulesets.ActionActivate, Hash: "b"}).Canary)

	other, err := e.Rules.RuleSetState(t.Context(), "umbrella")
	require.NoError(t, err)
	require.Zero(t, other)
}

// changesAtOnce: of many that replace one version, one does.
func changesAtOnce(t *testing.T, e Env) {
	versioned(t, e, "a", "b")
	var wg sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		wg.Go(func() {
			c := rulesets.Change{TenantID: "acme", Action: rulesets.ActionActivate, Hash: "c", Expected: "b", Actor: "ann"}
			if i%2 == 0 {
				c = rulesets.Change{TenantID: "acme", Action: rulesets.ActionRollback, Expected: "b", Actor: "ben"}
			}
			_, results[i] = e.Rules.ChangeRuleSet(t.Context(), c)
		})
	}
	wg.Wait()
	all, err := e.Rules.Activations(t.Context(), "acme", 0)
	require.NoError(t, err)
	require.Len(t, all, 3, "one change was made")
	for i, err := range results {
		if won := (i%2 == 0) == (all[0].Action == rulesets.ActionRollback); won {
			assert.NoError(t, err, "made, or made already")
		} else {
			assert.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err), "%v", err)
		}
	}

	for i := range results { // the first activation of a tenant
		wg.Go(func() {
			set := rulesets.Version{TenantID: "umbrella", Hash: "h", Format: "json", Body: []byte("{}")}
			if results[i] = e.Rules.PutRuleSet(t.Context(), set, "ann"); results[i] == nil {
				results[i] = e.activate(t, "umbrella", "h")
			}
		})
	}
	wg.Wait()
	for _, err := range results {
		require.NoError(t, err)
	}
	all, err = e.Rules.Activations(t.Context(), "umbrella", 0)
	require.NoError(t, err)
	require.Len(t, all, 1)
}
