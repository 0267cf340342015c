package calldb_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/reports"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// forget makes a whole pass.
func forget(t *testing.T, db *calldb.DB, r calldb.Retention) (all calldb.Forgotten, steps int) {
	t.Helper()
	for place := (calldb.ForgetPlace{}); !place.Done(); steps++ {
		var gone calldb.Forgotten
		var err error
		place, gone, err = db.Forget(t.Context(), r, place, "retention")
		require.NoError(t, err)
		all.Add(gone)
	}
	return all, steps
}

// TestRetention: what is old goes with all that belongs to it, and what is young, or
// still has something to be done, stays; counts and reports don't change.
func TestRetention(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		ctx := t.Context()
		db := migrated(t, at)
		count := func(table, where string) string {
			rows, err := db.Rows(ctx, "SELECT count(*) FROM "+table+" WHERE "+where)
			require.NoError(t, err)
			return rows[0]
		}
		// 150 that are over, of each of two tenants: more than a step takes.
		create := func(tenant callmodel.TenantID, id string, made time.Time, ended bool) {
			n := storetest.NewCall(id)
			n.Call.TenantID, n.Call.CreatedAt, n.Call.Trunk = tenant, made, "t1"
			n.IdempotencyKey, n.RequestSHA256, n.StatusCode, n.Response = "k-"+id, "sha", 201, []byte("{}")
			_, err := db.CreateCall(ctx, n)
			require.NoError(t, err)
			if ended {
				_, err = db.AppendEvent(ctx, tenant, n.Call.ID, calls.Event{ID: "end", Type: calls.EventEnded, Legs: storetest.Spec(id).Legs}, "test", storetest.Defaults())
				require.NoError(t, err)
			}
		}
		now, err := db.Now(ctx)
		require.NoError(t, err)
		old := now.Add(-48 * time.Hour)
		const each = 150
		for i := range each {
			create("acme", fmt.Sprintf("a-%03d", i), old.Add(time.Duration(i)*time.Second), true)
			create("beta", fmt.Sprintf("b-%03d", i), old, true)
		}
		finish := func() {
			for {
				leases, err := db.Claim(ctx, ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, Limit: 100, TTL: time.Minute})
				require.NoError(t, err)
				if len(leases) == 0 {
					return
				}
				for _, l := range leases {
					require.NoError(t, db.Complete(ctx, l, storetest.Completed(string(l.Job.CallID))))
				}
			}
		}
		_, _, err = db.Enqueue(ctx, storetest.Request("without-call"))
		require.NoError(t, err)
		finish()
		create("acme", "young", now, true)
		finish()
		create("acme", "talking", old, false)
		create("acme", "unfinished", old, true)
		create("acme", "set-aside", old, true)
		_, _, err = db.Enqueue(ctx, storetest.Request("waits-without-call"))
		require.NoError(t, err)
		jobs, err := db.Jobs(ctx, ledger.Filter{State: ledger.Queued, Limit: 10})
		require.NoError(t, err)
		for i := range jobs {
			if jobs[i].CallID == "set-aside" {
				require.NoError(t, db.Quarantine(ctx, jobs[i].ID, "test", "a reason"))
			}
		}
		create("acme", "damaged", old, true)
		finishOf := func(call callmodel.CallID) {
			leases, err := db.Claim(ctx, ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, Limit: 100, TTL: time.Minute})
			require.NoError(t, err)
			for _, l := range leases {
				if l.Job.CallID == call {
					require.NoError(t, db.Complete(ctx, l, storetest.Completed(string(call))))
				} else {
					require.NoError(t, db.Release(ctx, l))
				}
			}
		}
		finishOf("damaged")
		require.NoError(t, db.Exec(ctx, "UPDATE calls SET doc = '{' WHERE id = 'damaged'"))
		require.NoError(t, db.Exec(ctx, "UPDATE jobs SET created_at = created_at - 172800000000 WHERE call_id <> 'young'"))

		got, _ := forget(t, db, calldb.Retention{Calls: 24 * time.Hour})
		require.Zero(t, got.Calls, "the reports wait for all of them")
		for more := true; more; {
			more, err = db.CountReports(ctx)
			if err != nil {
				require.ErrorContains(t, err, "damaged")
			}
		}
		q := &reports.Query{Since: now.Add(-72 * time.Hour), Until: now.Add(time.Hour)}
		before, err := db.ReportCalls(ctx, q)
		require.NoError(t, err)
		stats, err := db.Stats(ctx)
		require.NoError(t, err)

		none, _ := forget(t, db, calldb.Retention{})
		require.Zero(t, none)
		none, _ = forget(t, db, calldb.Retention{Calls: 96 * time.Hour, Answers: time.Hour, Outbox: time.Hour})
		require.Zero(t, none)

		got, steps := forget(t, db, calldb.Retention{Calls: 24 * time.Hour})
		require.Equal(t, calldb.Forgotten{Calls: 2 * each, Jobs: 2 * each}, got, "the job without a call had gone before")
		require.Greater(t, steps, 2*each/128)
		for _, table := range []string{"call_events", "call_recordings", "call_terms", "jobs"} {
			require.Equal(t, "0", count(table, "call_id LIKE 'a-%' OR call_id LIKE 'b-%'"), table)
		}
		for _, id := range []callmodel.CallID{"young", "talking", "unfinished", "set-aside"} {
			c, err := db.Call(ctx, "acme", id)
			require.NoError(t, err, id)
			require.Equal(t, id == "young" || id == "set-aside", len(c.Recordings) == 1 && c.Recordings[0].Status != "", id)
		}
		require.Equal(t, "5", count("calls", "1 = 1"), "and the damaged one")
		require.Equal(t, "1", count("jobs", "call_id = 'waits-without-call'"))
		require.Equal(t, "0", count("jobs", "call_id = 'without-call'"))
		after, err := db.ReportCalls(ctx, q)
		require.NoError(t, err)
		require.Equal(t, before, after)
		left, err := db.Stats(ctx)
		require.NoError(t, err)
		require.Equal(t, stats.Done-2*each, left.Done)
		require.Equal(t, fmt.Sprint(left.Done), count("jobs", "state = 'done'"))
		require.Equal(t, []int64{stats.Queued, stats.Quarantined}, []int64{left.Queued, left.Quarantined})
		lines, err := db.AuditEvents(ctx, "beta", 0, 10_000)
		require.NoError(t, err)
		last := lines[len(lines)-1]
		require.Equal(t, []string{"retention", callmodel.AuditCallsForgotten, "b-128", "22"}, []string{last.Actor, last.Action, last.Subject, last.Detail["calls"]})

		require.NoError(t, db.Exec(ctx, "UPDATE idempotency_keys SET created_at = 0 WHERE idem_key LIKE 'k-a%'"))
		require.NoError(t, db.Exec(ctx, "UPDATE outbox SET at = 0 WHERE id <= (SELECT min(id) + 139 FROM outbox)"))
		answers, told := count("idempotency_keys", "1 = 1"), count("outbox", "1 = 1")
		got, _ = forget(t, db, calldb.Retention{Answers: time.Hour, Outbox: time.Hour})
		require.Equal(t, calldb.Forgotten{Answers: each, Outbox: 140}, got)
		require.NotEqual(t, answers, count("idempotency_keys", "1 = 1"))
		require.NotEqual(t, told, count("outbox", "1 = 1"))
		replay, err := db.Replay(ctx, "beta", "k-b-000", "sha")
		require.NoError(t, err)
		require.NotNil(t, replay, "it is young")
	})
}

// TestRetentionOfTheOutbox: what a reader has still to tell stays, unless it is gone.
func TestRetentionOfTheOutbox(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		for i := range 10 {
			_, _, err := db.Enqueue(t.Context(), storetest.Request(fmt.Sprint("c", i)))
			require.NoError(t, err)
		}
		leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", Limit: 10, TTL: time.Hour})
		require.NoError(t, err)
		for _, l := range leases {
			require.NoError(t, db.Complete(t.Context(), l, storetest.Completed(string(l.Job.CallID))))
		}
		events, err := db.OutboxEvents(t.Context(), 0, 10)
		require.NoError(t, err)
		for name, through := range map[string]int64{"publish": events[3].ID, "webhooks": events[6].ID} {
			r := outbox.Reader{Name: name, Holder: "h"}
			_, err = db.TakeOutbox(t.Context(), r)
			require.NoError(t, err)
			require.NoError(t, db.AdvanceOutbox(t.Context(), r, through))
			require.NoError(t, db.LeaveOutbox(t.Context(), r))
		}
		require.NoError(t, db.Exec(t.Context(), "UPDATE outbox SET at = 0"))
		keep := calldb.Retention{Outbox: time.Hour}
		gone, _ := forget(t, db, keep)
		require.EqualValues(t, 4, gone.Outbox)
		require.NoError(t, db.Exec(t.Context(), "UPDATE outbox_readers SET read_at = 1 WHERE name = 'publish'"))
		gone, _ = forget(t, db, keep)
		require.EqualValues(t, 3, gone.Outbox)
		require.NoError(t, db.Exec(t.Context(), "UPDATE outbox_readers SET read_at = 1"))
		gone, _ = forget(t, db, keep)
		require.EqualValues(t, 3, gone.Outbox)
	})
}

// TestRetentionOfDeliveries: what waits to be delivered stays, with its event; what is
// over goes as the outbox does, and what a deleted webhook leaves goes at once.
func TestRetentionOfDeliveries(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		for _, name := range []string{"a", "b"} {
			_, err := db.CreateWebhook(t.Context(), storetest.NewWebhook(name))
			require.NoError(t, err)
		}
		for i := range 200 {
			_, _, err := db.Enqueue(t.Context(), storetest.Request(fmt.Sprint("c", i)))
			require.NoError(t, err)
		}
		leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", Limit: 200, TTL: time.Hour})
		require.NoError(t, err)
		for _, l := range leases {
			require.NoError(t, db.Complete(t.Context(), l, storetest.Completed(string(l.Job.CallID))))
		}
		r := outbox.Reader{Name: "webhooks", Holder: "h"}
		_, err = db.TakeOutbox(t.Context(), r)
		require.NoError(t, err)
		events, err := db.OutboxEvents(t.Context(), 0, 1000)
		require.NoError(t, err)
		made, err := db.FanOut(t.Context(), r, events)
		require.NoError(t, err)
		require.Equal(t, 400, made)
		require.NoError(t, db.Exec(t.Context(), "UPDATE outbox SET at = 0"))
		keep := calldb.Retention{Outbox: time.Hour}
		gone, _ := forget(t, db, keep)
		require.Zero(t, gone, "all wait")

		_, err = db.ChangeWebhook(t.Context(), webhooks.Change{TenantID: "acme", ID: "wh-b", Delete: true})
		require.NoError(t, err)
		gone, _ = forget(t, db, calldb.Retention{})
		require.Equal(t, calldb.Forgotten{Deliveries: 200}, gone)

		// The 150 oldest still wait: those behind them go all the same.
		require.NoError(t, db.Exec(t.Context(), fmt.Sprintf("UPDATE webhook_deliveries SET state = 'delivered', made_at = 1 WHERE event_id > %d", events[149].ID)))
		gone, _ = forget(t, db, keep)
		require.Equal(t, calldb.Forgotten{Deliveries: 50, Outbox: 50}, gone)
		require.NoError(t, db.Exec(t.Context(), "UPDATE webhook_deliveries SET made_at = 1"))
		gone, _ = forget(t, db, keep)
		require.Equal(t, calldb.Forgotten{Deliveries: 150, Outbox: 150}, gone, "nobody has delivered them for a month")
	})
}

// TestRetentionOfLetters: those that wait stay, however old they are.
func TestRetentionOfLetters(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		for i := range 300 {
			id, _, err := db.KeepLetter(t.Context(), storetest.NewLetter(fmt.Sprint("m", i)))
			require.NoError(t, err)
			if i%3 != 0 {
				_, err = db.SettleLetter(t.Context(), deadletter.Settle{ID: id, State: deadletter.Discarded})
				require.NoError(t, err)
			}
		}
		gone, _ := forget(t, db, calldb.Retention{Letters: time.Hour})
		require.Zero(t, gone)
		require.NoError(t, db.Exec(t.Context(), "UPDATE dead_letters SET at = 1, settled_at = CASE WHEN settled_at > 0 THEN 1 ELSE 0 END"))
		gone, _ = forget(t, db, calldb.Retention{Letters: time.Hour})
		require.Equal(t, calldb.Forgotten{Letters: 200}, gone)
		left, err := db.Letters(t.Context(), deadletter.Filter{Limit: 1000})
		require.NoError(t, err)
		require.Len(t, left, 100)
	})
}

// Calls and jobs that a legal hold is on stay, however old they are, until it is lifted.
func TestRetentionKeepsWhatIsHeld(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		ctx := t.Context()
		db := migrated(t, at)
		for _, id := range []string{"c1", "c2"} {
			n := storetest.NewCall(id)
			n.Call.CreatedAt = time.Now().Add(-48 * time.Hour)
			_, err := db.CreateCall(ctx, n)
			require.NoError(t, err)
			_, err = db.AppendEvent(ctx, "acme", n.Call.ID, calls.Event{ID: "end", Type: calls.EventEnded}, "test", nil)
			require.NoError(t, err)
		}
		for _, id := range []string{"alone", "alone-2"} {
			_, _, err := db.Enqueue(ctx, storetest.Request(id))
			require.NoError(t, err)
		}
		leases, err := db.Claim(ctx, ledger.Claim{Worker: "w", Limit: 9, TTL: time.Minute})
		require.NoError(t, err)
		for _, l := range leases {
			require.NoError(t, db.Complete(ctx, l, storetest.Completed(l.Job.Key)))
		}
		require.NoError(t, db.Exec(ctx, "UPDATE jobs SET created_at = created_at - 172800000000"))
		for range 3 {
			_, err := db.CountReports(ctx)
			require.NoError(t, err)
		}
		var held []retention.HoldID
		for subject, scope := range map[string]retention.HoldScope{"c1": retention.HoldCall, "alone": retention.HoldRecording} {
			h, err := db.PlaceHold(ctx, retention.Hold{TenantID: "acme", Scope: scope, Subject: subject, Reason: "case 7"}, "ann")
			require.NoError(t, err)
			held = append(held, h.ID)
		}
		gone, _ := forget(t, db, calldb.Retention{Calls: 24 * time.Hour})
		require.EqualValues(t, 1, gone.Calls)
		require.EqualValues(t, 1, gone.Jobs)
		_, err = db.Call(ctx, "acme", "c1")
		require.NoError(t, err)
		for _, id := range held {
			_, err := db.LiftHold(ctx, retention.Lift{TenantID: "acme", ID: id, Actor: "bob", Reason: "closed"})
			require.NoError(t, err)
		}
		gone, _ = forget(t, db, calldb.Retention{Calls: 24 * time.Hour})
		require.EqualValues(t, 1, gone.Calls)
		require.EqualValues(t, 1, gone.Jobs)
	})
}
