package callservice_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// put stores a version and leaves the one before active.
func put(t *testing.T, s *callservice.Service, body string) string {
	t.Helper()
	hash := install(t, s, "acme", body)
	change(t, s, rulesets.Change{Action: rulesets.ActionRollback})
	return hash
}

func canary(hash string, share rulesets.Share) rulesets.Change {
	return rulesets.Change{Action: rulesets.ActionCanary, Hash: hash, Share: share}
}

// TestRefresh: Run takes up what another process changed, and keeps what it has
// while the stores' set is broken.
func TestRefresh(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		here := on(t, db, callservice.Options{RulesRefresh: 5 * time.Millisecond})
		there := on(t, db, callservice.Options{})
		require.Equal(t, "nyc", create(t, here, nyc("")).Decision.Rule)
		run(t, here)
		install(t, there, "acme", renamed("moved"))
		require.Eventually(t, func() bool { return dry(t, here, "") == "moved" }, 30*time.Second, 5*time.Millisecond)

		broken := rulesets.Version{TenantID: "acme", Hash: "broken", Format: "yaml", Body: []byte("rules: 7")}
		require.NoError(t, db.PutRuleSet(t.Context(), broken, "other"))
		_, err := db.ChangeRuleSet(t.Context(), rulesets.Change{TenantID: "acme", Action: rulesets.ActionActivate, Hash: "broken", Actor: "other"})
		require.NoError(t, err)
		require.Never(t, func() bool { return dry(t, here, "") != "moved" }, 100*time.Millisecond, 5*time.Millisecond)
	})
}

// TestChanges: each change is in service here at once, and answers with what is.
func TestChanges(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		s := on(t, db, callservice.Options{})
		first := change(t, s, rulesets.Change{Action: rulesets.ActionAbort}).ActiveHash() // there is no canary: it changes nothing
		trial := put(t, s, renamed("trial"))
		require.NotEqual(t, first, trial)
		state := change(t, s, canary(trial, rulesets.AllCalls))
		assert.Equal(t, trial, state.CanaryHash())
		assert.Equal(t, "trial", create(t, s, nyc("")).Decision.Rule)
		assert.Equal(t, "nyc", dry(t, s, ""), "a call without an id is the active version's")
		_, in, err := s.RuleSets(t.Context(), "acme")
		require.NoError(t, err)
		assert.Equal(t, trial, in.CanaryHash())
		assert.Equal(t, trial, change(t, s, rulesets.Change{Action: rulesets.ActionPromote}).ActiveHash())

		_, err = s.ChangeRules(t.Context(), rulesets.Change{TenantID: "acme", Action: rulesets.ActionRollback, Expected: first, Actor: "test"})
		requireCode(t, callmodel.CodeConflict, err)
		_, err = s.InstallRules(t.Context(), "acme", []byte(renamed("third")), "test", first)
		requireCode(t, callmodel.CodeConflict, err)
		_, err = s.InstallRules(t.Context(), "acme", []byte(`{"rules":[]}`), "test", "")
		requireCode(t, callmodel.CodeInvalid, err)
		_, err = s.ChangeRules(t.Context(), canary("ffff", 1))
		requireCode(t, callmodel.CodeNotFound, err)
		assert.Equal(t, "trial", dry(t, s, ""), "what was refused changed nothing")

		assert.Equal(t, first, change(t, s, rulesets.Change{Action: rulesets.ActionRollback}).ActiveHash())
		assert.Equal(t, "nyc", dry(t, s, ""))
		history, err := s.History(t.Context(), "acme", 1)
		require.NoError(t, err)
		require.Len(t, history, 1)
		assert.Equal(t, rulesets.ActionRollback, history[0].Action)
		v, err := s.RuleSet(t.Context(), "acme", trial)
		require.NoError(t, err)
		assert.Equal(t, renamed("trial"), string(v.Body))
		_, err = s.RuleSet(t.Context(), "globex", trial)
		requireCode(t, callmodel.CodeNotFound, err)
	})
}

// TestCanaryElsewhere: another process takes up a canary, and its end, with the
// same calls, and the limits of destinations that only the canary has hold.
func TestCanaryElsewhere(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	here, there := on(t, db, callservice.Options{}), on(t, db, callservice.Options{RulesRefresh: 5 * time.Millisecond})
	run(t, there)
	trial := put(t, here, strings.Replace(renamed("trial"), `  a: {uri: "sip:a.example.com"}`, `  a: {uri: "sip:a2.example.com"}
  z: {uri: "sip:z.example.com", limits: {concurrent: 1}}`, 1))
	change(t, here, canary(trial, 5000))
	require.Eventually(t, func() bool {
		for i := range 20 {
			if id := fmt.Sprint("c", i); dry(t, here, id) != dry(t, there, id) {
				return false
			}
		}
		return true
	}, 30*time.Second, 5*time.Millisecond)
	var known []string
	for _, d := range there.Trunks() {
		known = append(known, d.Destination)
	}
	assert.Equal(t, []string{"a", "b", "c", "z"}, known)
	change(t, here, rulesets.Change{Action: rulesets.ActionAbort, Hash: trial})
	require.Eventually(t, func() bool {
		for i := range 20 {
			if dry(t, there, fmt.Sprint("c", i)) != "nyc" {
				return false
			}
		}
		return true
	}, 30*time.Second, 5*time.Millisecond)
}

// TestReloadIsNeverHalf: while versions are activated, tried and rolled back as
// fast as can be, each decision is whole, by one version that was in service
// while it was made.
func TestReloadIsNeverHalf(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	s := on(t, memdb.New(nil), callservice.Options{RulesRefresh: time.Millisecond})
	run(t, s)
	first := install(t, s, "acme", renamed("v0"))
	hashes := []string{first}
	for i := 1; i < 4; i++ {
		hashes = append(hashes, put(t, s, renamed(fmt.Sprint("v", i))))
	}
	ruleOf := map[string]string{}
	for i, h := range hashes {
		ruleOf[h] = fmt.Sprint("v", i)
	}

	// Each change names what may decide from before it until after the next.
	type window struct{ allowed []string }
	var now atomic.Pointer[window]
	now.Store(&window{allowed: []string{first}})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var decisions atomic.Int64
	for g := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				before := now.Load()
				x, err := s.Try(t.Context(), "acme", nyc(fmt.Sprintf("c-%d-%d", g, i)), noon)
				after := now.Load()
				d := x.Decision
				if !assert.NoError(t, err) || !assert.Equal(t, ruleOf[d.RuleSet], d.Rule, "the rule is of the version") {
					return
				}
				if before == after && !assert.Contains(t, before.allowed, d.RuleSet) {
					return
				}
				decisions.Add(1)
			}
		})
	}
	active := first
	// move lets the versions of before and after decide while a change is made.
	move := func(c rulesets.Change, then ...string) {
		t.Helper()
		now.Store(&window{allowed: append(append([]string(nil), now.Load().allowed...), then...)})
		active = change(t, s, c).ActiveHash()
		now.Store(&window{allowed: then})
	}
	rounds := 0
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end) || decisions.Load() < 100 || rounds < 6; rounds++ {
		next := hashes[(rounds+1)%len(hashes)]
		if next == active {
			continue
		}
		was := active
		move(canary(next, 5000), was, next)
		switch rounds % 3 {
		case 0:
			move(rulesets.Change{Action: rulesets.ActionAbort, Hash: next}, was)
			move(rulesets.Change{Action: rulesets.ActionActivate, Hash: next}, next)
		case 1:
			move(rulesets.Change{Action: rulesets.ActionPromote, Hash: next}, next)
			move(rulesets.Change{Action: rulesets.ActionRollback}, was)
		case 2:
			move(rulesets.Change{Action: rulesets.ActionPromote, Hash: next}, next)
		}
	}
	close(stop)
	wg.Wait()
	assert.GreaterOrEqual(t, rounds, 6)
	t.Logf("%d decisions during %d rounds", decisions.Load(), rounds)
}
