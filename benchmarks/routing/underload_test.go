package routing_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/switchtape/switchtape/benchmarks/internal/process"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// api is a running switchtape-api with a journal, a snapshot and a database of its own.
type api struct {
	*process.API

	made atomic.Int64
}

func startAPI(b *testing.B, bin, kind string) *api {
	b.Helper()
	dir := b.TempDir()
	db := calldb.SQLiteURL(filepath.Join(dir, "calls.db"))
	if kind == "postgres" {
		db = pgtest.URL(b)
	}
	return &api{API: process.Start(b, bin, "destinations: {a: {uri: \"sip:a\"}}\nrules: [{id: r, default: true, route: {to: a}}]\n",
		"--db", db, "--migrate", "--region", "DE", "--emergency", "sip:psap.example", "--journal", filepath.Join(dir, "journal"), "--rules-snapshot", filepath.Join(dir, "rules"))}
}

// calls are calls to create, by a caller to prefixes of the rules or to 112.
func (s *api) calls(emergency bool) vegeta.Targeter {
	return func(t *vegeta.Target) error {
		n := s.made.Add(1)
		to := fmt.Sprintf("+%d", firstNumber+n%100_000*7)
		if emergency {
			to = "112"
		}
		t.Method, t.URL = http.MethodPost, s.URL+"/v1/calls"
		t.Body = fmt.Appendf(nil, `{"from":"+4930460%03d","to":%q}`, n%1000, to)
		t.Header = http.Header{"Content-Type": {"application/json"}}
		return nil
	}
}

// lanes are how long calls of the two lanes took, in milliseconds, and how many failed.
type lanes struct {
	emergency, low []float64
	failed         atomic.Int64
}

func (l *lanes) add(o *lanes) {
	l.emergency, l.low = append(l.emergency, o.emergency...), append(l.low, o.low...)
	l.failed.Add(o.failed.Load())
}

// until makes calls, 20 emergency calls and 100 others a second, until done is closed.
func (s *api) until(done <-chan struct{}, l *lanes) {
	var all sync.WaitGroup
	attack := func(emergency bool, rate int, took *[]float64) {
		a := vegeta.NewAttacker(vegeta.Workers(8), vegeta.Timeout(10*time.Second))
		all.Go(func() {
			<-done
			a.Stop()
		})
		all.Go(func() {
			for r := range a.Attack(s.calls(emergency), vegeta.Rate{Freq: rate, Per: time.Second}, 0, "") {
				*took = append(*took, float64(r.Latency.Microseconds())/1000)
				if r.Code != http.StatusCreated && r.Code != http.StatusOK {
					l.failed.Add(1)
				}
			}
		})
	}
	attack(true, 20, &l.emergency)
	attack(false, 100, &l.low)
	all.Wait()
}

// during makes calls while f runs.
func (s *api) during(b *testing.B, f func()) *lanes {
	b.Helper()
	done := make(chan struct{})
	var got lanes
	var all sync.WaitGroup
	all.Go(func() { s.until(done, &got) })
	f()
	close(done)
	all.Wait()
	require.Zero(b, got.failed.Load())
	return &got
}

// put puts a set in service, compressed as the command does it.
func (s *api) put(b *testing.B, body []byte) time.Duration {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPut, s.URL+"/v1/rules", bytes.NewReader(body))
	require.NoError(b, err)
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Content-Encoding", "gzip")
	began := time.Now()
	resp, err := http.DefaultClient.Do(req)
	require.NoError(b, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, resp.StatusCode, "%.400s", text)
	return time.Since(began)
}

// part is the value that so many of a thousand don't exceed.
func part(list []float64, of1000 int) float64 {
	slices.Sort(list)
	return list[min(len(list)-1, len(list)*of1000/1000)]
}

// BenchmarkPutUnderLoad puts sets of a million rules into a running switchtape-api
// while it takes calls, in turns with the same calls alone:
//
//	put-s                 until the answer: the set is stored and in service
//	peak-MB               of the process
//	emergency-p99-ms      of both, with and without
//	low-p99.9-ratio       of the low lane, with to without
func BenchmarkPutUnderLoad(b *testing.B) {
	dir := process.Build(b, "../..", "switchtape-api")
	n := fileRules
	if s, err := strconv.Atoi(os.Getenv("RULES")); err == nil {
		n = s
	}
	const turns = 3
	sets := make([][]byte, turns)
	for i := range sets {
		sets[i] = zipped(b, fmt.Sprintf("set-%d", i), n)
	}
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			s := startAPI(b, filepath.Join(dir, "switchtape-api"), kind)
			s.during(b, func() { time.Sleep(2 * time.Second) }) // warm
			var calm, putting lanes
			var took time.Duration
			for b.Loop() {
				for _, set := range sets {
					var one time.Duration
					with := s.during(b, func() { one = s.put(b, set) })
					without := s.during(b, func() { time.Sleep(max(one, time.Second)) })
					took += one
					putting.add(with)
					calm.add(without)
				}
			}
			peak, err := peakBytes(strconv.Itoa(s.Pid))
			require.NoError(b, err)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(took.Seconds()/turns/float64(b.N), "put-s")
			b.ReportMetric(float64(peak)/1e6, "peak-MB")
			b.ReportMetric(part(putting.emergency, 990), "emergency-p99-ms")
			b.ReportMetric(part(calm.emergency, 990), "calm-emergency-p99-ms")
			b.ReportMetric(part(putting.low, 999), "low-p99.9-ms")
			b.ReportMetric(part(calm.low, 999), "calm-low-p99.9-ms")
			b.ReportMetric(part(putting.low, 500), "low-p50-ms")
			b.ReportMetric(part(calm.low, 500), "calm-low-p50-ms")
		})
	}
}

func zipped(b *testing.B, name string, n int) []byte {
	b.Helper()
	var text bytes.Buffer
	z, err := gzip.NewWriterLevel(&text, gzip.BestSpeed)
	require.NoError(b, err)
	require.NoError(b, writeFile(z, "ndjson", name, n))
	require.NoError(b, z.Close())
	return text.Bytes()
}
