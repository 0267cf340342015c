package routing_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/switchtape/switchtape/routing/lint"
)

// BenchmarkLint is the whole static check of a set that is in memory.
func BenchmarkLint(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			rs := rules(n)
			before := cpu(b)
			ops, found := 0, 0
			for b.Loop() {
				r := lint.Check(rs, &lint.Options{At: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)})
				ops++
				found = r.Warnings + r.Infos
			}
			b.ReportMetric((cpu(b)-before).Seconds()/float64(ops), "CPU-s/op")
			b.ReportMetric(float64(found), "findings")
		})
	}
}
