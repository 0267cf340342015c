package calldb_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// TestRetentionOfRules: versions go that nobody needs, with their texts; those in service,
// on trial, before that, and of late stay.
func TestRetentionOfRules(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		ctx := t.Context()
		db := migrated(t, at)
		put := func(tenant callmodel.TenantID, hash string, size int) {
			require.NoError(t, db.PutRuleSet(ctx, rulesets.Version{TenantID: tenant, Hash: hash, Format: "rules", Body: []byte(strings.Repeat("x", size))}, "ann"))
		}
		change := func(c rulesets.Change) error {
			c.TenantID, c.Actor = "acme", "ann"
			_, err := db.ChangeRuleSet(ctx, c)
			return err
		}
		for i := range 40 { // more than a step looks at
			put("acme", fmt.Sprintf("never%d", i), 10)
		}
		put("acme", "large", 3<<20)
		put("umbrella", "its own", 10)
		for _, hash := range []string{"first", "second", "third"} {
			put("acme", hash, 10)
			require.NoError(t, change(rulesets.Change{Action: rulesets.ActionActivate, Hash: hash}))
		}
		put("acme", "trial", 10)
		require.NoError(t, change(rulesets.Change{Action: rulesets.ActionCanary, Hash: "trial", Share: 100}))
		older := func() {
			for _, s := range []string{
				"UPDATE rule_sets SET created_at = created_at - %[1]d", "UPDATE rule_activations SET at = at - %[1]d", "UPDATE rule_set_parts SET stored_at = stored_at - %[1]d",
			} {
				require.NoError(t, db.Exec(ctx, fmt.Sprintf(s, (48*time.Hour).Microseconds())))
			}
		}
		keep := calldb.Retention{Rules: 24 * time.Hour}
		gone, _ := forget(t, db, keep)
		require.Zero(t, gone)
		older()
		put("acme", "young", 10)
		gone, _ = forget(t, db, calldb.Retention{})
		require.Zero(t, gone, "nothing goes unasked")
		gone, steps := forget(t, db, keep)
		require.Equal(t, calldb.Forgotten{Rules: 43}, gone)
		require.Greater(t, steps, 3)
		kept, err := db.RuleSets(ctx, "acme")
		require.NoError(t, err)
		var names []string
		for i := range kept {
			names = append(names, kept[i].Hash)
		}
		require.Equal(t, []string{"young", "trial", "third", "second"}, names)
		rows, err := db.Rows(ctx, "SELECT count(*) FROM rule_set_parts")
		require.NoError(t, err)
		require.Equal(t, "0", rows[0])
		lines, err := db.AuditEvents(ctx, "acme", 0, 1000)
		require.NoError(t, err)
		n := 0
		for i := range lines {
			if lines[i].Action == callmodel.AuditRuleSetForgotten {
				require.Equal(t, "retention", lines[i].Actor)
				n++
			}
		}
		require.Equal(t, 42, n)

		require.NoError(t, change(rulesets.Change{Action: rulesets.ActionRollback}))
		err = change(rulesets.Change{Action: rulesets.ActionRollback})
		require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err))
		require.ErrorContains(t, err, "forgotten for its age")
		s, err := db.RuleSetState(ctx, "acme")
		require.NoError(t, err)
		require.Equal(t, "second", s.ActiveHash())
	})
}

// TestClaimsWhileForgetting: however much is forgotten, it goes in small steps between
// which jobs are claimed and done. Of 100,000 jobs with SWITCHTAPE_LONG_TESTS=1.
func TestClaimsWhileForgetting(t *testing.T) {
	t.Parallel()
	old := 4000
	if os.Getenv("SWITCHTAPE_LONG_TESTS") == "1" {
		old = 100_000
	}
	onBoth(t, func(t *testing.T, at string) {
		ctx := t.Context()
		db := migrated(t, at)
		none := "''"
		if strings.HasPrefix(at, "sqlite") {
			none = "x''"
		}
		series := "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i FROM n) AS n"
		for _, insert := range []string{
			`INSERT INTO jobs (nonce, queue, priority, state, tenant_id, call_id, recording_id, spec, created_at, run_at, finished_at)
				SELECT '00000000', 'default', 0, 'done', 'acme', '', 'old' || i, '{}', 1, 1, 1 FROM ` + series,
			`INSERT INTO outbox (event_key, tenant_id, type, subject, at, body) SELECT 'old' || i, 'acme', 'recording.completed', 'c', 1, ` + none + ` FROM ` + series,
			`INSERT INTO idempotency_keys (tenant_id, idem_key, request_sha256, status, body, created_at) SELECT 'acme', 'old' || i, '', 200, ` + none + `, 1 FROM ` + series,
		} {
			require.NoError(t, db.Exec(ctx, fmt.Sprintf(insert, old)))
		}
		for i := range 200 {
			_, _, err := db.Enqueue(ctx, storetest.Request(fmt.Sprintf("fresh%03d", i)))
			require.NoError(t, err)
		}
		var done atomic.Int64
		var longest atomic.Int64
		working, stop := context.WithCancel(ctx)
		worked := make(chan error, 1)
		go func() {
			for working.Err() == nil {
				began := time.Now()
				leases, err := db.Claim(ctx, ledger.Claim{Worker: "w", TTL: time.Hour})
				longest.Store(max(longest.Load(), int64(time.Since(began))))
				if err == nil && len(leases) == 1 {
					err = db.Complete(ctx, leases[0], storetest.Completed(leases[0].Job.Key))
				}
				if err != nil {
					worked <- err
					return
				}
				if len(leases) == 0 {
					break
				}
				done.Add(1)
			}
			worked <- nil
		}()
		require.Eventually(t, func() bool { return done.Load() > 0 }, time.Minute, time.Millisecond)
		before := done.Load()
		keep := calldb.Retention{Calls: time.Hour, Answers: time.Hour, Outbox: time.Hour}
		var all calldb.Forgotten
		steps := 0
		began := time.Now()
		for place := (calldb.ForgetPlace{}); !place.Done(); steps++ {
			var gone calldb.Forgotten
			var err error
			place, gone, err = db.Forget(ctx, keep, place, "retention")
			require.NoError(t, err)
			require.LessOrEqual(t, gone.Jobs+gone.Outbox+gone.Answers, int64(128), "a step is small")
			all.Add(gone)
		}
		took := time.Since(began)
		stop()
		require.NoError(t, <-worked)
		require.EqualValues(t, old, all.Jobs)
		require.EqualValues(t, old, all.Outbox)
		require.EqualValues(t, old, all.Answers)
		require.Greater(t, done.Load(), before, "jobs went on")
		t.Logf("%d rows of each in %d steps and %v; %d jobs meanwhile, the slowest claim took %v", old, steps, took, done.Load(), time.Duration(longest.Load()))
	})
}
