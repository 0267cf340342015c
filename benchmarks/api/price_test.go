package api_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/switchtape/switchtape/benchmarks/internal/process"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// rules are those of the service: what a decision costs is measured in benchmarks/routing.
const rules = `
destinations: {berlin: {uri: "sip:berlin.example.com"}, world: {uri: "sip:world.example.com"}}
rules:
  - {id: germany, match: {to: {prefix: "+49"}}, route: [[{to: berlin}], [{to: world}]]}
  - {id: rest, default: true, route: [[{to: world}]]}
`

// programs are switchtape and switchtape-api of this tree, and of the revision in BEFORE.
func programs(b *testing.B) map[string]string {
	b.Helper()
	commands := []string{"switchtape", "switchtape-api"}
	built := map[string]string{"now": process.Build(b, "../..", commands...)}
	if before := os.Getenv("BEFORE"); before != "" {
		git := func(args ...string) {
			b.Helper()
			out, err := exec.CommandContext(b.Context(), "git", append([]string{"-C", "../..", "worktree"}, args...)...).CombinedOutput()
			require.NoError(b, err, "%s", out)
		}
		tree := filepath.Join(b.TempDir(), "tree")
		git("add", "--detach", tree, before)
		defer git("remove", "--force", tree)
		built["before"] = process.Build(b, tree, commands...)
	}
	return built
}

// service is a running switchtape-api with a database of its own.
type service struct{ *process.API }

func start(b *testing.B, bin string) *service {
	b.Helper()
	at := pgtest.URL(b)
	migrate(b, bin, at)
	return &service{process.Start(b, filepath.Join(bin, "switchtape-api"), rules, "--db", at)}
}

func migrate(b *testing.B, bin, at string) {
	b.Helper()
	out, err := exec.CommandContext(b.Context(), filepath.Join(bin, "switchtape"), "migrate", "up", "--db", at).CombinedOutput()
	require.NoError(b, err, "%s", out)
}

// cpu is what the process has used, in seconds, by proc(5): ticks of 10 ms.
func (s *service) cpu(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.Pid))
	require.NoError(b, err)
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	total := 0
	for _, f := range fields[11:13] { // utime and stime
		ticks, err := strconv.Atoi(f)
		require.NoError(b, err)
		total += ticks
	}
	return float64(total) / 100
}

// requests are calls to create, each another, with a key of its own if keyed.
func (s *service) requests(keyed bool) vegeta.Targeter {
	var made atomic.Int64
	run := time.Now().UnixNano()
	return func(t *vegeta.Target) error {
		n := made.Add(1)
		t.Method, t.URL = http.MethodPost, s.URL+"/v1/calls"
		t.Body = fmt.Appendf(nil, `{"from":"+442079460%03d","to":"+4930%06d"}`, n%1000, n%1_000_000)
		t.Header = http.Header{"Content-Type": {"application/json"}}
		if keyed {
			t.Header.Set("Idempotency-Key", fmt.Sprintf("k%d-%d", run, n))
		}
		return nil
	}
}

// tries are decisions that are explained, and not stored.
func (s *service) tries() vegeta.Targeter {
	var made atomic.Int64
	return func(t *vegeta.Target) error {
		n := made.Add(1)
		t.Method, t.URL = http.MethodGet, s.URL+fmt.Sprintf("/v1/route?from=%%2B442079460123&to=%%2B4930%06d", n%1_000_000)
		return nil
	}
}

// seconds is how long each measurement takes.
func seconds() time.Duration {
	n, err := strconv.Atoi(os.Getenv("SECONDS"))
	if err != nil {
		n = 5
	}
	return time.Duration(n) * time.Second
}

// attack sends requests at a rate, or without one as fast as 32 connections go.
func (s *service) attack(b *testing.B, requests vegeta.Targeter, rate int, took time.Duration) (m vegeta.Metrics, cpu float64) {
	b.Helper()
	workers := vegeta.MaxWorkers(1000)
	pace := vegeta.Rate{Freq: rate, Per: time.Second}
	if rate == 0 {
		workers = vegeta.MaxWorkers(32)
	}
	a := vegeta.NewAttacker(workers, vegeta.Workers(32), vegeta.Connections(1000), vegeta.KeepAlive(true), vegeta.Timeout(10*time.Second))
	began := s.cpu(b)
	for r := range a.Attack(requests, pace, took, "") {
		m.Add(r)
	}
	m.Close()
	return m, s.cpu(b) - began
}

// BenchmarkPrice is what a call costs the server, and how many it stores a second: now and
// at the revision in BEFORE, in turns.
func BenchmarkPrice(b *testing.B) {
	bins := programs(b)
	const rounds = 3
	for _, what := range []struct {
		name     string
		requests func(*service) vegeta.Targeter
	}{
		{"stored", func(s *service) vegeta.Targeter { return s.requests(false) }},
		{"stored with key", func(s *service) vegeta.Targeter { return s.requests(true) }},
		{"decided", (*service).tries},
	} {
		figures := map[string][3][]float64{}
		for range rounds {
			for _, when := range []string{"before", "now"} {
				if bins[when] == "" {
					continue
				}
				b.Run(what.name+"/"+when, func(b *testing.B) {
					s := start(b, bins[when])
					s.attack(b, what.requests(s), 0, time.Second) // warm
					b.ResetTimer()
					m, cpu := s.attack(b, what.requests(s), 0, seconds())
					b.StopTimer()
					require.InDelta(b, 1, m.Success, 0.001, "%v", m.Errors)
					f := figures[when]
					for i, v := range [3]float64{m.Throughput, cpu / float64(m.Requests) * 1e6, m.Latencies.P99.Seconds() * 1e3} {
						f[i] = append(f[i], v)
					}
					figures[when] = f
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(m.Throughput, "calls/s")
					b.ReportMetric(cpu/float64(m.Requests)*1e6, "server-µs/call")
					b.ReportMetric(m.Latencies.P99.Seconds()*1e3, "p99-ms")
				})
			}
		}
		for _, when := range []string{"before", "now"} {
			if f, ok := figures[when]; ok {
				b.Logf("%s, %s, median of %d: %.0f calls/s, %.0f µs of the server's CPU a call, p99 %.1f ms", what.name, when, rounds, median(f[0]), median(f[1]), median(f[2]))
			}
		}
	}
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// BenchmarkCapacity is the highest load at which fewer than 0.5 % of the calls fail and
// 95 % are answered within 1.25 times what it takes at 50 calls a second.
func BenchmarkCapacity(b *testing.B) {
	bins := programs(b)
	for _, when := range []string{"before", "now"} {
		if bins[when] == "" {
			continue
		}
		b.Run(when, func(b *testing.B) {
			s := start(b, bins[when])
			s.attack(b, s.requests(false), 200, 2*time.Second) // warm
			b.ResetTimer()
			idle, _ := s.attack(b, s.requests(false), 50, seconds())
			holds := func(rate int) bool {
				m, _ := s.attack(b, s.requests(false), rate, seconds())
				ok := m.Success > 0.995 && m.Latencies.P95 <= idle.Latencies.P95*5/4 && m.Throughput > 0.98*float64(rate)
				b.Logf("%d/s: %.2f %% answered, p95 %v of %v: %v", rate, 100*m.Success, m.Latencies.P95, idle.Latencies.P95, ok)
				return ok
			}
			low, high := 50, 100
			for high <= 20_000 && holds(high) {
				low, high = high, high*2
			}
			for high-low > low/10 {
				if mid := (low + high) / 2; holds(mid) {
					low = mid
				} else {
					high = mid
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(low), "calls/s")
			b.ReportMetric(idle.Latencies.P95.Seconds()*1e3, "idle-p95-ms")
		})
	}
}
