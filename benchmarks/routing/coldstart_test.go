package routing_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/snapshot"
)

// nowhere is a database that is down: none of its methods is there to be called
// but those that a start without it may try.
type nowhere struct{ callservice.Stores }

func (nowhere) RuleSetState(context.Context, callmodel.TenantID) (rulesets.State, error) {
	return rulesets.State{}, callmodel.Errorf(callmodel.CodeUnavailable, "it is down")
}

// BenchmarkColdStart is from an empty process to the first decision by a set in
// the snapshot, without a database: reading the file, checking it, compiling,
// and checking that what was compiled is what was written.
func BenchmarkColdStart(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			path, to := keptRules(b, n)
			heap() // what made the rules is not the start's
			b.ReportAllocs()
			before, ops := cpu(b), 0
			for b.Loop() {
				dir, err := snapshot.Open(path)
				require.NoError(b, err)
				s := callservice.New(nowhere{}, &callservice.Options{Snapshot: dir})
				require.NoError(b, s.LoadSnapshot(b.Context()))
				require.Equal(b, 1, s.RulesInService().FromSnapshot)
				ops++
			}
			b.ReportMetric((cpu(b)-before).Seconds()/float64(ops), "CPU-s/op")
			b.ReportMetric(float64(fileBytes(b, path))/float64(n), "file-B/rule")
			dir, err := snapshot.Open(path)
			require.NoError(b, err)
			tenants, _, err := dir.Load()
			require.NoError(b, err)
			_, err = tenants[0].Versions.Active.Route(&calls.Request{CallID: "c", To: to + "0000", At: time.Unix(1.77e9, 0)})
			require.NoError(b, err)
		})
	}
}

// keptRules is a directory with a set of n rules, and a prefix of one of them.
func keptRules(b *testing.B, n int) (path, prefix string) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "rules")
	dir, err := snapshot.Open(path)
	require.NoError(b, err)
	rs := rules(n)
	hash := rs.Hash()
	require.NoError(b, dir.SaveRules("acme", hash, rs))
	require.NoError(b, dir.SaveState(snapshot.State{Tenant: "acme", Active: hash, SavedAt: time.Unix(1.77e9, 0)}))
	return path, rs.Rules[0].Match.To.Prefix[0]
}

func fileBytes(b *testing.B, path string) (sum int64) {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(path, "acme", "*"))
	require.NoError(b, err)
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(b, err)
		sum += info.Size()
	}
	return sum
}

// BenchmarkSnapshotWrite is what a new version costs the snapshot.
func BenchmarkSnapshotWrite(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			rs := rules(n)
			b.ReportAllocs()
			before, ops := cpu(b), 0
			for b.Loop() {
				_, err := rs.MarshalBinary()
				require.NoError(b, err)
				ops++
			}
			b.ReportMetric((cpu(b)-before).Seconds()/float64(ops), "CPU-s/op")
		})
	}
}

// BenchmarkPick is what a canary costs each call.
func BenchmarkPick(b *testing.B) {
	s := newSubject(b, 1000)
	for _, canary := range []bool{false, true} {
		b.Run(fmt.Sprint("canary=", canary), func(b *testing.B) {
			var table routing.Table
			v := routing.Versions{Active: s.router, Share: 500, Salt: "0a1b2c3d"}
			if canary {
				v.Canary = s.router
			}
			table.Put("acme", v)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if r, _ := table.Pick("acme", callmodel.CallID(s.zipf[i%callCount].id)); r == nil {
					b.Fatal("none")
				}
				i++
			}
		})
	}
}
