//go:build linux

package hangup_test

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the database is looked at, too
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/benchmarks/internal/process"
	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

const rules = `destinations: {gw: {uri: "sip:gw.example.com"}}
rules: [{id: rest, default: true, route: [[{to: gw}]]}]
`

// length is that of every call: two legs of 8 kHz, 16 bit.
const length = 3 * time.Minute

// from is a number of the environment, or n.
func from(b *testing.B, name string, n int) int {
	b.Helper()
	text := os.Getenv(name)
	if text == "" {
		return n
	}
	n, err := strconv.Atoi(text)
	require.NoError(b, err, name)
	return n
}

// fleet is an API and a worker on PostgreSQL with fsync and an S3 server.
type fleet struct {
	at, bin, legs string
	store         *buckettest.Server
	raw           *sql.DB
	db            *calldb.DB
}

func newFleet(b *testing.B) *fleet {
	b.Helper()
	f := &fleet{at: pgtest.URL(b), legs: legs(b, b.TempDir()), store: buckettest.S3(b)}
	pgtest.Durable(b)
	f.bin = process.Build(b, "../..", "switchtape", "switchtape-api", "switchtape-worker")
	out, err := exec.CommandContext(b.Context(), filepath.Join(f.bin, "switchtape"), "migrate", "up", "--db", f.at).CombinedOutput()
	require.NoError(b, err, "%s", out)
	f.raw, err = sql.Open("pgx", f.at)
	require.NoError(b, err)
	b.Cleanup(func() { _ = f.raw.Close() })
	f.db, err = calldb.Open(b.Context(), f.at, &calldb.Options{MaxConns: 16})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, f.db.Close()) })
	return f
}

// legs puts the legs of a call in the directory.
func legs(b *testing.B, dir string) string {
	b.Helper()
	process.WriteLeg(b, filepath.Join(dir, "agent.wav"), samplecall.Agent(), length)
	process.WriteLeg(b, filepath.Join(dir, "customer.wav"), samplecall.Customer(), length)
	return dir
}

func (f *fleet) api(b *testing.B) *process.API {
	b.Helper()
	return process.Start(b, filepath.Join(f.bin, "switchtape-api"), rules, "--db", f.at, "--log-level", "error", "--no-webhooks")
}

func (f *fleet) worker(b *testing.B, args ...string) *process.API {
	b.Helper()
	return process.Run(b, filepath.Join(f.bin, "switchtape-worker"), f.store.Env,
		append([]string{"--db", f.at, "--bucket", f.store.URL, "--legs", f.legs, "--all-legs", "--queues", "default", "--log-level", "error"}, args...)...)
}

func (f *fleet) count(b *testing.B, where string) (n int) {
	b.Helper()
	require.NoError(b, f.raw.QueryRowContext(b.Context(), "SELECT count(*) FROM jobs WHERE "+where).Scan(&n))
	return n
}

// enqueue puts n jobs of the calls' kind in the ledger, of 50 tenants, by 16 at once.
func (f *fleet) enqueue(b *testing.B, name string, n int, codec record.Codec, layout record.Layout, uris ...string) {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				ended := time.Now().UTC()
				s := record.Spec{
					TenantID: callmodel.TenantID(fmt.Sprintf("t%d", i%50)), CallID: callmodel.CallID(fmt.Sprintf("%s-%d", name, i)),
					RecordingID: callmodel.RecordingID(fmt.Sprintf("%s-%d", name, i)), StartedAt: ended.Add(-length), EndedAt: ended,
					Outputs: []record.OutputSpec{{Codec: codec, Layout: layout}},
				}
				for _, uri := range uris {
					s.Legs = append(s.Legs, record.NewLeg(uri, uri+".wav"))
				}
				if _, _, err := f.db.Enqueue(b.Context(), storetest.RequestOf(s)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	require.False(b, b.Failed())
}

// report is how long it took from hang-up to the URL.
func report(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(len(took)), "calls")
	b.ReportMetric(ms(took[len(took)/2]), "p50_ms")
	b.ReportMetric(ms(took[len(took)*99/100]), "p99_ms")
	b.ReportMetric(ms(took[len(took)-1]), "worst_ms")
}

// toURL makes a call and asks every 5 ms for its recording's URL. It returns how long that
// was away after the call was told to have ended.
func toURL(b *testing.B, api *process.API) time.Duration {
	b.Helper()
	id, ended := api.Call(b, "mp3", "mono", length)
	for {
		if api.RecordingURL(b, id) != "" {
			return time.Since(ended)
		}
		require.Less(b, time.Since(ended), 2*time.Minute, "the call has no URL")
		time.Sleep(5 * time.Millisecond)
	}
}

// BenchmarkIdle is how long after hang-up a call of three minutes has its URL while nothing
// else is to be done: one call after another, 50 of them, CALLS for another number. fleet is an
// API and a worker on PostgreSQL and an S3 server, serve one process on SQLite and files.
//
//	CALLS=500 go test -run xxx -bench Idle -benchtime 1x -timeout 1h ./benchmarks/hangup
func BenchmarkIdle(b *testing.B) {
	run := func(b *testing.B, api *process.API) {
		b.Helper()
		toURL(b, api) // the first warms all up
		var took []time.Duration
		for range from(b, "CALLS", 50) {
			time.Sleep(50 * time.Millisecond)
			took = append(took, toURL(b, api))
		}
		report(b, took)
	}
	b.Run("fleet", func(b *testing.B) {
		f := newFleet(b)
		api := f.api(b)
		f.worker(b)
		run(b, api)
	})
	b.Run("serve", func(b *testing.B) {
		bin, dir := process.Build(b, "../..", "switchtape"), b.TempDir()
		api := process.Start(b, filepath.Join(bin, "switchtape"), rules, "serve", "--dir", dir, "--legs", legs(b, b.TempDir()), "--log-level", "error")
		run(b, api)
	})
}

// fresh is for how long jobs are fresh: those of the last ten seconds take turns with a call
// that has just ended, and are no backlog.
const fresh = 11 * time.Second

// BenchmarkBacklog is how long after hang-up a fresh call of three minutes has its URL while
// 20,000 recordings wait, and 10,000 besides for legs that don't come: WAITING and LEGLESS for
// other numbers. A call comes every second, 20 of them, CALLS for another number.
//
//	go test -run xxx -bench Backlog -benchtime 1x -timeout 1h ./benchmarks/hangup
func BenchmarkBacklog(b *testing.B) {
	f := newFleet(b)
	waiting, legless := from(b, "WAITING", 20_000), from(b, "LEGLESS", 10_000)
	f.enqueue(b, "legless", legless, record.CodecMP3, record.LayoutMono, "none")
	api := f.api(b)
	f.worker(b)
	require.Eventually(b, func() bool { return f.count(b, "reason = 'legs_missing' OR published = 1") == legless }, 5*time.Minute, 100*time.Millisecond,
		"the legs of each are looked for; after a minute it is told that the recording is absent, and they are followed")
	f.enqueue(b, "waiting", waiting, record.CodecMP3, record.LayoutMono, "agent", "customer")
	time.Sleep(fresh)
	var took []time.Duration
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for range from(b, "CALLS", 20) {
		<-tick.C
		took = append(took, toURL(b, api))
	}
	left := f.count(b, "state <> 'done' AND recording_id LIKE 'waiting%'")
	require.Positive(b, left, "there is a backlog to the end")
	report(b, took)
	b.ReportMetric(float64(left), "waiting")
	b.ReportMetric(float64(f.count(b, "state = 'queued' AND recording_id LIKE 'legless%'")), "legless")
}
