package calldb_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/shares"
	"github.com/switchtape/switchtape/storage/storetest"
)

// TestSharesAreForgotten: a share that expired long ago goes, with who has opened it, when
// another is made.
func TestSharesAreForgotten(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		for _, name := range []string{"old", "new"} {
			n, token := storetest.NewShare(name)
			_, err := db.CreateShare(t.Context(), n)
			require.NoError(t, err)
			_, err = db.OpenShare(t.Context(), shares.Opening{Hash: token.Hash(), Client: "x"})
			require.NoError(t, err)
		}
		long := time.Now().Add(-shares.KeepEnded - time.Hour).UnixMicro()
		require.NoError(t, db.Exec(t.Context(), fmt.Sprintf("UPDATE recording_shares SET expires_at = %d WHERE id = 'sh-old'", long)))
		n, _ := storetest.NewShare("another")
		_, err := db.CreateShare(t.Context(), n)
		require.NoError(t, err)
		_, err = db.Share(t.Context(), "acme", "sh-old")
		require.ErrorIs(t, err, callmodel.ErrNotFound)
		all, err := db.Shares(t.Context(), "acme", shares.Filter{})
		require.NoError(t, err)
		require.Len(t, all, 2)
		// Who opened it isn't known any more either: the client of the same id begins anew.
		n, token := storetest.NewShare("old")
		_, err = db.CreateShare(t.Context(), n)
		require.NoError(t, err)
		opened, err := db.OpenShare(t.Context(), shares.Opening{Hash: token.Hash(), Client: "x"})
		require.NoError(t, err)
		require.True(t, opened.Fresh)
	})
}
