package lint_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/calendar"
	"github.com/switchtape/switchtape/routing/lint"
)

// A set asks for little besides the callee, so that all calls that it can tell
// apart are few enough to be put to the router one by one.

// dimension is one condition: how a rule asks for it, and the values that a
// call may have, of which one is always named by no rule.
type dimension struct {
	ask    func(d *rand.Rand, m *routing.Match)
	values int
	give   func(q *calls.Request, value int)
}

func pick[T any](d *rand.Rand, v ...T) T { return v[d.IntN(len(v))] }

// few is one or more of the values.
func few[T comparable](d *rand.Rand, v ...T) []T {
	d.Shuffle(len(v), func(i, j int) { v[i], v[j] = v[j], v[i] })
	return v[:1+d.IntN(len(v))]
}

func dimensions() []dimension {
	tenants := []callmodel.TenantID{"t0", "t1", "fresh"}
	types := calls.Types()
	ways := []calls.Direction{"", calls.Inbound, calls.Outbound, calls.Internal}
	urgent := []int{0, 4, 5, 9}
	callers := []string{"anonymous", "+44171", "+44", "+4917", "+33123456"}
	trunks := []string{"", "a", "b", "c"}
	plans := []map[string]string{nil, {"plan": "gold"}, {"plan": "tin"}, {"plan": "x"}}
	offers := [][]string{nil, {"opus"}, {"t38"}, {"opus", "t38"}, {"x"}}
	// Monday to Sunday, of which each has a minute within and without the hours, and
	// two dates that exceptions name; before, between and after the bounds.
	times := []string{
		"2026-03-02T09:00:00Z", "2026-03-02T20:00:00Z", "2026-03-07T09:00:00Z", "2026-03-07T20:00:00Z", "2026-03-09T09:00:00Z",
		"2026-06-01T09:00:00Z", "2026-06-06T20:00:00Z", "2025-12-01T09:00:00Z", "2025-12-07T20:00:00Z",
	}
	return []dimension{
		{func(d *rand.Rand, m *routing.Match) { m.Tenant = few(d, tenants[0], tenants[1]) }, 3, func(q *calls.Request, v int) { q.TenantID = tenants[v] }},
		{
			func(d *rand.Rand, m *routing.Match) { m.Type = few(d, calls.Types()...) }, 8,
			func(q *calls.Request, v int) { q.Type, q.Emergency = types[v/2], v%2 == 1 },
		},
		{func(d *rand.Rand, m *routing.Match) {
			m.Direction = few(d, calls.Inbound, calls.Outbound, calls.Internal)
		}, 4, func(q *calls.Request, v int) { q.Direction = ways[v] }},
		{func(d *rand.Rand, m *routing.Match) {
			m.CallPriority = pick(d, &routing.PriorityRange{Min: 0, Max: 4}, &routing.PriorityRange{Min: 5, Max: 9},
				&routing.PriorityRange{Min: 0, Max: 9}, &routing.PriorityRange{Min: 0, Max: 0})
		}, 4, func(q *calls.Request, v int) { q.Priority = urgent[v] }},
		{func(d *rand.Rand, m *routing.Match) {
			m.From.Prefix = few(d, "+44", "+4417", "+49", "+")
		}, 5, func(q *calls.Request, v int) { q.From = callers[v] }},
		{func(d *rand.Rand, m *routing.Match) { m.Trunk = few(d, "a", "b") }, 4, func(q *calls.Request, v int) { q.Trunk = trunks[v] }},
		{func(d *rand.Rand, m *routing.Match) {
			switch d.IntN(3) {
			case 0:
				m.MetadataPresent = []string{"plan"}
			case 1:
				m.MetadataAbsent = []string{"plan"}
			default:
				m.Metadata = map[string][]string{"plan": few(d, "gold", "tin")}
			}
		}, 4, func(q *calls.Request, v int) { q.Metadata = plans[v] }},
		{func(d *rand.Rand, m *routing.Match) {
			if d.IntN(2) == 0 {
				m.CapabilitiesAny = few(d, "opus", "t38")
			} else {
				m.CapabilitiesAll = few(d, "opus", "t38")
			}
		}, 5, func(q *calls.Request, v int) { q.Capabilities = offers[v] }},
		{func(d *rand.Rand, m *routing.Match) {
			if d.IntN(3) == 0 {
				m.ValidFrom = pick(d, "", "2026-01-01T00:00:00Z", "2026-05-01T00:00:00Z")
				m.ValidUntil = pick(d, "", "2026-05-01T00:00:00Z", "2027-01-01T00:00:00Z")
				if m.ValidFrom != m.ValidUntil {
					return
				}
				m.ValidFrom, m.ValidUntil = "", ""
			}
			m.When = &calendar.Windows{TimeZone: "UTC", Weekly: few(d, "mon-fri 08:00-18:00", "mon-fri 18:00-08:00", "sat,sun 00:00-24:00",
				"mon-sun 00:00-24:00")}
			if d.IntN(3) == 0 {
				m.When.Except = []string{"2026-03-09"}
			}
		}, len(times), func(q *calls.Request, v int) {
			q.At, _ = time.Parse(time.RFC3339, times[v])
		}},
		{func(d *rand.Rand, m *routing.Match) { m.Expr = pick(d, `trunk == "a"`, `trunk != ""`) }, 1, func(*calls.Request, int) {}},
	}
}

func callees() []string {
	list := []string{"+4930123", "+49301234", "+49401234", "+4931123", "+15551234", "urn:service:sos", "11", "12", "21", "2345", "1123"}
	for d := range 10 {
		list = append(list, fmt.Sprintf("11%d", d), fmt.Sprintf("110%d", d), fmt.Sprintf("110%d0", d))
	}
	return list
}

// tenBelow is the ten prefixes below one.
func tenBelow(p string) []string {
	list := make([]string, 10)
	for d := range list {
		list[d] = fmt.Sprintf("%s%d", p, d)
	}
	return list
}

func genSet(d *rand.Rand, use []dimension) *routing.RuleSet {
	rs := &routing.RuleSet{
		Order: pick(d, routing.PrefixFirst, routing.PriorityFirst), Destinations: map[string]routing.DestinationSpec{"x": {URI: "sip:x"}},
		Lists: map[string][]string{"l": {"+4930*", "11"}},
	}
	for i := range 2 + d.IntN(5) {
		r := routing.Rule{ID: fmt.Sprintf("r%d", i), Priority: d.IntN(4), Route: []routing.Tier{{Targets: []routing.Target{{To: "x"}}}}}
		m := &r.Match
		switch d.IntN(9) {
		case 0:
			r.Default = true
		case 1:
			m.To.Service = []string{routing.ServiceEmergency}
		case 2:
			m.To.Exact = few(d, "+4930123", "11", "112")
		case 3:
			m.To.Prefix = tenBelow(pick(d, "11", "110"))
			if d.IntN(2) == 0 {
				m.To.Exact = []string{"11", "110"}
			}
		case 4:
			m.To.List = []string{"l"}
		default:
			m.To.Prefix = few(d, "+", "+49", "+4930", "1", "11", "110")[:1]
		}
		for k := range use {
			if d.IntN(3) > 0 {
				use[k].ask(d, m)
			}
		}
		rs.Rules = append(rs.Rules, r)
	}
	return rs
}

// winners puts every call to the router and says which rules ever win.
func winners(router *routing.Router, use []dimension) map[string]bool {
	won := map[string]bool{}
	at, _ := time.Parse(time.RFC3339, "2026-03-02T09:00:00Z")
	var d calls.Decision
	var each func(q calls.Request, k int)
	each = func(q calls.Request, k int) {
		if k < len(use) {
			for v := range use[k].values {
				use[k].give(&q, v)
				each(q, k+1)
			}
			return
		}
		for _, q.To = range callees() {
			if router.RouteInto(&q, &d) == nil {
				won[d.Rule] = true
			}
			urgent := q
			urgent.Emergency = true
			if router.RouteInto(&urgent, &d) == nil {
				won[d.Rule] = true
			}
		}
	}
	for _, trunk := range []string{"", "a", "b"} { // for the expressions
		each(calls.Request{TenantID: "fresh", From: "+44171", Type: calls.TypeVoice, At: at, Trunk: trunk}, 0)
	}
	return won
}

// TestReachAgainstEveryCall holds what is said of rules against all calls: none
// that is reported ever wins, and nearly all that never win are reported.
func TestReachAgainstEveryCall(t *testing.T) {
	t.Parallel()
	sets := 5_000
	if raceEnabled || testing.Short() {
		sets = 1_000
	}
	if os.Getenv("SWITCHTAPE_LONG_TESTS") != "" {
		sets = 100_000
	}
	d := rand.New(rand.NewPCG(1, 2))
	all := dimensions()
	compiled, never, reported := 0, 0, 0
	for i := 0; compiled < sets; i++ {
		use := slices.Clone(all)
		d.Shuffle(len(use), func(i, j int) { use[i], use[j] = use[j], use[i] })
		use = use[:d.IntN(3)]
		rs := genSet(d, use)
		router, err := routing.Compile(rs)
		if err != nil {
			continue
		}
		compiled++
		won := winners(router, use)
		dead := map[string]lint.Code{}
		for _, f := range lint.Check(rs, nil).Findings {
			switch f.Code {
			case lint.Shadowed, lint.Duplicate, lint.Unreachable, lint.NeverOpen:
				dead[f.Rule] = f.Code
				if won[f.Rule] {
					t.Fatalf("set %d: rule %s wins calls and is reported: %+v\n%s", i, f.Rule, f, dump(rs))
				}
				require.True(t, f.Code == lint.NeverOpen || len(f.Rules) > 0, "%+v", f)
			default:
			}
		}
		for j := range rs.Rules {
			if id := rs.Rules[j].ID; !won[id] {
				never++
				if dead[id] != "" {
					reported++
				} else if os.Getenv("LINT_MISSED") != "" {
					t.Logf("set %d: rule %s never wins and is not reported\n%s", i, id, dump(rs))
				}
			}
		}
	}
	recall := float64(reported) / float64(never)
	t.Logf("%d sets: %d rules never win, %d of them are reported: %.2f %%", compiled, never, reported, 100*recall)
	require.Greater(t, never, sets/10, "too few sets have such rules")
	require.Greater(t, recall, 0.95)
}

func dump(rs *routing.RuleSet) string {
	out := string(rs.Order)
	for i := range rs.Rules {
		r := &rs.Rules[i]
		out += fmt.Sprintf("\n%s p=%d default=%v %+v", r.ID, r.Priority, r.Default, r.Match)
		if r.Match.When != nil {
			out += fmt.Sprintf(" when=%+v", *r.Match.When)
		}
		if r.Match.CallPriority != nil {
			out += fmt.Sprintf(" prio=%+v", *r.Match.CallPriority)
		}
	}
	return out
}
