package routing_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/directory"
)

// crowd is a source of so many users of so many tenants: each with a mobile, an
// extension and a DID, preferences and two pairs of metadata. Callers of the calls that
// are benchmarked are among them.
type crowd struct {
	users, tenants int
	callers        []call
}

func (c crowd) UserChanges(_ context.Context, after int64, limit int) ([]users.Change, error) {
	list := make([]users.Change, 0, limit)
	for n := int(after); n < c.users && len(list) < limit; n++ {
		u := users.User{
			TenantID: tenant(n % c.tenants), ID: users.ID(fmt.Sprintf("user-%07d", n)), Name: "Somebody",
			Numbers: users.Numbers{
				Mobile: fmt.Sprintf("+4917%09d", n), Extension: fmt.Sprintf("%06d", n/c.tenants), DIDs: []string{fmt.Sprintf("+4930%08d", n)},
			},
			Preferences: users.Preferences{Region: "DE", Recording: users.RecordingModes()[n%3], DoNotDisturb: n%50 == 0},
			Metadata:    map[string]string{"plan": []string{"gold", "silver", "tin"}[n%3], "cost_center": fmt.Sprint(n % 500)},
		}
		if n < len(c.callers) {
			u.TenantID, u.Numbers.Mobile = c.callers[n].tenant, c.callers[n].from
		}
		u.Version = 1
		list = append(list, users.Change{Seq: int64(n) + 1, User: &u})
	}
	return list, nil
}

// loaded is a directory that has all of them, and the bytes of heap that each takes.
func (c crowd) loaded(b *testing.B) (d *directory.Directory, bytes float64, took time.Duration) {
	b.Helper()
	before := heap()
	d = directory.New(c, &directory.Options{Refresh: time.Hour})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- d.Run(ctx) }()
	for !d.State().Loaded {
		runtime.Gosched()
	}
	took = time.Since(began)
	cancel()
	require.NoError(b, <-done)
	return d, float64(heap()-before) / float64(c.users), took
}

// withUsers is the rules with a condition on the caller's user in every one that was for
// everybody's calls, which holds for every known user.
func withUsers(rs *routing.RuleSet) *routing.RuleSet {
	yes := true
	for i := range rs.Rules {
		m := &rs.Rules[i].Match
		if len(m.Tenant) == 0 {
			m.User = &routing.UserMatch{Exists: &yes, Region: []string{"AT", "DE"}, Metadata: map[string][]string{"plan": {"gold", "silver", "tin"}}}
		}
	}
	return rs
}

// BenchmarkUsers is the decision by rules without users, and by the same rules with a
// condition on the caller's user in nine of ten, in turns, beside a directory of a million:
//
//	ratio          of a decision that asks the user to one by rules that don't
//	lookup-ratio   the same with finding caller and callee in the directory
func BenchmarkUsers(b *testing.B) {
	const population = 1_000_000
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			s := newSubject(b, n)
			asking, err := routing.Compile(withUsers(rules(n)))
			require.NoError(b, err)
			d, size, load := crowd{population, tenantCount(n), s.zipf}.loaded(b)
			require.Equal(b, population, d.State().Users)
			facts := make([]*users.Facts, len(s.zipf))
			for i := range s.zipf {
				facts[i] = d.Find(s.zipf[i].tenant, s.zipf[i].from)
			}
			var spent [3]time.Duration
			var dec calls.Decision
			req := request(&s.zipf[0])
			const turn = 1 << 14
			ops := 0
			run := func(kind int, from int) {
				router := asking
				if kind == 0 {
					router = s.router
				}
				before := cpu(b)
				for i := range turn {
					at := (from + i) % callCount
					c := &s.zipf[at]
					req.TenantID, req.CallID, req.To, req.From = c.tenant, callmodel.CallID(c.id), c.to, c.from
					switch kind {
					case 0:
					case 1:
						req.User = facts[at]
					case 2:
						req.User, req.Callee = d.Find(c.tenant, c.from), d.Find(c.tenant, c.to)
					}
					if err := router.RouteInto(&req, &dec); err != nil && kind == 0 {
						b.Fatal(c.to, err)
					}
				}
				spent[kind] += cpu(b) - before
				req.User, req.Callee = nil, nil
			}
			b.ReportAllocs()
			for b.Loop() {
				for kind := range spent {
					run((kind+ops)%len(spent), ops*turn)
				}
				ops++
			}
			total := float64(ops) * turn
			b.ReportMetric(float64(spent[0])/total, "cpu-ns/decision")
			b.ReportMetric(float64(spent[1])/float64(spent[0]), "ratio")
			b.ReportMetric(float64(spent[2])/float64(spent[0]), "lookup-ratio")
			b.ReportMetric(size, "B/user")
			b.ReportMetric(load.Seconds(), "load-s")
		})
	}
}
