package calldb_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/storetest"
)

// What the end of a job has left is told to be there, and can be left again, once: also of
// one that was set aside and put back, whose events have other keys.
func TestRelink(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		one := func() ledger.Lease {
			leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, TTL: time.Minute})
			require.NoError(t, err)
			require.Len(t, leases, 1)
			return leases[0]
		}
		ids := map[string]callmodel.JobID{}
		for _, key := range []string{"done", "aside", "back", "waits"} {
			id, _, err := db.Enqueue(t.Context(), storetest.Request(key))
			require.NoError(t, err)
			ids[key] = id
			if key != "waits" {
				l := one()
				if key == "done" {
					require.NoError(t, db.Complete(t.Context(), l, storetest.Completed(key)))
					continue
				}
				require.NoError(t, db.Fail(t.Context(), l, ledger.Failure{Cause: "poison", Quarantine: true}))
			}
			if key == "back" {
				require.NoError(t, db.Retry(t.Context(), id, "op"))
				require.NoError(t, db.Complete(t.Context(), one(), storetest.Completed(key)))
			}
		}
		whole := func() {
			t.Helper()
			all, err := db.Linked(t.Context(), "", 10)
			require.NoError(t, err)
			require.Len(t, all, 4)
			for _, l := range all {
				assert.Empty(t, l.Unreadable)
				assert.False(t, l.Untold, l.Key)
				assert.Equal(t, l.Key != "waits", l.Wanted != nil, l.Key)
				assert.Equal(t, l.Key != "waits", l.Entry != nil, l.Key)
			}
		}
		whole()
		for _, id := range ids {
			did, err := db.Relink(t.Context(), id, "op")
			require.NoError(t, err)
			require.False(t, did)
		}
		rest, err := db.Linked(t.Context(), ids["done"], 2)
		require.NoError(t, err)
		require.Len(t, rest, 2)
		require.Equal(t, ids["aside"], rest[0].ID)

		require.NoError(t, db.Exec(t.Context(), "DELETE FROM call_recordings"))
		require.NoError(t, db.Exec(t.Context(), "DELETE FROM outbox WHERE subject IN ('back', 'call-back')"))
		broken, err := db.LinkedOf(t.Context(), "acme", storetest.Spec("back").CallID, "back")
		require.NoError(t, err)
		require.Len(t, broken, 1)
		require.Nil(t, broken[0].Entry)
		for key, id := range ids {
			for _, want := range []bool{key != "waits", false} {
				did, err := db.Relink(t.Context(), id, "op")
				require.NoError(t, err)
				require.Equal(t, want, did, key)
			}
		}
		whole()
		events, err := db.OutboxEvents(t.Context(), 0, 100)
		require.NoError(t, err)
		keys := map[string]int{}
		for _, e := range events {
			keys[e.Key]++
		}
		assert.Equal(t, 1, keys["recording.completed:"+string(ids["back"])+".r1"])
		_, err = db.Relink(t.Context(), "j-none", "op")
		require.Equal(t, callmodel.CodeNotFound, callmodel.CodeOf(err), "%v", err)
		require.NoError(t, db.Exec(t.Context(), "UPDATE jobs SET result = '{' WHERE recording_id = 'done'"))
		_, err = db.Relink(t.Context(), ids["done"], "op")
		require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err), "%v", err)
	})
}
