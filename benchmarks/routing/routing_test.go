package routing_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

func sizes() []int {
	list := []int{1_000, 10_000, 100_000, 1_000_000}
	if os.Getenv("SWITCHTAPE_LONG_BENCH") != "" {
		list = append(list, 10_000_000)
	}
	return list
}

func bySize(b *testing.B, run func(b *testing.B, s *subject)) {
	b.Helper()
	var made once[*subject]
	for _, n := range sizes() {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			run(b, made.get(n, func() *subject { return newSubject(b, n) }))
		})
	}
}

// subject is a compiled set and the calls to put to it.
type subject struct {
	rules          int
	router         *routing.Router
	prefixes       []string
	zipf, uniform  []call
	allIn, inIndex float64 // bytes a rule
}

func newSubject(b *testing.B, n int) *subject {
	b.Helper()
	rs := rules(n)
	before := heap()
	router, err := routing.Compile(rs)
	require.NoError(b, err)
	s := &subject{rules: n, router: router, allIn: float64(heap()-before) / float64(n)}
	runtime.KeepAlive(rs)
	s.inIndex = float64(router.Stats().IndexBytes) / float64(n)
	s.prefixes = prefixesOf(rs)
	s.zipf, s.uniform = callList(s.prefixes, tenantCount(n), true), callList(s.prefixes, tenantCount(n), false)
	return s
}

// heap is what is alive, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// report adds the sizes, and the processor's time besides the clock's: on a
// machine that others use too, the clock counts them.
func (s *subject) report(b *testing.B, took time.Duration, ops int) {
	b.Helper()
	b.ReportMetric(float64(took.Nanoseconds())/float64(ops), "cpu-ns/op")
	b.ReportMetric(s.inIndex, "index-B/rule")
	b.ReportMetric(s.allIn, "B/rule")
}

func request(c *call) calls.Request {
	return calls.Request{
		TenantID: c.tenant, CallID: callmodel.CallID(c.id), To: c.to, From: c.from, Type: calls.TypeVoice,
		Direction: calls.Outbound, Priority: 3, At: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC),
	}
}

// BenchmarkDecision is a whole decision: the rule that wins and its
// destinations in order.
func BenchmarkDecision(b *testing.B) {
	bySize(b, func(b *testing.B, s *subject) {
		b.Helper()
		decide(b, s, s.zipf)
	})
}

// BenchmarkDecisionUniform is the worst case for caches: every prefix is called
// as often as any.
func BenchmarkDecisionUniform(b *testing.B) {
	bySize(b, func(b *testing.B, s *subject) {
		b.Helper()
		decide(b, s, s.uniform)
	})
}

func decide(b *testing.B, s *subject, callList []call) {
	b.Helper()
	b.ReportAllocs()
	var d calls.Decision
	req := request(&callList[0])
	i := 0
	before := cpu(b)
	for b.Loop() {
		c := &callList[i%callCount]
		i++
		req.TenantID, req.CallID, req.To, req.From = c.tenant, callmodel.CallID(c.id), c.to, c.from
		if err := s.router.RouteInto(&req, &d); err != nil {
			b.Fatal(c.to, err)
		}
	}
	s.report(b, cpu(b)-before, i)
}

// BenchmarkPrefix finds the longest prefix alone.
func BenchmarkPrefix(b *testing.B) {
	bySize(b, func(b *testing.B, s *subject) {
		b.Helper()
		prefix(b, s, s.zipf)
	})
}

// BenchmarkPrefixUniform does over calls to every prefix alike.
func BenchmarkPrefixUniform(b *testing.B) {
	bySize(b, func(b *testing.B, s *subject) {
		b.Helper()
		prefix(b, s, s.uniform)
	})
}

func prefix(b *testing.B, s *subject, calls []call) {
	b.Helper()
	b.ReportAllocs()
	i := 0
	before := cpu(b)
	for b.Loop() {
		c := &calls[i%callCount]
		i++
		if _, ok := s.router.LongestPrefix(c.to); !ok {
			b.Fatal(c.to)
		}
	}
	s.report(b, cpu(b)-before, i)
}

// BenchmarkExplain says of every candidate why it won or lost.
func BenchmarkExplain(b *testing.B) {
	bySize(b, func(b *testing.B, s *subject) {
		b.Helper()
		b.ReportAllocs()
		req := request(&s.zipf[0])
		i, verdicts := 0, 0
		for b.Loop() {
			c := &s.zipf[i%callCount]
			i++
			req.TenantID, req.CallID, req.To, req.From = c.tenant, callmodel.CallID(c.id), c.to, c.from
			verdicts += len(s.router.Explain(&req).Considered)
		}
		b.ReportMetric(float64(verdicts)/float64(i), "verdicts")
	})
}

// BenchmarkCompile checks and compiles a set that is in memory.
func BenchmarkCompile(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			rs := rules(n)
			before := cpu(b)
			ops := 0
			for b.Loop() {
				_, err := routing.Compile(rs)
				require.NoError(b, err)
				ops++
			}
			b.ReportMetric((cpu(b)-before).Seconds()/float64(ops), "CPU-s/op")
		})
	}
}

// BenchmarkReload is the time of a hundred decisions while another goroutine swaps
// two sets once a second, and while it doesn't: the 99.9th percentile of both,
// and their ratio, each over several turns of some seconds.
func BenchmarkReload(b *testing.B) {
	const n, turns, turn = 100_000, 3, 3 * time.Second
	one, two := newSubject(b, n), newSubject(b, n)
	var live routing.Table
	live.Set("", one.router)
	for b.Loop() {
		var calm, swapping []time.Duration
		for range turns {
			calm = append(calm, timed(b, &live, one.zipf, turn)...)
			stop := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				tick := time.NewTicker(time.Second)
				defer tick.Stop()
				other, next := one.router, two.router
				for {
					select {
					case <-stop:
						return
					case <-tick.C:
						live.Set("", next)
						other, next = next, other
					}
				}
			})
			swapping = append(swapping, timed(b, &live, one.zipf, turn)...)
			close(stop)
			wg.Wait()
		}
		still, moved := percentile(calm), percentile(swapping)
		b.ReportMetric(float64(still.Nanoseconds()), "calm-p99.9-ns")
		b.ReportMetric(float64(moved.Nanoseconds()), "swapping-p99.9-ns")
		b.ReportMetric(float64(moved)/float64(still), "ratio")
	}
}

// timed decides for that long, and returns how long each hundred decisions took.
func timed(b *testing.B, live *routing.Table, callList []call, long time.Duration) []time.Duration {
	b.Helper()
	var took []time.Duration
	var d calls.Decision
	req := request(&callList[0])
	for i, began := 0, time.Now(); time.Since(began) < long; {
		start := time.Now()
		for range 100 {
			c := &callList[i%callCount]
			i++
			req.TenantID, req.CallID, req.To, req.From = c.tenant, callmodel.CallID(c.id), c.to, c.from
			if err := live.Get("").RouteInto(&req, &d); err != nil {
				b.Fatal(err)
			}
		}
		took = append(took, time.Since(start))
	}
	return took
}

func percentile(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)*999/1000]
}
