package calldb_test

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/reports"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// whicheverWrites is the URL of the one of the servers that is no standby.
func whicheverWrites(t *testing.T, servers ...*pgtest.Server) string {
	t.Helper()
	u, err := url.Parse(servers[0].URL)
	require.NoError(t, err)
	q := u.Query()
	hosts := q.Get("host")
	for _, s := range servers[1:] {
		other, err := url.Parse(s.URL)
		require.NoError(t, err)
		hosts += "," + other.Query().Get("host")
	}
	q.Set("host", hosts)
	q.Set("target_session_attrs", "read-write")
	u.RawQuery = q.Encode()
	return u.String()
}

// TestFailover: a server dies under load, and its synchronous standby takes over. What
// was acknowledged is there, what was asked again is there once, and a job that was
// leased before is completed after.
func TestFailover(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts two servers: not with -short")
	}
	primary := pgtest.Own(t)
	standby := primary.Standby(t)
	db := migrated(t, whicheverWrites(t, primary, standby))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	_, _, err := db.Enqueue(ctx, storetest.Request("leased"))
	require.NoError(t, err)
	leases, err := db.Claim(ctx, ledger.Claim{Worker: "w", Limit: 1, TTL: time.Hour})
	require.NoError(t, err)
	require.Len(t, leases, 1)

	const writers, before, after = 6, 60, 30
	var made, failed atomic.Int64 // calls that were acknowledged, and attempts that were not
	tookOver := make(chan struct{})
	lists := make([][]string, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i, left := 0, after; left > 0 && ctx.Err() == nil; i++ {
				id := fmt.Sprintf("c-%d-%04d", w, i)
				for { // as a caller does: again under the same key, until it is answered
					err := makeCall(ctx, db, id)
					if err == nil {
						break
					}
					failed.Add(1)
					if callmodel.CodeOf(err) != callmodel.CodeUnavailable {
						assert.NoError(t, err)
						return
					}
				}
				lists[w] = append(lists[w], id)
				made.Add(1)
				select {
				case <-tookOver:
					left--
				default:
				}
			}
		})
	}
	for made.Load() < before {
		require.NoError(t, ctx.Err())
		time.Sleep(time.Millisecond)
	}
	primary.Crash()
	acknowledged := made.Load()
	standby.Promote(t)
	close(tookOver)
	wg.Wait()
	require.NoError(t, ctx.Err())
	t.Logf("%d calls before the failover, %d after it, %d attempts failed", acknowledged, made.Load()-acknowledged, failed.Load())
	require.Positive(t, failed.Load())
	require.NoError(t, db.Complete(ctx, leases[0], storetest.Completed("leased")))

	now := open(t, standby.URL)
	for _, list := range lists {
		for _, id := range list {
			call, err := now.Call(ctx, "acme", callmodel.CallID(id))
			require.NoError(t, err, id)
			require.Equal(t, calls.Ended, call.State, id)
		}
	}
	count := func(query string) string {
		rows, err := now.Rows(ctx, query)
		require.NoError(t, err)
		require.Len(t, rows, 1)
		return rows[0]
	}
	stored := fmt.Sprint(made.Load())
	require.Equal(t, stored, count("SELECT count(*) FROM calls"))
	require.Equal(t, stored, count("SELECT count(*) FROM call_events"))
	require.Equal(t, stored, count("SELECT count(*) FROM idempotency_keys"))
	require.Equal(t, stored, count("SELECT count(*) FROM jobs WHERE recording_id <> 'leased'"))
	require.Equal(t, "done", count("SELECT state FROM jobs WHERE recording_id = 'leased'"))
	require.Equal(t, "0", count("SELECT count(*) FROM (SELECT subject FROM audit WHERE action = 'call.created' GROUP BY subject HAVING count(*) > 1) AS twice"))
	report, err := now.VerifyAudit(ctx, "")
	require.NoError(t, err)
	require.Empty(t, report.Faults)
}

// makeCall makes a call under a key of its own, and ends it.
func makeCall(ctx context.Context, db *calldb.DB, id string) error {
	n := storetest.NewCall(id)
	n.IdempotencyKey, n.RequestSHA256, n.StatusCode, n.Response = "key-"+id, "sha", 201, []byte(`{"id":"`+id+`"}`)
	if _, err := db.CreateCall(ctx, n); err != nil {
		return err
	}
	_, err := db.AppendEvent(ctx, "acme", n.Call.ID, calls.Event{ID: "end", Type: calls.EventEnded, Legs: storetest.Spec(id).Legs}, "test", storetest.Defaults())
	return err
}

// TestReplica: lists and reports are read from a standby while it is fit, and from the
// database while it is behind or away; what has just been written is always found.
func TestReplica(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts two servers: not with -short")
	}
	primary := pgtest.Own(t)
	migrated(t, primary.URL)
	standby := primary.Standby(t)
	with := func(maxLag time.Duration) *calldb.DB {
		db, err := calldb.Open(t.Context(), primary.URL, &calldb.Options{ReplicaURL: standby.URL, MaxLag: maxLag})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, db.Close()) })
		return db
	}
	db, strict := with(time.Hour), with(time.Microsecond)
	listed := func(db *calldb.DB) int {
		page, err := db.Calls(t.Context(), "acme", calls.Filter{})
		require.NoError(t, err)
		_, err = db.ReportCalls(t.Context(), &reports.Query{Since: time.Unix(0, 0), Until: time.Unix(3600, 0)})
		require.NoError(t, err)
		return len(page.Calls)
	}
	fit := func(db *calldb.DB) bool {
		r, ok := db.Replica()
		require.True(t, ok)
		return r.Err == nil
	}
	_, ok := open(t, primary.URL).Replica()
	require.False(t, ok)
	require.NoError(t, makeCall(t.Context(), db, "first"))
	require.Eventually(t, func() bool { return listed(db) == 1 && fit(db) }, 10*time.Second, 10*time.Millisecond)

	require.NoError(t, open(t, standby.URL).Exec(t.Context(), "SELECT pg_wal_replay_pause()"))
	require.NoError(t, makeCall(t.Context(), db, "second"))
	require.Equal(t, 1, listed(db), "of the standby, which does not know yet")
	require.True(t, fit(db))
	require.Eventually(t, func() bool { return listed(strict) == 2 && !fit(strict) }, 10*time.Second, 10*time.Millisecond, "of the database")
	_, err := db.Call(t.Context(), "acme", "second")
	require.NoError(t, err)
	page, err := db.Calls(t.Context(), "acme", calls.Filter{IdempotencyKey: "key-second"})
	require.NoError(t, err)
	require.Len(t, page.Calls, 1)
	_, err = db.Calls(t.Context(), "acme", calls.Filter{Before: "garbage"})
	require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))

	standby.Crash()
	require.Equal(t, 2, listed(db), "nobody waits for a replica that is away")
	require.False(t, fit(db))
	standby.Start(t)
	require.Eventually(t, func() bool { return listed(db) == 2 && fit(db) }, 10*time.Second, 10*time.Millisecond, "and it is used again")

	_, err = calldb.Open(t.Context(), "sqlite://"+t.TempDir()+"/x.db", &calldb.Options{ReplicaURL: standby.URL})
	require.ErrorContains(t, err, "has no replica")
}
