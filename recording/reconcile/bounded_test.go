package reconcile_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/recording/reconcile/reconciletest"
)

var (
	_ reconcile.Ledger = (*reconciletest.Vast)(nil)
	_ reconcile.Bucket = (*reconciletest.Vast)(nil)
)

// Four times as many objects take no more memory.
func TestMemoryIsBounded(t *testing.T) {
	most := func(n int) (heap uint64) {
		v := &reconciletest.Vast{N: n, Missing: 10_000, Unknown: 15_000}
		r, err := reconcile.Run(t.Context(), v, v, t.TempDir(), &reconcile.Options{SortEntries: 2_000, Kept: func(reconcile.Report) {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			heap = max(heap, m.HeapAlloc)
		}})
		require.NoError(t, err)
		missing, unknown := v.Mismatches()
		assert.Equal(t, map[reconcile.Kind]int64{reconcile.ObjectMissing: missing, reconcile.ObjectUnknown: unknown}, r.Found)
		assert.EqualValues(t, n, r.Jobs)
		assert.Equal(t, int64(n)-missing+unknown, r.Objects)
		return heap
	}
	most(1_000) // what is made once
	few, many := most(30_000), most(120_000)
	t.Logf("heap: %d KiB of 30,000 objects, %d KiB of 120,000", few>>10, many>>10)
	// 90,000 entries would be 20 MiB.
	assert.Less(t, many, few+4<<20)
}
