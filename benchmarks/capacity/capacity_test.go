package capacity_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the database is looked at, too
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/benchmarks/internal/process"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

const rules = `destinations: {gw: {uri: "sip:gw.example.com"}}
rules: [{id: rest, default: true, route: [[{to: gw}]]}]
`

// gateway counts the requests that go to the store, by their method.
type gateway struct {
	put, get, head, other atomic.Int64
}

// before puts itself before the store, and returns the bucket's URL by way of it.
func (g *gateway) before(b *testing.B, bucket string) string {
	b.Helper()
	head, endpoint, ok := strings.Cut(bucket, "&endpoint=")
	require.True(b, ok)
	to, err := url.Parse(endpoint)
	require.NoError(b, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPut, http.MethodPost:
			g.put.Add(1)
		case http.MethodGet:
			g.get.Add(1)
		case http.MethodHead:
			g.head.Add(1)
		default:
			g.other.Add(1)
		}
		proxy.ServeHTTP(w, r)
	}))
	b.Cleanup(srv.Close)
	return head + "&endpoint=" + srv.URL
}

// BenchmarkACall is what calls take that are recorded, each with three events: of the API's
// and the worker's processor time, of the database's tables, and of the store's requests.
//
//	go test -run xxx -bench ACall -benchtime 1x ./benchmarks/capacity
func BenchmarkACall(b *testing.B) {
	calls := 60
	if n, err := strconv.Atoi(os.Getenv("CALLS")); err == nil {
		calls = n
	}
	bin := process.Build(b, "../..", "switchtape", "switchtape-api", "switchtape-worker")
	store := buckettest.S3(b)
	b.Run("unrecorded", func(b *testing.B) {
		for b.Loop() {
			measure(b, bin, store, "", "", time.Minute, calls*10)
		}
	})
	for _, layout := range []string{"mono", "stereo"} {
		for _, codec := range []string{"mp3", "wav", "mulaw", "flac"} {
			for _, length := range []time.Duration{time.Minute, 4 * time.Minute} {
				b.Run(fmt.Sprintf("%s/%s/%s", codec, layout, length), func(b *testing.B) {
					for b.Loop() {
						measure(b, bin, store, codec, layout, length, calls)
					}
				})
			}
		}
	}
}

func measure(b *testing.B, bin string, store *buckettest.Server, codec, layout string, length time.Duration, calls int) {
	b.Helper()
	at, dir := pgtest.URL(b), b.TempDir()
	out, err := exec.CommandContext(b.Context(), filepath.Join(bin, "switchtape"), "migrate", "up", "--db", at).CombinedOutput()
	require.NoError(b, err, "%s", out)
	process.WriteLeg(b, filepath.Join(dir, "agent.wav"), samplecall.Agent(), length)
	process.WriteLeg(b, filepath.Join(dir, "customer.wav"), samplecall.Customer(), length)
	var g gateway
	api := process.Start(b, filepath.Join(bin, "switchtape-api"), rules, "--db", at, "--log-level", "error", "--no-webhooks")
	worker := process.Run(b, filepath.Join(bin, "switchtape-worker"), store.Env, "--db", at, "--bucket", g.before(b, store.URL), "--legs", dir,
		"--queues", "default", "--log-level", "error")
	db, err := sql.Open("pgx", at)
	require.NoError(b, err)
	b.Cleanup(func() { _ = db.Close() })
	done := func(n int) {
		if codec == "" {
			return
		}
		require.Eventually(b, func() bool {
			var left int
			require.NoError(b, db.QueryRowContext(b.Context(), "SELECT count(*) FROM jobs WHERE state = 'done'").Scan(&left))
			return left >= n
		}, time.Minute, 50*time.Millisecond)
	}
	api.Call(b, codec, layout, length) // the first warms all up
	done(1)
	before, apiBefore, workerBefore := sizes(b, db), process.CPU(b, api.Pid), process.CPU(b, worker.Pid)
	dbBefore := process.DatabaseCPU(b, db)
	for _, n := range []*atomic.Int64{&g.put, &g.get, &g.head, &g.other} {
		n.Store(0)
	}
	for range calls {
		api.Call(b, codec, layout, length)
	}
	done(calls + 1)
	each := func(x float64) float64 { return x / float64(calls) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(each(process.CPU(b, api.Pid)-apiBefore)*1e3, "api-ms")
	b.ReportMetric(each(process.CPU(b, worker.Pid)-workerBefore)*1e3, "worker-ms")
	b.ReportMetric(each(float64(g.put.Load())), "puts")
	b.ReportMetric(each(float64(g.get.Load())), "gets")
	b.ReportMetric(each(float64(g.head.Load())), "heads")
	b.ReportMetric(each(float64(g.other.Load())), "other-requests")
	b.ReportMetric(each(process.DatabaseCPU(b, db)-dbBefore)*1e3, "db-ms")
	after := sizes(b, db)
	rows, size := 0, 0.0
	for table, a := range after {
		rows += a.rows - before[table].rows
		size += float64(a.bytes - before[table].bytes)
		if n := a.rows - before[table].rows; n > 0 {
			b.Logf("%s: %.1f rows", table, each(float64(n)))
		}
	}
	b.ReportMetric(each(float64(rows)), "rows")
	b.ReportMetric(each(size), "row-bytes")
	if codec == "" {
		return
	}
	var objects int64
	var results []byte
	require.NoError(b, db.QueryRowContext(b.Context(), "SELECT result FROM jobs LIMIT 1").Scan(&results))
	var r struct {
		Outputs []struct {
			Bytes int64 `json:"bytes"`
		} `json:"outputs"`
		Manifest struct {
			Bytes int64 `json:"bytes"`
		} `json:"manifest"`
	}
	require.NoError(b, json.Unmarshal(results, &r))
	for _, o := range r.Outputs {
		objects += o.Bytes
	}
	b.ReportMetric(float64(objects), "recording-bytes")
	b.ReportMetric(float64(r.Manifest.Bytes), "manifest-bytes")
}

type size struct {
	rows  int
	bytes int64
}

// sizes are the database's tables, with their indexes.
func sizes(b *testing.B, db *sql.DB) map[string]size {
	b.Helper()
	rows, err := db.QueryContext(b.Context(), "SELECT relname::text FROM pg_stat_user_tables")
	require.NoError(b, err)
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var t string
		require.NoError(b, rows.Scan(&t))
		tables = append(tables, t)
	}
	require.NoError(b, rows.Err())
	all := map[string]size{}
	for _, t := range tables {
		var s size
		require.NoError(b, db.QueryRowContext(b.Context(), "SELECT (SELECT count(*) FROM "+t+"), pg_total_relation_size('"+t+"')").Scan(&s.rows, &s.bytes))
		all[t] = s
	}
	return all
}
