package ledger_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// begun notes how long after its job was enqueued each attempt begins.
type begun struct {
	mu   sync.Mutex
	made map[string]time.Time // by recording, when Enqueue was called
	took []time.Duration
}

func (b *begun) Process(_ context.Context, s record.Spec, _ *recording.ProcessOptions) (record.Result, error) {
	at := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.took = append(b.took, at.Sub(b.made[string(s.RecordingID)]))
	return record.Result{Status: record.StatusCompleted}, nil
}

// BenchmarkFleet is 300 telephone servers with a worker each, on one PostgreSQL with
// fsync: each worker has as many connections as switchtape-worker, three at most and one
// to listen, and takes the jobs of its own host's queue and of the default one. It reports the connections, what the
// database's processes take of a core while nobody has a job, and how long after
// Enqueue was called a job begins at 81 a second, of which nine of ten are for one host.
// LEDGER_IDLE says how long each of the two is watched, a minute else.
//
//	go test -run xxx -bench BenchmarkFleet -benchtime 1x ./benchmarks/ledger
func BenchmarkFleet(b *testing.B) {
	const hosts, rate = 300, 81
	watch := time.Minute
	if d, err := time.ParseDuration(os.Getenv("LEDGER_IDLE")); err == nil {
		watch = d
	}
	pg := pgtest.Own(b)
	conn, err := pgx.Connect(b.Context(), pg.URL)
	require.NoError(b, err)
	for _, stmt := range []string{"ALTER SYSTEM SET max_connections = 1300", "ALTER SYSTEM SET fsync = on"} {
		_, err = conn.Exec(b.Context(), stmt)
		require.NoError(b, err)
	}
	require.NoError(b, conn.Close(b.Context()))
	pg.Crash()
	pg.Start(b)
	jobs := open(b, pg.URL)
	conn, err = pgx.Connect(b.Context(), pg.URL)
	require.NoError(b, err)
	defer conn.Close(context.WithoutCancel(b.Context()))

	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	seen := &begun{made: map[string]time.Time{}}
	var fleet sync.WaitGroup
	for i := range hosts {
		opts := &worker.Options{Name: fmt.Sprint("pbx-", i), Queues: []string{fmt.Sprint("pbx-", i), ledger.DefaultQueue}, Concurrency: 2}
		db, err := calldb.Open(ctx, pg.URL, &calldb.Options{MaxConns: 3})
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, db.Close()) })
		opts.Doorbell = db
		fleet.Go(func() {
			_ = worker.NewAttendance(db, ledger.Presence{Role: ledger.RoleWorker, Name: opts.Name, Queues: opts.Queues, Kinds: []string{record.Kind}}, nil).Run(ctx)
		})
		fleet.Go(func() { _ = worker.New(db, seen, opts).Run(ctx) })
	}
	time.Sleep(130 * time.Second) // until they are idle, and have closed the connections that they needed to begin
	busy, began := databaseTime(b, pg.URL), time.Now()
	time.Sleep(watch)
	idle := (databaseTime(b, pg.URL) - busy).Seconds() / time.Since(began).Seconds()
	var conns float64
	require.NoError(b, conn.QueryRow(b.Context(), "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'").Scan(&conns))

	var made atomic.Int64
	var asking sync.WaitGroup
	busy, began = databaseTime(b, pg.URL), time.Now()
	for n := 0; time.Since(began) < watch; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*rate); n++ {
			id, queue := fmt.Sprint("r", n), fmt.Sprint("pbx-", n*7919%hosts)
			if n%10 == 0 {
				queue = ledger.DefaultQueue
			}
			asking.Go(func() {
				r := storetest.Request(id)
				r.Queue = queue
				seen.mu.Lock()
				seen.made[id] = time.Now()
				seen.mu.Unlock()
				if _, _, err := jobs.Enqueue(b.Context(), r); err != nil {
					b.Error(err)
				}
				made.Add(1)
			})
		}
	}
	asking.Wait()
	load := (databaseTime(b, pg.URL) - busy).Seconds() / time.Since(began).Seconds()
	require.Eventually(b, func() bool {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		return len(seen.took) >= int(made.Load())
	}, time.Minute, 10*time.Millisecond, "every job begins")
	stop()
	fleet.Wait()
	slices.Sort(seen.took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(conns, "conns")
	b.ReportMetric(idle*100, "idle_%core")
	b.ReportMetric(load*100, "busy_%core")
	b.ReportMetric(float64(len(seen.took)), "jobs")
	b.ReportMetric(float64(seen.took[len(seen.took)/2].Microseconds())/1000, "p50_ms")
	b.ReportMetric(float64(seen.took[len(seen.took)*99/100].Microseconds())/1000, "p99_ms")
}

// databaseTime is the processor's time that the processes of a server on this machine
// have taken so far, those included that have ended.
func databaseTime(b *testing.B, at string) time.Duration {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), at)
	require.NoError(b, err)
	defer conn.Close(context.WithoutCancel(b.Context()))
	var own int
	require.NoError(b, conn.QueryRow(b.Context(), "SELECT pg_backend_pid()").Scan(&own))
	server := field(b, own, 4)
	sum := field(b, server, 14) + field(b, server, 15) + field(b, server, 16) + field(b, server, 17)
	others, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(b, err)
	for _, dir := range others {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err == nil && pid != own && field(b, pid, 4) == server {
			sum += field(b, pid, 14) + field(b, pid, 15)
		}
	}
	return time.Duration(sum) * 10 * time.Millisecond // proc(5): ticks of 1/100 s
}

// field is one of a process's numbers in /proc/PID/stat, by its place in proc(5); 0 of
// one that has ended.
func field(b *testing.B, pid, place int) int {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	behind := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // from the third on
	n, err := strconv.Atoi(string(behind[place-3]))
	require.NoError(b, err)
	return n
}
