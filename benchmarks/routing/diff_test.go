package routing_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callfile"
	"github.com/switchtape/switchtape/routing/diff"
)

// diffRules is how many rules the sets have whose decisions are compared.
const diffRules = 100_000

// twoSets are a set and the same with every hundredth rule routed elsewhere.
func twoSets(b *testing.B) (before, after *diff.Set, prefixes []string) {
	b.Helper()
	compiled := func(rs *routing.RuleSet) *diff.Set {
		router, err := routing.Compile(rs)
		require.NoError(b, err)
		s, err := diff.NewSet(rs, router)
		require.NoError(b, err)
		return s
	}
	rs := rules(diffRules)
	before, prefixes = compiled(rs), prefixesOf(rs)
	for i := 0; i < len(rs.Rules); i += 100 {
		rs.Rules[i].Route = rs.Rules[(i+1)%len(rs.Rules)].Route
	}
	return before, compiled(rs), prefixes
}

// recorded is a day of so many calls.
func recorded(prefixes []string, n int) []callfile.Call {
	drawn := callList(prefixes, tenantCount(diffRules), true)
	list := make([]callfile.Call, n)
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for i := range list {
		c := &drawn[i%len(drawn)]
		list[i] = callfile.Call{Line: i + 1, Length: time.Duration(i%600) * time.Second, Request: request(c)}
		list[i].CallID = callmodel.CallID(fmt.Sprintf("call-%08d", i))
		list[i].At = start.Add(time.Duration(i) * 24 * time.Hour / time.Duration(n))
	}
	return list
}

// BenchmarkDiff decides a day's calls by two sets and tells what changes.
func BenchmarkDiff(b *testing.B) {
	before, after, prefixes := twoSets(b)
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("calls=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			list := recorded(prefixes, n)
			used := cpu(b)
			ops, changed := 0, 0
			for b.Loop() {
				c := diff.New(before, after, nil)
				c.Calls(list)
				changed = c.Report().Changed
				ops++
			}
			b.ReportMetric((cpu(b)-used).Seconds()/float64(ops), "CPU-s/op")
			b.ReportMetric(float64(changed), "changed")
		})
	}
}

// BenchmarkDiffFile does so from the text of the calls.
func BenchmarkDiffFile(b *testing.B) {
	before, after, prefixes := twoSets(b)
	const n = 1_000_000
	var text bytes.Buffer
	for _, c := range recorded(prefixes, n) {
		fmt.Fprintf(&text, `{"tenant":%q,"call_id":%q,"from":%q,"to":%q,"type":"voice","direction":"outbound","priority":3,"at":%q,"duration_s":%g}`+"\n",
			c.TenantID, c.CallID, c.From, c.To, c.At.Format(time.RFC3339), c.Length.Seconds())
	}
	b.Run(fmt.Sprintf("calls=%d", n), func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(text.Len()))
		for b.Loop() {
			c := diff.New(before, after, nil)
			stats, err := callfile.Each(b.Context(), bytes.NewReader(text.Bytes()), &callfile.Options{Workers: c.Workers()}, c.Visit)
			require.NoError(b, err)
			require.Equal(b, n, stats.Calls)
			c.Report()
		}
	})
}
