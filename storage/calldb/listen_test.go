package calldb_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// listening is a listener of the queue pbx-1: rang gets a value for each ring, the first
// one for the beginning, and ended the error with which it ends.
func listening(t *testing.T, db *calldb.DB) (rang chan struct{}, ended chan error, stop context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	rang, ended = make(chan struct{}, 100), make(chan error, 1)
	go func() { ended <- db.Listen(ctx, []string{"pbx-1"}, func() { rang <- struct{}{} }) }()
	awaited(t, rang)
	return rang, ended, cancel
}

func awaited[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(30 * time.Second):
		require.FailNow(t, "it never came")
	}
	return v
}

// What makes a job run rings at those who serve its queue, when it is committed.
func TestListen(t *testing.T) {
	t.Parallel()
	at := migratedPostgres(t)
	rang, ended, stop := listening(t, open(t, at))
	// Each time by another process: one process rings once for what comes in a row.
	ringing := func(what string, do func(db *calldb.DB) error) {
		t.Helper()
		require.NoError(t, do(open(t, at)), what)
		awaited(t, rang)
	}
	enqueue := func(db *calldb.DB, id, queue string) (callmodel.JobID, error) {
		r := storetest.Request(id)
		r.Queue = queue
		job, _, err := db.Enqueue(t.Context(), r)
		return job, err
	}
	var id callmodel.JobID
	ringing("enqueue", func(db *calldb.DB) (err error) {
		_, err = enqueue(db, "other", "pbx-2") // of another queue it says nothing
		require.NoError(t, err)
		id, err = enqueue(db, "c1", "pbx-1")
		return err
	})
	require.Empty(t, rang)
	ringing("release", func(db *calldb.DB) error {
		leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", Queues: []string{"pbx-1"}})
		require.NoError(t, err)
		require.Len(t, leases, 1)
		return db.Release(t.Context(), leases[0])
	})
	ringing("move", func(db *calldb.DB) error {
		require.NoError(t, db.Quarantine(t.Context(), id, "ann", "x"))
		_, err := db.Move(t.Context(), []callmodel.JobID{id}, "pbx-2", "ann")
		require.NoError(t, err)
		_, err = db.Move(t.Context(), []callmodel.JobID{id}, "pbx-1", "ann")
		return err
	})
	ringing("retry", func(db *calldb.DB) error { return db.Retry(t.Context(), id, "ann") })
	require.Empty(t, rang, "once each")
	stop()
	require.ErrorIs(t, awaited(t, ended), context.Canceled)
}

// A burst of jobs rings a few times, not once for each, for every NOTIFY wakes the
// connections of all listeners; and who asks when it is rung, and never else, finds all.
func TestListenBurst(t *testing.T) {
	t.Parallel()
	const n = 200
	at := migratedPostgres(t)
	rang, _, _ := listening(t, open(t, at))
	db := open(t, at)
	began := time.Now()
	enqueued := make(chan struct{})
	go func() {
		defer close(enqueued)
		for i := range n {
			r := storetest.Request(fmt.Sprint("c", i))
			r.Queue = "pbx-1"
			if _, _, err := db.Enqueue(t.Context(), r); err != nil {
				t.Error(err)
			}
		}
	}()
	rings := 0
	for found := 0; found < n; rings++ {
		awaited(t, rang)
		leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", Limit: n, TTL: time.Hour})
		require.NoError(t, err)
		found += len(leases)
	}
	<-enqueued
	require.LessOrEqual(t, rings, int(time.Since(began)/(50*time.Millisecond))+2)
}

// A listener whose connection ends says so, so that it is begun anew.
func TestListenLost(t *testing.T) {
	t.Parallel()
	at := migratedPostgres(t)
	db := open(t, at)
	_, ended, _ := listening(t, db)
	require.NoError(t, db.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"))
	err := awaited(t, ended)
	require.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
	listening(t, db)
}

func TestListenOnSQLite(t *testing.T) {
	t.Parallel()
	err := migrated(t, sqliteURL(t)).Listen(t.Context(), nil, func() { t.Error("rung") })
	require.Equal(t, callmodel.CodeUnsupported, callmodel.CodeOf(err), "%v", err)
}
