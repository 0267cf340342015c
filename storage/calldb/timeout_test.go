package calldb_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// A statement that the database doesn't answer ends at the caller's deadline, or,
// if there is none, at Options.Timeout, and leaves the connections fit for use.
func TestCallsEnd(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	at := pgtest.URL(t)
	holder := migrated(t, at)
	db, err := calldb.Open(t.Context(), at, &calldb.Options{Timeout: 2 * time.Second, MaxConns: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	unlock := holder.Lock(t, "jobs")
	brief := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	for name, call := range map[string]func(context.Context) error{
		"read": func(ctx context.Context) error { _, err := db.Jobs(ctx, ledger.Filter{}); return err },
		"write": func(ctx context.Context) error {
			_, _, err := db.Enqueue(ctx, storetest.Request("c1"))
			return err
		},
	} {
		for range 4 { // more often than there are connections
			require.ErrorIs(t, call(brief()), context.DeadlineExceeded, name)
		}
		err := call(t.Context())
		require.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%s: %v", name, err)
		require.ErrorContains(t, err, "did not answer within 2s")
	}
	unlock()
	_, created, err := db.Enqueue(t.Context(), storetest.Request("c1"))
	require.NoError(t, err)
	require.True(t, created, "what was given up was not done")
}
