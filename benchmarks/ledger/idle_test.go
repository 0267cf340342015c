package ledger_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

type idle struct{}

func (idle) Process(context.Context, record.Spec, *recording.ProcessOptions) (record.Result, error) {
	return record.Result{}, nil
}

// BenchmarkIdleFleet is what 20 workers cost PostgreSQL that have nothing to do:
// transactions a second and connections, for each. It watches them for a minute,
// LEDGER_IDLE for another time.
//
//	go test -run xxx -bench IdleFleet -benchtime 1x ./benchmarks/ledger
func BenchmarkIdleFleet(b *testing.B) {
	const workers = 20
	watch := time.Minute
	if d, err := time.ParseDuration(os.Getenv("LEDGER_IDLE")); err == nil {
		watch = d
	}
	for name, listen := range map[string]bool{"polling": false, "listening": true} {
		b.Run(name, func(b *testing.B) {
			at := pgtest.URL(b)
			open(b, at)
			ctx, cancel := context.WithCancel(b.Context())
			var wg sync.WaitGroup
			for i := range workers {
				opts, conns := &worker.Options{Name: fmt.Sprint(i), Concurrency: 2}, 8
				if listen {
					conns = 3
				}
				db, err := calldb.Open(ctx, at, &calldb.Options{MaxConns: conns})
				require.NoError(b, err)
				b.Cleanup(func() { require.NoError(b, db.Close()) })
				if listen {
					opts.Doorbell = db
					wg.Go(func() {
						_ = worker.NewAttendance(db, ledger.Presence{Role: ledger.RoleWorker, Name: opts.Name}, nil).Run(ctx)
					})
				}
				wg.Go(func() { _ = worker.New(db, idle{}, opts).Run(ctx) })
			}
			conn, err := pgx.Connect(b.Context(), at)
			require.NoError(b, err)
			defer conn.Close(b.Context())
			count := func(query string) (n float64) {
				require.NoError(b, conn.QueryRow(b.Context(), query).Scan(&n))
				return n
			}
			const done = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
			time.Sleep(watch / 2) // until they are idle
			before, began := count(done), time.Now()
			time.Sleep(watch)
			b.ReportMetric((count(done)-before)/time.Since(began).Seconds()/workers, "transactions/s/worker")
			b.ReportMetric(count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")/workers, "conns/worker")
			cancel()
			wg.Wait()
		})
	}
}
