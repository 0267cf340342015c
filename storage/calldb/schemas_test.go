package calldb_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// before is a database as the release before this one leaves it.
func before(t *testing.T, at string) *calldb.DB {
	t.Helper()
	return between(t, at, calldb.OldestSchema)
}

// between is a database of a program since the last release.
func between(t *testing.T, at string, version int64) *calldb.DB {
	t.Helper()
	db := open(t, at)
	require.NoError(t, db.MigrateTo(t.Context(), version))
	require.NoError(t, db.CheckSchema(t.Context()))
	return db
}

// onSchema is where a database of the kind with the schema is.
func onSchema(t *testing.T, kind string, version int64) string {
	t.Helper()
	if kind == "SQLite" {
		return sqliteURL(t)
	}
	return pgtest.Copy(t, fmt.Sprint("schema ", version), func(t testing.TB, at string) {
		t.Helper()
		db, err := calldb.Open(t.Context(), at, nil)
		require.NoError(t, err)
		require.NoError(t, errors.Join(db.MigrateTo(t.Context(), version), db.Close()))
	})
}

// after is a database as the release after this one might leave it: it has more
// columns and tables, and admits this program.
func after(t *testing.T, at string) *calldb.DB {
	t.Helper()
	db := migrated(t, at)
	for _, stmt := range []string{
		"ALTER TABLE jobs ADD COLUMN future TEXT NOT NULL DEFAULT 'unknown'",
		"ALTER TABLE calls ADD COLUMN future TEXT NOT NULL DEFAULT 'unknown'",
		"CREATE TABLE future (id INTEGER NOT NULL PRIMARY KEY)",
		fmt.Sprintf("INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, true)", calldb.NewestSchema+1),
	} {
		require.NoError(t, db.Exec(t.Context(), stmt))
	}
	steps, err := db.Migrate(t.Context())
	require.NoError(t, err, "a service that migrates at its start starts")
	require.Empty(t, steps)
	_, err = db.MigrateDown(t.Context())
	require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err), "what it doesn't know it can't take back: %v", err)
	status, err := db.MigrationStatus(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, calldb.NewestSchema, status[len(status)-1].Version)
	return open(t, at)
}

// The rule for schemas: a program runs on the schema before and after its own, and on
// all between. SWITCHTAPE_LONG_TESTS=1 tries PostgreSQL, too, where a database for each
// test takes long, as every change does, and those between, as .ci/matrices does. The code
// is that of TestStores, which the race detector sees.
func TestStoresOnTheSchemasBesideTheirOwn(t *testing.T) {
	t.Parallel()
	if raced {
		t.Skip("SKIPPED: with the race detector the suites run on their own schema alone")
	}
	whole := os.Getenv("SWITCHTAPE_LONG_TESTS") == "1"
	kinds := []string{"SQLite"}
	if whole {
		kinds = append(kinds, "PostgreSQL")
	}
	for _, kind := range kinds {
		run := func(name string, suite func(*testing.T, func(*testing.T) storetest.Env), env func(*testing.T) storetest.Env) {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				suite(t, env)
			})
		}
		run("before", storetest.All, func(t *testing.T) storetest.Env {
			t.Helper()
			e := storetest.Of(before(t, onSchema(t, kind, calldb.OldestSchema)))
			e.RecordsOnly, e.OldClaims, e.NoFleet, e.NoTurns, e.NoKeys, e.NoReports, e.NoIntake, e.NoWebhooks, e.NoPromise, e.NoKeeping, e.NoShares = true, true, true, true, true, true, true, true, true, true, true
			e.Users = nil // see TestUsersOnTheSchemaBefore
			return e
		})
		first := int64(calldb.OldestSchema) + 1
		if !whole {
			first = calldb.NewestSchema
		}
		for version := first; version < calldb.NewestSchema; version++ {
			run(fmt.Sprint("version ", version), storetest.Jobs, func(t *testing.T) storetest.Env {
				t.Helper()
				e := env(between(t, onSchema(t, kind, version), version))
				e.OldClaims, e.NoFleet, e.NoTurns = version < calldb.FairSchema, version < calldb.FleetSchema, version < calldb.TurnsSchema
				e.NoKeys = version < calldb.KeysSchema
				return e
			})
		}
		run("after", storetest.All, func(t *testing.T) storetest.Env {
			t.Helper()
			return envKeeping(after(t, onSchema(t, kind, calldb.NewestSchema)))
		})
	}
}

// A program that knows users runs on a schema that doesn't: there are none, none can be
// stored, and it says what to do; once somebody has migrated there are.
func TestUsersOnTheSchemaBefore(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := between(t, at, calldb.DirectorySchema-1)
		changes, err := db.UserChanges(t.Context(), 0, 0)
		require.NoError(t, err)
		require.Empty(t, changes, "who follows them goes on")
		u := storetest.User(1)
		put := func() error {
			_, _, err := db.PutUser(t.Context(), u, users.Write{Actor: "ann"})
			return err
		}
		_, readErr := db.User(t.Context(), u.TenantID, u.ID)
		_, listErr := db.Users(t.Context(), users.Filter{TenantID: u.TenantID})
		_, versionsErr := db.UserVersions(t.Context(), u.TenantID, u.ID, 0, 0)
		for _, err := range []error{put(), readErr, listErr, versionsErr, db.DeleteUser(t.Context(), u.TenantID, u.ID, users.Write{})} {
			require.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, "migrate up")
		}
		_, err = open(t, at).Migrate(t.Context())
		require.NoError(t, err)
		require.NoError(t, put())
		changes, err = db.UserChanges(t.Context(), 0, 0)
		require.NoError(t, err)
		require.Len(t, changes, 1)
	})
}

// Settings that were stored before the schema kept webhooks have theirs once events are
// told.
func TestWebhooksOfSettingsFromTheSchemaBefore(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := between(t, at, calldb.WebhooksSchema-1)
		_, _, err := db.PutTenant(t.Context(), users.Tenant{ID: "acme", Defaults: users.Defaults{
			Webhooks: []users.Webhook{{URL: "https://acme.example/hook"}},
		}}, users.Write{Actor: "ann"})
		require.NoError(t, err)
		_, err = open(t, at).Migrate(t.Context())
		require.NoError(t, err)
		_, _, err = db.Enqueue(t.Context(), storetest.Request("c1"))
		require.NoError(t, err)
		leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour})
		require.NoError(t, err)
		require.NoError(t, db.Complete(t.Context(), leases[0], storetest.Completed("c1")))
		r := outbox.Reader{Name: "webhooks", Holder: "a"}
		_, err = db.TakeOutbox(t.Context(), r)
		require.NoError(t, err)
		events, err := db.OutboxEvents(t.Context(), 0, 10)
		require.NoError(t, err)
		for _, made := range []int{1, 0} {
			n, err := db.FanOut(t.Context(), r, events)
			require.NoError(t, err)
			require.Equal(t, made, n)
		}
		all, err := db.Webhooks(t.Context(), "acme", webhooks.Filter{})
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.True(t, all[0].Settings)
	})
}

func TestSchemaBeforeTheLastIsRefused(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := open(t, at)
		require.NoError(t, db.MigrateTo(t.Context(), calldb.OldestSchema-1))
		err := db.CheckSchema(t.Context())
		require.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "migrate up")
	})
}

// Somebody migrates while a program runs that began on the schema before: it uses
// the new one from then on, and what it did before has the meaning that it had.
func TestMigratedUnderARunningProgram(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := before(t, at)
		claim := func() ledger.Lease {
			t.Helper()
			leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour, Kinds: []string{record.Kind}})
			require.NoError(t, err)
			require.Len(t, leases, 1)
			return leases[0]
		}
		ids := map[string]callmodel.JobID{}
		enqueue := func(name string, priority int) {
			t.Helper()
			r := storetest.Request(name)
			r.Priority = priority
			id, _, err := db.Enqueue(t.Context(), r)
			require.NoError(t, err)
			ids[name] = id
		}
		enqueue("published", 0)
		require.NoError(t, db.Publish(t.Context(), claim(), storetest.Completed("first"), 0))
		require.NoError(t, db.Fail(t.Context(), claim(), ledger.Failure{Cause: "broken", Quarantine: true}))
		enqueue("aside", 0)
		known := storetest.Result("x")
		known.Status, known.Reason = record.StatusQuarantined, "bad"
		require.NoError(t, db.Complete(t.Context(), claim(), storetest.Outcome(known)))
		enqueue("running", 0)
		running := claim()
		enqueue("waiting", -1)

		other := open(t, at)
		_, err := other.Migrate(t.Context())
		require.NoError(t, err)

		_, created, err := db.Enqueue(t.Context(), ledger.Request{Kind: "verify", TenantID: "acme", Key: "v", Priority: 9, Payload: []byte("{}")})
		require.NoError(t, err)
		require.True(t, created)
		waiting := claim()
		require.Equal(t, ids["waiting"], waiting.Job.ID, "jobs of other kinds are left alone")
		require.NoError(t, db.Fail(t.Context(), waiting, ledger.Failure{Cause: "x", Reason: record.LegsGrowing, RetryIn: time.Hour}))
		j, err := other.Job(t.Context(), ids["waiting"])
		require.NoError(t, err)
		require.Equal(t, record.LegsGrowing, j.Reason)
		require.NoError(t, db.Complete(t.Context(), running, storetest.Completed("running")))

		j, err = db.Job(t.Context(), ids["published"])
		require.NoError(t, err)
		require.True(t, j.Published, "though no column says so")
		require.NoError(t, db.Retry(t.Context(), j.ID, "ann"))
		l := claim()
		require.Equal(t, "first", firstURL(t, &l.Job))
		require.NoError(t, db.Complete(t.Context(), l, storetest.Outcome(record.Result{Status: record.StatusAbsent})))
		j, err = db.Job(t.Context(), j.ID)
		require.NoError(t, err)
		require.Equal(t, "first", firstURL(t, &j))

		j, err = db.Job(t.Context(), ids["aside"])
		require.NoError(t, err)
		require.False(t, j.Published)
		require.NotNil(t, j.Result)
		_, created, err = db.Enqueue(t.Context(), storetest.Request("aside"))
		require.NoError(t, err)
		require.False(t, created)
	})
}

// firstURL is the name in the URL of storetest.Result.
func firstURL(t *testing.T, j *ledger.Job) string {
	t.Helper()
	url := storetest.ResultOf(t, j).URL()
	require.Regexp(t, `^file:///bucket/.*\.v1\.wav$`, url)
	return url[len("file:///bucket/") : len(url)-len(".v1.wav")]
}

// What a program of the release before writes into the new schema is what it was.
func TestRowsOfTheProgramBefore(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		spec := string(storetest.Request("c1").Payload)
		insert := `INSERT INTO jobs (nonce, queue, priority, state, tenant_id, call_id, recording_id, spec, created_at, run_at)
			VALUES ('00000000', 'default', 0, 'queued', 'acme', 'c1', 'c1', '` + spec + `', 1, 1)
			ON CONFLICT (tenant_id, recording_id) DO NOTHING`
		for range 2 {
			require.NoError(t, db.Exec(t.Context(), insert), "twice is once")
		}
		_, created, err := db.Enqueue(t.Context(), storetest.Request("c1"))
		require.NoError(t, err)
		require.False(t, created)
		claim := func() ledger.Lease {
			t.Helper()
			leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour, Kinds: []string{record.Kind}})
			require.NoError(t, err)
			require.Len(t, leases, 1)
			require.Equal(t, record.Kind, leases[0].Job.Kind)
			return leases[0]
		}
		l := claim()
		require.NoError(t, db.Exec(t.Context(), "UPDATE jobs SET state = 'queued', lease_until = 0, worker = '', result = '"+
			string(storetest.Completed("first").Result)+"'"), "as it publishes")
		require.ErrorIs(t, db.Release(t.Context(), l), callmodel.ErrLeaseLost)
		l = claim()
		require.True(t, l.Job.Published)
		require.NoError(t, db.Publish(t.Context(), l, storetest.Completed("second"), 0))
		require.NoError(t, db.Exec(t.Context(), "UPDATE jobs SET state = 'done', finished_at = 1"), "as it completes")
		j, err := db.Job(t.Context(), l.Job.ID)
		require.NoError(t, err)
		require.False(t, j.Published, "it is done")
	})
}

// A row whose text is damaged takes nobody along.
func TestDamagedRowFailsAlone(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		for _, id := range []string{"c1", "c2", "c3"} {
			_, _, err := db.Enqueue(t.Context(), storetest.Request(id))
			require.NoError(t, err)
		}
		require.NoError(t, db.Exec(t.Context(), `UPDATE jobs SET spec = '{"legs": [', result = 'torn' WHERE call_id = 'c2'`))
		jobs, err := db.Jobs(t.Context(), ledger.Filter{})
		require.NoError(t, err)
		require.Len(t, jobs, 3)
		require.JSONEq(t, `"{\"legs\": ["`, string(jobs[1].Payload))
		leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", Limit: 3, TTL: time.Hour})
		require.NoError(t, err)
		require.Len(t, leases, 3)
		_, err = record.SpecOf(&leases[1].Job)
		require.Error(t, err)
		require.NoError(t, db.Fail(t.Context(), leases[1], ledger.Failure{Cause: err.Error(), Reason: ledger.Undecodable, Quarantine: true}))
		j, err := db.Job(t.Context(), leases[1].Job.ID)
		require.NoError(t, err)
		require.Equal(t, ledger.Quarantined, j.State)
		require.Equal(t, ledger.Undecodable, j.Reason)
	})
}

// Claims walk an index in the order of the jobs and stop at their limit: none
// sorts what waits, of however many kinds.
func TestClaimsUseTheIndexes(t *testing.T) {
	t.Parallel()
	db := migrated(t, sqliteURL(t))
	for where, index := range map[string]string{
		"kind = 'record'":                            "jobs_due",
		"kind = 'record' AND queue = 'pbx-1'":        "jobs_due_queue",
		"(kind || '') IN ('record', 'verify')":       "jobs_due",
		"queue = 'pbx-1'":                            "jobs_due_queue",
		"kind = 'record' AND (queue || '') IN ('a')": "jobs_due",
	} {
		plan := explain(t, db, "SELECT seq FROM jobs WHERE state = 'queued' AND run_at <= 5 AND "+where+" ORDER BY priority DESC, seq LIMIT 3")
		require.Contains(t, plan, "USING INDEX "+index, where)
		require.NotContains(t, plan, "TEMP B-TREE", where)
	}
}

// However many deliveries wait, those that are due are found by the index, in their order.
func TestDeliveriesUseTheIndexes(t *testing.T) {
	t.Parallel()
	db := migrated(t, sqliteURL(t))
	for _, query := range []string{
		"SELECT id FROM webhook_deliveries WHERE endpoint_id = 'a' AND state = 'waiting' AND next_at <= 5 ORDER BY next_at, id LIMIT 3",
		"SELECT (SELECT min(d.next_at) FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'waiting') FROM webhook_endpoints e WHERE e.state = 'enabled'",
		"SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries WHERE endpoint_id = 'a' AND state = 'waiting' LIMIT 100) AS waiting",
	} {
		plan := explain(t, db, query)
		require.Contains(t, plan, "INDEX webhook_deliveries_due", query)
		require.NotContains(t, plan, "TEMP B-TREE", query)
	}
	plan := explain(t, db, "SELECT id FROM outbox WHERE NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.event_id = outbox.id AND d.state = 'waiting') ORDER BY id LIMIT 3")
	require.Contains(t, plan, "INDEX webhook_deliveries_events")
}

func explain(t *testing.T, db *calldb.DB, query string) string {
	t.Helper()
	plan, err := db.Plan(context.WithoutCancel(t.Context()), query)
	require.NoError(t, err)
	return plan
}

// However many recordings there are, those whose time is over are found by the indexes, in
// their order.
func TestExpiredUsesTheIndexes(t *testing.T) {
	t.Parallel()
	db := migrated(t, sqliteURL(t))
	for index, query := range map[string]string{
		"jobs_retained": "SELECT seq FROM jobs WHERE retain_until > 0 AND erased = 0 AND retain_until <= 7 AND (retain_until, seq) > (1, 2) ORDER BY retain_until, seq LIMIT 3",
		"jobs_aging":    "SELECT j.seq FROM jobs AS j WHERE j.tenant_id = 'acme' AND j.kind = 'record' AND j.retain_until = 0 AND j.erased = 0 AND (j.created_at, j.seq) > (1, 2) AND j.created_at <= 7 ORDER BY j.created_at, j.seq LIMIT 3",
	} {
		plan := explain(t, db, query)
		require.Contains(t, plan, "INDEX "+index, query)
		require.NotContains(t, plan, "TEMP B-TREE", query)
	}
	plan := explain(t, db, "SELECT min(tenant_id) FROM jobs WHERE kind = 'record' AND retain_until = 0 AND erased = 0 AND tenant_id > 'a'")
	require.Contains(t, plan, "INDEX jobs_aging")
}
