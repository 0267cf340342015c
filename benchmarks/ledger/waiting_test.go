package ledger_test

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/storetest"
)

// BenchmarkLedgerWhileManyWait takes b.N jobs through claim and completion as
// BenchmarkLedger does, while 100,000 of 100 tenants wait, LEDGER_WAITING for another
// number. b.N must be less.
func BenchmarkLedgerWhileManyWait(b *testing.B) {
	waiting := 100_000
	if n, err := strconv.Atoi(os.Getenv("LEDGER_WAITING")); err == nil {
		waiting = n
	}
	for name, at := range databases() {
		b.Run(name, func(b *testing.B) {
			require.Less(b, b.N, waiting)
			if b.N == 1 {
				return // the first round only measures; it isn't worth the jobs
			}
			db := open(b, at(b))
			share(b, waiting, 16, func(i int) error {
				s := storetest.Spec(fmt.Sprintf("c%d", i))
				s.TenantID = callmodel.TenantID(fmt.Sprintf("t%d", i%100))
				_, _, err := db.Enqueue(b.Context(), storetest.RequestOf(s))
				return err
			})
			var begun atomic.Int64
			outcome := storetest.Completed("c")
			b.ReportAllocs()
			b.ResetTimer()
			share(b, 16, 16, func(w int) error {
				for begun.Add(20) <= int64(b.N) {
					leases, err := db.Claim(b.Context(), ledger.Claim{
						Worker: fmt.Sprint(w), Kinds: []string{record.Kind}, Queues: []string{ledger.DefaultQueue}, Limit: 20, TTL: time.Hour,
					})
					if err != nil {
						return err
					}
					for _, l := range leases {
						if err := db.Complete(b.Context(), l, outcome); err != nil {
							return err
						}
					}
				}
				return nil
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}
