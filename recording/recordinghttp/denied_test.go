package recordinghttp_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/recordinghttp"
)

// A client that asks for missing jobs in a loop leaves some lines a minute in the
// audit log, and how many more there were.
func TestDenialsDontFillTheLog(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := &service{db: openDB(t)}
	s.h = recordinghttp.New(s.db, &recordinghttp.Options{Now: func() time.Time { return now }})
	ask := func(from, to int) {
		for i := from; i < to; i++ {
			w := s.do(t, as(reads(), "acme"), http.MethodGet, fmt.Sprintf("/v1/recordings/jobs/j%012d-00000000", i), "", nil)
			require.Equal(t, http.StatusNotFound, w.Code)
		}
	}
	ask(0, 200)
	audit, err := s.db.AuditEvents(t.Context(), "acme", 0, 1000)
	require.NoError(t, err)
	assert.Len(t, audit, 30)
	now = now.Add(time.Minute)
	ask(200, 201)
	audit, err = s.db.AuditEvents(t.Context(), "acme", 0, 1000)
	require.NoError(t, err)
	require.Len(t, audit, 31)
	assert.Equal(t, map[string]string{"left_out": "170"}, audit[30].Detail)
}
