package routing_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/trunk"
)

// answersRouter has one rule, whose tier is ordered as said, with n targets.
func answersRouter(b *testing.B, order routing.TierOrder, n int) *routing.Router {
	b.Helper()
	rs := &routing.RuleSet{Destinations: map[string]routing.DestinationSpec{}}
	t := routing.Tier{Order: order}
	for i := range n {
		id := fmt.Sprint("trunk-", i)
		d := routing.DestinationSpec{URI: "sip:" + id, Limits: &routing.Limits{Concurrent: 1000}}
		if order == routing.ByCost {
			d.Rates = id
			if rs.Rates == nil {
				rs.Currency, rs.Rates = "EUR", map[string][]routing.RateRow{}
			}
			rs.Rates[id] = answersDeck(10_000, uint64(i))
		}
		rs.Destinations[id] = d
		t.Targets = append(t.Targets, routing.Target{To: id})
	}
	rs.Rules = []routing.Rule{{ID: "x", Default: true, Route: []routing.Tier{t}}}
	r, err := routing.Compile(rs)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// answersDeck is a deck of one to nine digits, with two thousand prices.
func answersDeck(rows int, seed uint64) []routing.RateRow {
	rng := rand.New(rand.NewPCG(seed, 2))
	seen := map[string]bool{}
	list := make([]routing.RateRow, 0, rows)
	for len(list) < rows {
		prefix := fmt.Sprintf("+%d", 1+rng.IntN(9))
		for range 1 + rng.IntN(8) {
			prefix += fmt.Sprint(rng.IntN(10))
		}
		if !seen[prefix] {
			seen[prefix] = true
			list = append(list, routing.RateRow{Prefix: prefix, PerMinute: callmodel.Amount(1+rng.IntN(2000)) * 10_000, First: 30 * time.Second, Next: 6 * time.Second})
		}
	}
	return list
}

// answersCPU is the processor time that this process has taken: on a machine
// that others use too, the time on the wall says little.
func answersCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// answersReport adds the processor time of each round since begun.
func answersReport(b *testing.B, begun time.Duration) {
	b.Helper()
	b.ReportMetric(float64(answersCPU(b)-begun)/float64(b.N), "cpu-ns/op")
}

func answersCalls(n int) []calls.Request {
	rng := rand.New(rand.NewPCG(3, 4))
	callList := make([]calls.Request, n)
	for i := range callList {
		callList[i] = calls.Request{
			CallID: callmodel.CallID(fmt.Sprintf("c-%012x", rng.Uint64()>>16)), From: "+12025550123",
			To: fmt.Sprintf("+%d%09d", 1+rng.IntN(9), rng.IntN(1_000_000_000)), At: time.Unix(1_770_000_000, 0),
		}
	}
	return callList
}

// BenchmarkAnswer decides calls that one rule takes, so that most of the time
// goes into its answer.
func BenchmarkAnswer(b *testing.B) {
	callList := answersCalls(4096)
	for _, order := range []routing.TierOrder{routing.ByWeight, routing.ByCost, routing.ByQuality, routing.AsListed} {
		for _, n := range []int{1, 2, 4, 16} {
			r := answersRouter(b, order, n)
			for _, live := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/targets=%d/live=%v", order, n, live), func(b *testing.B) {
					var state routing.Live
					if live {
						g := trunk.New(nil)
						g.Configure(r.Endpoints())
						state = g
					}
					var d calls.Decision
					i := 0
					b.ReportAllocs()
					begun := answersCPU(b)
					for b.Loop() {
						if err := r.RouteLive(&callList[i%len(callList)], state, &d); err != nil {
							b.Fatal(err)
						}
						i++
					}
					answersReport(b, begun)
				})
			}
		}
	}
}

// BenchmarkRateLookup finds rates for random numbers.
func BenchmarkRateLookup(b *testing.B) {
	calls := answersCalls(1 << 16)
	for _, rows := range []int{1000, 50_000, 1_000_000} {
		t, err := routing.NewRateTable("EUR", answersDeck(rows, 1))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint("rows=", rows), func(b *testing.B) {
			i, found := 0, 0
			b.ReportAllocs()
			begun := answersCPU(b)
			for b.Loop() {
				c := &calls[i%len(calls)]
				if _, ok := t.Lookup(c.To, c.At); ok {
					found++
				}
				i++
			}
			answersReport(b, begun)
			b.ReportMetric(float64(found)/float64(i), "found")
		})
	}
}

// BenchmarkRateTable compiles a deck.
func BenchmarkRateTable(b *testing.B) {
	rows := answersDeck(1_000_000, 1)
	b.ReportAllocs()
	begun := answersCPU(b)
	for b.Loop() {
		if _, err := routing.NewRateTable("EUR", rows); err != nil {
			b.Fatal(err)
		}
	}
	answersReport(b, begun)
}

// BenchmarkTrunkReserve is what a call costs the limits, from its reservation
// to its end.
func BenchmarkTrunkReserve(b *testing.B) {
	g := trunk.New(nil)
	g.Configure(map[string]routing.Endpoint{"a": {Limits: routing.Limits{Concurrent: 1000, CPS: 1_000_000}}})
	b.ReportAllocs()
	begun := answersCPU(b)
	defer answersReport(b, begun)
	b.RunParallel(func(pb *testing.PB) {
		call := calls.Call{ID: callmodel.CallID(fmt.Sprint("c", rand.Uint64())), TenantID: "acme", State: calls.Ended}
		for pb.Next() {
			p, ok := g.Reserve("a")
			if !ok {
				b.Error("no place")
				return
			}
			p.Hold(trunk.Key{Tenant: call.TenantID, Call: call.ID})
			g.Observe(&call, nil)
		}
	})
}
