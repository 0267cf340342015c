package service_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/storetest"
)

// TestForgetOld: a pass takes out what the options name and nothing else; times that
// nobody means are refused.
func TestForgetOld(t *testing.T) {
	t.Parallel()
	db, err := service.OpenDB(t.Context(), service.DBOptions{DB: service.SQLiteURL(t.TempDir())}, true)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	for i, id := range []string{"old", "young"} {
		n := storetest.NewCall(id)
		n.Call.State, n.Call.CreatedAt = calls.Failed, time.Now().Add(-time.Duration(1-i)*48*time.Hour)
		_, err := db.CreateCall(t.Context(), n)
		require.NoError(t, err)
	}
	for more := true; more; {
		more, err = db.CountReports(t.Context())
		require.NoError(t, err)
	}
	gone, err := service.ForgetOnce(t.Context(), db, service.RetentionOptions{KeepCalls: 24 * time.Hour, KeepAudit: time.Hour})
	require.NoError(t, err)
	require.EqualValues(t, 1, gone)
	page, err := db.Calls(t.Context(), "acme", calls.Filter{})
	require.NoError(t, err)
	require.Len(t, page.Calls, 1)
	require.EqualValues(t, "young", page.Calls[0].ID)

	err = service.ValidRetention(service.RetentionOptions{KeepCalls: 30, KeepAudit: -time.Hour})
	require.ErrorContains(t, err, "--keep-calls: is 30ns; give at least 1h0m0s")
	require.ErrorContains(t, err, "--keep-audit")
	require.NoError(t, service.ValidRetention(service.RetentionOptions{KeepCalls: time.Hour}))
}
