package callservice_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// TestDenialsDontFillTheLog: a client that asks for missing calls in a loop leaves
// some lines a minute, and how many more there were.
func TestDenialsDontFillTheLog(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	now := noon
	s := over(db, callservice.Options{Now: func() time.Time { return now }})
	ask := func(subject string, times int) {
		for i := range times {
			s.AccessDenied(t.Context(), callmodel.Principal{TenantID: "acme", Subject: subject}, fmt.Sprint("GET /v1/calls/", i))
		}
	}
	lines := func() []callmodel.AuditEvent {
		list, err := db.AuditEvents(t.Context(), "acme", 0, 1000)
		require.NoError(t, err)
		return list
	}
	ask("loop", 5000)
	assert.Len(t, lines(), 30)
	ask("other", 1)
	assert.Len(t, lines(), 31)
	now = now.Add(time.Minute)
	ask("loop", 1)
	list := lines()
	require.Len(t, list, 32)
	assert.Equal(t, map[string]string{"left_out": "4970"}, list[31].Detail)
}
