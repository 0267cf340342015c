package service_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// gauges are the registry's, by name and labels.
func gauges(t *testing.T, m *ops.Metrics) map[string]float64 {
	t.Helper()
	families, err := m.Registry.Gather()
	require.NoError(t, err)
	all := map[string]float64{}
	for _, f := range families {
		for _, one := range f.GetMetric() {
			name := f.GetName()
			for _, l := range one.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			if g := one.GetGauge(); g != nil {
				all[name] = g.GetValue()
			}
		}
	}
	return all
}

// The metrics tell what became of every call: recorded in time, late and named why, or
// unexplained, which spends the budget.
func TestPromiseMetrics(t *testing.T) {
	t.Parallel()
	db, err := calldb.Open(t.Context(), calldb.SQLiteURL(filepath.Join(t.TempDir(), "a.db")), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	m := ops.NewMetrics()
	look := service.WatchPromise(db, m)
	assert.InDelta(t, -1, gauges(t, m)["switchtape_promise_age_seconds"], 0)

	for i, ago := range []time.Duration{0, 0, 0, 20 * time.Minute} {
		now, err := db.Now(t.Context())
		require.NoError(t, err)
		id := callmodel.CallID(fmt.Sprint("c", i))
		n := storetest.NewCall(string(id))
		n.Call.CreatedAt = now.Add(-ago - time.Minute)
		_, err = db.CreateCall(t.Context(), n)
		require.NoError(t, err)
		for _, ev := range []calls.Event{{ID: "a", Type: calls.EventAnswered, At: n.Call.CreatedAt}, {ID: "b", Type: calls.EventEnded, At: now.Add(-ago)}} {
			_, err = db.AppendEvent(t.Context(), "acme", id, ev, "pbx", storetest.Defaults())
			require.NoError(t, err)
		}
		if i < 3 {
			leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, TTL: time.Minute})
			require.NoError(t, err)
			require.Len(t, leases, 1)
			require.NoError(t, db.Complete(t.Context(), leases[0], storetest.Completed(string(id))))
		}
	}
	_, err = db.CountReports(t.Context())
	require.NoError(t, err)
	look(t.Context())
	got := gauges(t, m)
	assert.InDelta(t, 1, got["switchtape_unexplained_calls"], 0)
	assert.InDelta(t, 3, got["switchtape_promised_calls outcome=recorded window=6h"], 0)
	assert.InDelta(t, 1, got["switchtape_promised_calls outcome=unexplained window=28d"], 0)
	assert.InDelta(t, 0.75, got["switchtape_promise_kept_ratio window=6h"], 1e-9)
	assert.InDelta(t, 250, got["switchtape_promise_burn_rate window=6h"], 1e-6)
	assert.InDelta(t, -249, got["switchtape_promise_budget_left"], 1e-6)
	assert.InDelta(t, 0, got["switchtape_promise_age_seconds"], 0)
}

func TestSoftware(t *testing.T) {
	t.Parallel()
	assert.LessOrEqual(t, len(cli.Software()), 128)
}
