package worker_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// A worker that listens on PostgreSQL runs a job when it is there, when its time has
// come again, and after its connection was lost: it would ask by itself in an hour.
func TestDoorbellOnPostgreSQL(t *testing.T) {
	t.Parallel()
	at := pgtest.URL(t)
	openDB := func() *calldb.DB {
		db, err := calldb.Open(t.Context(), at, nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return db
	}
	db := openDB()
	_, err := db.Migrate(t.Context())
	require.NoError(t, err)
	finished := make(chan worker.Report, 10)
	o := options()
	o.Poll, o.IdlePoll, o.Doorbell = time.Hour, 2*time.Hour, db
	o.Finished = func(r worker.Report) { finished <- r }
	var late atomic.Bool
	start(t, worker.New(db, processorFunc(func(_ context.Context, s record.Spec, _ bool) (record.Result, error) {
		if s.CallID == "late" && !late.Swap(true) {
			return record.Result{}, callmodel.RetryAfter(errors.New("not yet"), 20*time.Millisecond)
		}
		return made, nil
	}), o))
	next := func(id string, want worker.Outcome) {
		t.Helper()
		select {
		case r := <-finished:
			require.Equal(t, callmodel.CallID(id), r.Job.CallID)
			require.Equal(t, want, r.Outcome, "%v", r.Err)
		case <-time.After(time.Minute):
			require.FailNow(t, "nobody told the worker", id)
		}
	}
	hand := func(id string) {
		t.Helper()
		_, _, err := openDB().Enqueue(t.Context(), storetest.RequestOf(spec(id)))
		require.NoError(t, err)
	}
	for _, id := range []string{"first", "second", "third"} {
		hand(id)
		next(id, worker.Done)
	}
	hand("late")
	next("late", worker.Waiting)
	next("late", worker.Done)

	killer, err := pgx.Connect(t.Context(), at)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, killer.Close(context.WithoutCancel(t.Context()))) })
	var ended int
	require.NoError(t, killer.QueryRow(t.Context(), `SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE query LIKE 'LISTEN%' AND datname = current_database()) AS ended`).Scan(&ended))
	require.Equal(t, 1, ended)
	hand("while-deaf")
	next("while-deaf", worker.Done)
	hand("after-that")
	next("after-that", worker.Done)
}

// counted is a ledger that counts the claims.
type counted struct {
	*memdb.Store
	claims atomic.Int64
}

func (c *counted) Claim(ctx context.Context, r ledger.Claim) ([]ledger.Lease, error) {
	c.claims.Add(1)
	return c.Store.Claim(ctx, r)
}

// bell is a doorbell that tests ring, and break.
type bell struct{ rings, breaks chan struct{} }

func (b bell) Listen(ctx context.Context, _ []string, rung func()) error {
	rung()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-b.breaks:
			return errors.New("broken")
		case <-b.rings:
			rung()
		}
	}
}

// mute is a doorbell that never rings.
type mute struct{}

func (mute) Listen(context.Context, []string, func()) error {
	return callmodel.Errorf(callmodel.CodeUnsupported, "there is none")
}

// An idle worker that listens hardly asks.
func TestIdleWorkersHardlyAsk(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		doorbell    worker.Doorbell
		least, most int64 // claims in ten minutes
	}{
		"no doorbell":      {nil, 1900, 3300},
		"one that is mute": {mute{}, 1900, 3300},
		"listening":        {bell{make(chan struct{}), make(chan struct{})}, 24, 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if b, ok := c.doorbell.(bell); ok {
					b.rings, b.breaks = make(chan struct{}), make(chan struct{})
					c.doorbell = b
				}
				l := &counted{Store: memdb.New(nil)}
				o := options()
				o.Poll, o.Doorbell = 0, c.doorbell
				stop := start(t, worker.New(l, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) { return made, nil }), o))
				time.Sleep(10 * time.Minute)
				n := l.claims.Load()
				require.GreaterOrEqual(t, n, c.least)
				require.LessOrEqual(t, n, c.most)
				if b, ok := c.doorbell.(bell); ok {
					b.rings <- struct{}{}
					synctest.Wait()
					require.Equal(t, n+1, l.claims.Load(), "rung, it asks at once")
					time.Sleep(10 * time.Second)
					require.Equal(t, n+1, l.claims.Load(), "and not again soon: every job rings")
					b.breaks <- struct{}{}
					synctest.Wait()
					require.Equal(t, n+2, l.claims.Load(), "deaf, it asks at once")
					time.Sleep(600 * time.Millisecond)
					require.GreaterOrEqual(t, l.claims.Load(), n+3, "and as often as without")
					time.Sleep(time.Minute)
					n = l.claims.Load()
					time.Sleep(time.Minute)
					require.Less(t, l.claims.Load(), n+8, "it listens again")
				}
				stop()
			})
		})
	}
}
