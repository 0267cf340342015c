package calldb_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// TestCallsComeTogether: calls that come at the same time at two processes are each
// stored once, with their key, their terms and one line of the audit log, by few
// transactions.
func TestCallsComeTogether(t *testing.T) {
	t.Parallel()
	at := migratedPostgres(t)
	dbs := []*calldb.DB{open(t, at), open(t, at)}
	const n = 600
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			c := storetest.NewCall(fmt.Sprint("c", i))
			c.Call.Metadata = map[string]string{"n": strconv.Itoa(i % 7)}
			if i%2 == 0 {
				c.IdempotencyKey, c.RequestSHA256, c.StatusCode, c.Response = fmt.Sprint("k", i), "sha", 201, []byte{byte(i), 0}
			}
			replay, err := dbs[i%len(dbs)].CreateCall(t.Context(), c)
			assert.NoError(t, err)
			assert.Nil(t, replay)
		})
	}
	wg.Wait()
	db := dbs[0]
	rows := func(query string) int {
		t.Helper()
		list, err := db.Rows(t.Context(), query)
		require.NoError(t, err)
		require.Len(t, list, 1)
		count, err := strconv.Atoi(list[0])
		require.NoError(t, err)
		return count
	}
	assert.Equal(t, n, rows("SELECT count(*) FROM calls"))
	assert.Equal(t, n, rows("SELECT count(DISTINCT subject) FROM audit WHERE action = '"+callmodel.AuditCallCreated+"'"))
	assert.Equal(t, n, rows("SELECT count(*) FROM audit"))
	assert.Equal(t, n/2, rows("SELECT count(*) FROM idempotency_keys"))
	assert.Less(t, rows("SELECT count(DISTINCT xmin::text) FROM calls"), n/2, "transactions")
	page, err := db.Calls(t.Context(), "acme", calls.Filter{Metadata: map[string]string{"n": "3"}, Limit: n})
	require.NoError(t, err)
	assert.Len(t, page.Calls, (n+3)/7)
	for i := 0; i < n; i += 2 {
		c := storetest.NewCall(fmt.Sprint("other", i))
		c.IdempotencyKey, c.RequestSHA256 = fmt.Sprint("k", i), "sha"
		replay, err := db.CreateCall(t.Context(), c)
		require.NoError(t, err)
		require.Equal(t, &calls.StoredResponse{StatusCode: 201, Body: []byte{byte(i), 0}}, replay)
	}
	assert.Equal(t, n, rows("SELECT count(*) FROM calls"))
}

// TestOneOfThoseThatComeTogether: of many that have one id or one key one is stored, and
// what is wrong with one is none of the others' business.
func TestOneOfThoseThatComeTogether(t *testing.T) {
	t.Parallel()
	at := migratedPostgres(t)
	dbs := []*calldb.DB{open(t, at), open(t, at)}
	for round := range 20 {
		id, key := fmt.Sprint("same", round), fmt.Sprint("key", round)
		var mu sync.Mutex
		var made, taken, keyed, replayed, mismatched, wrong int
		var wg sync.WaitGroup
		each := func(i int, c calls.NewCall, count func(replay *calls.StoredResponse, err error)) {
			wg.Go(func() {
				replay, err := dbs[i%len(dbs)].CreateCall(t.Context(), c)
				mu.Lock()
				defer mu.Unlock()
				count(replay, err)
			})
		}
		for i := range 8 {
			each(i, storetest.NewCall(id), func(_ *calls.StoredResponse, err error) {
				if err == nil {
					made++
				} else if assert.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err), "%v", err) {
					taken++
				}
			})
			c := storetest.NewCall(fmt.Sprint(key, "-", i))
			c.IdempotencyKey, c.RequestSHA256, c.StatusCode, c.Response = key, "sha", 201, []byte("first")
			each(i, c, func(replay *calls.StoredResponse, err error) {
				if assert.NoError(t, err) && replay == nil {
					keyed++
				} else if assert.Equal(t, &calls.StoredResponse{StatusCode: 201, Body: []byte("first")}, replay) {
					replayed++
				}
			})
			c = storetest.NewCall(fmt.Sprint("wrong", round, "-", i))
			c.Call.State = "\x00"
			each(i, c, func(_ *calls.StoredResponse, err error) {
				assert.Error(t, err)
				wrong++
			})
			each(i, storetest.NewCall(fmt.Sprint("fine", round, "-", i)), func(_ *calls.StoredResponse, err error) { assert.NoError(t, err) })
		}
		wg.Wait()
		other := storetest.NewCall(fmt.Sprint("another", round))
		other.IdempotencyKey, other.RequestSHA256 = key, "another"
		if _, err := dbs[0].CreateCall(t.Context(), other); assert.ErrorIs(t, err, callmodel.ErrIdempotencyMismatch) {
			mismatched++
		}
		require.Equal(t, []int{1, 7, 1, 7, 1, 8}, []int{made, taken, keyed, replayed, mismatched, wrong})
		calls, err := dbs[0].Rows(t.Context(), "SELECT count(*) FROM calls")
		require.NoError(t, err)
		require.Equal(t, []string{strconv.Itoa((round + 1) * 10)}, calls)
	}
}

// TestWaitingTogether: while the database keeps everybody waiting, one who gives up is
// answered, and nothing of it is stored; the others are stored once it goes on. A few go
// beside the first, which may be waiting for something of its own.
func TestWaitingTogether(t *testing.T) {
	t.Parallel()
	at := migratedPostgres(t)
	db, other := open(t, at), open(t, at)
	unlock := other.Lock(t, "calls")
	var wg sync.WaitGroup
	for i := range 4 { // as many as may be on their way
		wg.Go(func() {
			_, err := db.CreateCall(t.Context(), storetest.NewCall(fmt.Sprint("first", i)))
			assert.NoError(t, err)
		})
		require.Eventually(t, func() bool {
			list, err := other.Rows(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
			return err == nil && list[0] == fmt.Sprint(i+1)
		}, 30*time.Second, 5*time.Millisecond)
	}
	gone, giveUp := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := db.CreateCall(gone, storetest.NewCall("gone"))
		left <- err
	}()
	wg.Go(func() {
		_, err := db.CreateCall(t.Context(), storetest.NewCall("stays"))
		assert.NoError(t, err)
	})
	giveUp()
	require.ErrorIs(t, awaited(t, left), context.Canceled)
	unlock()
	wg.Wait()
	list, err := db.Rows(t.Context(), "SELECT id FROM calls ORDER BY id")
	require.NoError(t, err)
	assert.Equal(t, []string{"first0", "first1", "first2", "first3", "stays"}, list)
}
