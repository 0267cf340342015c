package reporthttp_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel/problem/contracttest"
	"github.com/switchtape/switchtape/callmodel/reports/reporthttp"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// TestRequestsOfTheContract: what the file has is taken, what it doesn't have is refused,
// and every answer is in it.
func TestRequestsOfTheContract(t *testing.T) {
	t.Parallel()
	later := func() time.Time { return time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC) } // than the file's examples
	n := contract(t).Hold(t, reporthttp.New(memdb.New(later), &reporthttp.Options{Now: later}), &contracttest.Setting{Tenant: "acme"})
	t.Logf("%d requests", n)
	assert.Greater(t, n, 50)
}
