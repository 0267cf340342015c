package capacity_test

import (
	"bytes"
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
	"syscall"
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

// cpu is the time that a process has used, user and system, in seconds.
func cpu(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(b, err)
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	total := 0
	for _, f := range fields[11:13] {
		ticks, err := strconv.Atoi(f)
		require.NoError(b, err)
		total += ticks
	}
	return float64(total) / 100
}

// databaseCPU is what PostgreSQL has used, with all its processes, in seconds.
func databaseCPU(b *testing.B, db *sql.DB) float64 {
	b.Helper()
	var backend int
	require.NoError(b, db.QueryRowContext(b.Context(), "SELECT pg_backend_pid()").Scan(&backend))
	fields := func(pid string) []int {
		text, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		if err != nil {
			return nil // it has ended
		}
		var numbers []int
		for _, f := range strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))[1:] {
			n, _ := strconv.Atoi(f)
			numbers = append(numbers, n)
		}
		return numbers
	}
	server := fields(strconv.Itoa(backend))[0]
	all, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(b, err)
	ticks := 0
	for _, dir := range all {
		pid := filepath.Base(dir)
		switch f := fields(pid); {
		case len(f) < 14:
		case pid == strconv.Itoa(server):
			ticks += f[10] + f[11] + f[12] + f[13] // and its children's that have ended
		case f[0] == server:
			ticks += f[10] + f[11]
		}
	}
	return float64(ticks) / 100
}

// lengthen writes a leg of 8 kHz, 16 bit: the sample call's, again and again.
func lengthen(b *testing.B, path string, leg []byte, length time.Duration) {
	b.Helper()
	const header = 44
	samples, want := leg[header:], int(length.Seconds()*16000)
	audio := bytes.Repeat(samples, want/len(samples)+1)[:want]
	h := bytes.Clone(leg[:header])
	for at, n := range map[int]int{4: want + header - 8, 40: want} {
		h[at], h[at+1], h[at+2], h[at+3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
	}
	require.NoError(b, os.WriteFile(path, append(h, audio...), 0o600))
}

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
	lengthen(b, filepath.Join(dir, "agent.wav"), samplecall.Agent(), length)
	lengthen(b, filepath.Join(dir, "customer.wav"), samplecall.Customer(), length)
	var g gateway
	api := process.Start(b, filepath.Join(bin, "switchtape-api"), rules, "--db", at, "--log-level", "error", "--no-webhooks")
	worker := exec.CommandContext(b.Context(), filepath.Join(bin, "switchtape-worker"), "--db", at, "--bucket", g.before(b, store.URL), "--legs", dir,
		"--queues", "default", "--listen", process.Address(b), "--log-level", "error")
	worker.Env = append(os.Environ(), store.Env...)
	var log bytes.Buffer
	worker.Stdout, worker.Stderr = &log, &log
	require.NoError(b, worker.Start())
	b.Cleanup(func() {
		_ = worker.Process.Signal(syscall.SIGTERM)
		_ = worker.Wait()
	})
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
		}, time.Minute, 50*time.Millisecond, "%s", &log)
	}
	call(b, api.URL, codec, layout, length) // the first warms all up
	done(1)
	before, apiBefore, workerBefore := sizes(b, db), cpu(b, api.Pid), cpu(b, worker.Process.Pid)
	dbBefore := databaseCPU(b, db)
	for _, n := range []*atomic.Int64{&g.put, &g.get, &g.head, &g.other} {
		n.Store(0)
	}
	for range calls {
		call(b, api.URL, codec, layout, length)
	}
	done(calls + 1)
	each := func(x float64) float64 { return x / float64(calls) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(each(cpu(b, api.Pid)-apiBefore)*1e3, "api-ms")
	b.ReportMetric(each(cpu(b, worker.Process.Pid)-workerBefore)*1e3, "worker-ms")
	b.ReportMetric(each(float64(g.put.Load())), "puts")
	b.ReportMetric(each(float64(g.get.Load())), "gets")
	b.ReportMetric(each(float64(g.head.Load())), "heads")
	b.ReportMetric(each(float64(g.other.Load())), "other-requests")
	b.ReportMetric(each(databaseCPU(b, db)-dbBefore)*1e3, "db-ms")
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

// call makes a call of that length, and ends it.
func call(b *testing.B, api, codec, layout string, length time.Duration) {
	b.Helper()
	post := func(path, body string) []byte {
		resp, err := http.Post(api+path, "application/json", strings.NewReader(body))
		require.NoError(b, err)
		defer resp.Body.Close()
		var text bytes.Buffer
		_, err = text.ReadFrom(resp.Body)
		require.NoError(b, err)
		require.Less(b, resp.StatusCode, 300, "%s", &text)
		return text.Bytes()
	}
	var made struct {
		ID string `json:"id"`
	}
	recording := `{"enabled":false}`
	if codec != "" {
		recording = fmt.Sprintf(`{"enabled":true,"outputs":[{"codec":%q,"layout":%q}]}`, codec, layout)
	}
	require.NoError(b, json.Unmarshal(post("/v1/calls", `{"from":"+442079460123","to":"+12025550143","recording":`+recording+`}`), &made))
	events := "/v1/calls/" + made.ID + "/events"
	now := time.Now().Add(-length)
	for i, e := range []struct {
		kind string
		at   time.Time
		more string
	}{
		{"ringing", now.Add(-5 * time.Second), ""},
		{"answered", now, ""},
		{"ended", now.Add(length), `,"legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]},{"name":"customer","segments":[{"uri":"customer.wav"}]}]`},
	} {
		if codec == "" {
			e.more = ""
		}
		post(events, fmt.Sprintf(`{"id":"%d","type":%q,"at":%q%s}`, i, e.kind, e.at.UTC().Format(time.RFC3339Nano), e.more))
	}
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
