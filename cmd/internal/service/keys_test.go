package service_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/keys"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// TestRevokedKeyOnAFleet: of two servers on one PostgreSQL both take a new key at once,
// and both refuse it within a second of its end.
func TestRevokedKeyOnAFleet(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	fleet := make([]*platform, 2)
	for i := range fleet {
		r, err := begin(t, url, service.APIOptions{AuthOptions: service.AuthOptions{DBKeys: true, DBKeysAway: time.Hour}})
		require.NoError(t, err)
		t.Cleanup(r.stop)
		fleet[i] = &platform{running: r}
	}
	db, err := calldb.Open(t.Context(), url, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	for _, p := range fleet {
		p.db = db
	}
	list := operation{method: http.MethodGet, path: "/v1/keys"}
	for range 3 {
		id, secret := fleet[0].key(t, "acme", callmodel.Scopes(), time.Time{})
		for _, p := range fleet {
			require.Equal(t, http.StatusOK, p.do(t, secret, list).Code)
		}
		_, err = db.ChangeKey(t.Context(), keys.Change{TenantID: "acme", ID: id, Action: keys.Revoke})
		require.NoError(t, err)
		revoked := time.Now()
		var slowest time.Duration // answer of the database meanwhile: what a busy machine adds
		for _, p := range fleet {
			for p.do(t, secret, list).Code != http.StatusUnauthorized {
				asked := time.Now()
				_, err := db.Now(t.Context())
				require.NoError(t, err)
				slowest = max(slowest, time.Since(asked))
				require.Less(t, time.Since(revoked), 30*time.Second)
			}
		}
		took := time.Since(revoked)
		t.Logf("refused by both after %v, the database answered within %v", took, slowest)
		assert.Less(t, took, time.Second+4*slowest)
	}
}
