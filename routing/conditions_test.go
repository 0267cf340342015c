package routing_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

const conditional = `
name: conditional
lists:
  vip: ["+12125550100", "+4930*", "611"]
  blocked: "+1900*"
destinations:
  a: {uri: "sip:a.example.com"}
rules:
  - {id: sos, match: {to: {service: emergency}}, route: [[{to: a}]]}
  - {id: premium, priority: 9, match: {to: {list: [blocked]}}, route: [[{to: a}]]}
  - {id: vip, priority: 8, match: {to: {prefix: "+1"}, from: {list: vip}}, route: [[{to: a}]]}
  - {id: gold, priority: 7, match: {to: {prefix: "+1"}, metadata: {plan: [gold, platinum]}, metadata_absent: trial}, route: [[{to: a}]]}
  - {id: sited, priority: 6, match: {to: {prefix: "+1"}, metadata_present: site}, route: [[{to: a}]]}
  - {id: trunk, priority: 5, match: {to: {prefix: "+1"}, trunk: [t1, t2]}, route: [[{to: a}]]}
  - {id: codec, priority: 4, match: {to: {prefix: "+1"}, capabilities_any: [opus, G722], capabilities_all: srtp}, route: [[{to: a}]]}
  - {id: spring, priority: 3, match: {to: {prefix: "+1"}, valid_from: "2026-03-01T00:00:00Z", valid_until: "2026-06-01T00:00:00+02:00"}, route: [[{to: a}]]}
  - {id: word, priority: 2, match: {to: {prefix: "+1"}, expr: 'metadata["note"] contains "urgent" and priority >= 5'}, route: [[{to: a}]]}
  - {id: broken, priority: 1, match: {to: {prefix: "+1"}, expr: "10 % priority == 1"}, route: [[{to: a}]]}
  - {id: rest, default: true, route: [[{to: a}]]}
`

func TestConditions(t *testing.T) {
	t.Parallel()
	r := compile(t, conditional)
	summer := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	base := calls.Request{To: "+12025550123", From: "+442079460123", Type: "voice", Priority: 1, At: summer}
	for _, c := range []struct {
		rule string
		call func(q *calls.Request)
		why  map[string]string
	}{
		{"rest", func(q *calls.Request) { q.To = "+4420" }, map[string]string{"premium": "it takes calls to +1900…, not to +4420"}},
		{"sos", func(q *calls.Request) { q.Emergency = true }, map[string]string{"rest": "the emergency services rank before every number"}},
		{"sos", func(q *calls.Request) { q.Type, q.To = calls.TypeEmergency, "urn:service:sos" }, nil},
		{"premium", func(q *calls.Request) { q.To, q.From = "+19005550123", "611" }, map[string]string{"vip": "callee +1900… is longer than +1…"}},
		{"vip", func(q *calls.Request) { q.From = "+493012345" }, nil},
		{"vip", func(q *calls.Request) { q.From = "+12125550100" }, nil},
		{"gold", func(q *calls.Request) { q.Metadata = map[string]string{"plan": "platinum"} }, map[string]string{
			"vip": "the caller +442079460123 is not one of", "trunk": `the call came in by trunk "", not by t1, t2`,
			"sos":   "it takes calls to the emergency services",
			"sited": "the call's metadata has no site", "spring": "it is not valid any more",
			"codec":  "the call offers nothing, and it asks for all of srtp and one of G722, opus",
			"broken": "10 % priority", "word": "its expression is false", "premium": "it takes calls to +1900…",
		}},
		{"sited", func(q *calls.Request) {
			q.Metadata = map[string]string{"plan": "gold", "trial": "", "site": ""}
		}, map[string]string{"gold": "the call's metadata has trial, and it asks for calls without"}},
		{
			"sited", func(q *calls.Request) { q.Metadata = map[string]string{"plan": "iron", "site": "x"} },
			map[string]string{"gold": `the call's metadata has plan "iron", not gold, platinum`},
		},
		{"trunk", func(q *calls.Request) { q.Trunk = "t2" }, nil},
		{"codec", func(q *calls.Request) { q.Capabilities = []string{"PCMU", "srtp", "opus"} }, nil},
		{"spring", func(q *calls.Request) { q.At = rfc3339("2026-05-31T21:59:59Z") }, nil},
		{"word", func(q *calls.Request) { q.Priority, q.Metadata = 5, map[string]string{"note": "an urgent one"} }, nil},
		{"broken", func(q *calls.Request) { q.Priority = 3 }, nil},
		{"rest", func(q *calls.Request) { q.Priority = 0 }, map[string]string{"broken": "its expression failed: runtime error: integer divide by zero"}},
		{
			"rest", func(q *calls.Request) { q.Priority, q.At = 5, rfc3339("2026-02-28T23:59:59Z") },
			map[string]string{"spring": "it is not valid yet at 2026-02-28T23:59:59Z", "broken": "is false"},
		},
	} {
		req := base
		c.call(&req)
		d, err := r.Route(&req)
		require.NoError(t, err)
		assert.Equal(t, c.rule, d.Rule, "%+v", req)
		why := map[string]string{}
		for _, v := range r.Explain(&req).Considered {
			why[v.Rule] = v.Reason
		}
		assert.Len(t, why, 11)
		for rule, part := range c.why {
			assert.Contains(t, why[rule], part, "%s of %+v", rule, req)
		}
	}
	assert.Positive(t, r.ExprErrors())
}

func TestConditionFaultsWithTheirLines(t *testing.T) {
	t.Parallel()
	_, err := routing.Parse([]byte(`lists:
  empty: []
  odd: ["+12*12", "12a", "+0*"]
destinations: {a: {uri: "sip:a"}}
rules:
  - id: one
    match:
      to: {list: [vip], service: [emergency, police]}
      from: {list: nobody, service: emergency}
      trunk: ["a b"]
      capabilities_any: ["opus/48000"]
      metadata: {plan: [], "": x}
      metadata_absent: [plan]
      valid_from: yesterday
      valid_until: "2026-01-01"
      expr: "priority >"
    route: [[{to: a}]]
  - id: two
    match:
      to: {prefix: "+1"}
      valid_from: "2026-02-01T00:00:00Z"
      valid_until: "2026-02-01T01:00:00+01:00"
      when: {timezone: UTC, except: ["2026-13-01"], rrule: {rule: "FREQ=DAILY", start: "now", duration: 1h}}
    route: [[{to: a}]]
`))
	var fields callmodel.FieldErrors
	require.ErrorAs(t, err, &fields)
	got := map[string]string{}
	for _, f := range fields {
		got[fmt.Sprint(f.Line, " ", f.Path)] += f.Message
	}
	for where, part := range map[string]string{
		"2 lists.empty": "1 to", "3 lists.odd[0]": "neither", "3 lists.odd[1]": "neither", "3 lists.odd[2]": "+0",
		"8 rules[0].match.to.list[0]": `no list "vip"`, "8 rules[0].match.to.service[1]": "not a service class", "9 rules[0].match.from.list[0]": "no list",
		"9 rules[0].match.from.service[0]": "only callees", "10 rules[0].match.trunk[0]": "not a trunk id",
		"11 rules[0].match.capabilities_any[0]": "not a tag",
		"12 rules[0].match.metadata.plan":       "1 to", "12 rules[0].match.metadata.": "1 to 64 bytes", "13 rules[0].match.metadata_absent[0]": "never match",
		"14 rules[0].match.valid_from": "instant", "15 rules[0].match.valid_until": "instant", "16 rules[0].match.expr": "rule one: ",
		"22 rules[1].match.valid_until": "after valid_from", "23 rules[1].match.when.except[0]": "not a date", "23 rules[1].match.when.rrule[0]": "start",
	} {
		assert.Contains(t, got[where], part, where)
	}
	assert.Len(t, fields, 19, "%v", err)
}

func TestExpressionsAreBounded(t *testing.T) {
	t.Parallel()
	set := func(source string) *routing.RuleSet {
		return &routing.RuleSet{
			Destinations: destinations(),
			Rules:        []routing.Rule{{ID: "one", Default: true, Match: routing.Match{Expr: source}, Route: tiers([][]routing.Target{{{To: "x"}}}...)}},
		}
	}
	for _, source := range []string{
		"priority", `"x"`, "1 +", "nosuch == 1", `all(capabilities, # == "a")`, `capabilities | filter(# == "a") | len() > 0`, "len(1..1000000) > 1",
		"2 ** 62 > 1",
		`metadata["a"] matches metadata["b"]`, `repeat("x", 1000000) == ""`, `now().Year() > 2000`, "let x = 1; x == 1", `true; true`,
		strings.Repeat("(", 600) + "true", strings.Repeat("not ", 200) + "true", strings.Repeat(" ", 1025) + "true", `fromJSON("1") == 1`,
		`get(metadata, "x") == ""`, "$env == 1", "\x00",
	} {
		err := set(source).Validate()
		require.ErrorContains(t, err, "rules[0].match.expr: rule one: ", source)
	}
	for _, source := range []string{
		`len(to) > 3`, `lower(metadata["x"]) == "y"`, `to in ["+1", "+2"]`, `priority > 3 ? emergency : true`,
		`type == "voice" and direction != "inbound" and tenant == "t" and call_id == ""`,
	} {
		require.NoError(t, set(source).Validate(), source)
	}
}

// TestHashIsThatOfJSON: the fast way of writing a set gives the bytes that
// encoding/json does.
func TestHashIsThatOfJSON(t *testing.T) {
	t.Parallel()
	hash := func(rs *routing.RuleSet) string {
		all := *rs
		if all.Order == "" {
			all.Order = routing.PrefixFirst
		}
		b, err := json.Marshal(&all)
		require.NoError(t, err)
		sum := sha256.Sum256(b)
		return hex.EncodeToString(sum[:16])
	}
	seen := map[string]bool{}
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		rs := genRules(rng.IntN)
		rs.Rules[0].Route = tiers([][]routing.Target{{{To: "a<b\"é\u2028", Weight: 3}}, nil, {}}...)
		rs.Rules[len(rs.Rules)-1].ID = "\x00\xff"
		require.Equal(t, hash(rs), rs.Hash(), "%+v", rs)
		seen[rs.Hash()] = true
	}
	assert.Greater(t, len(seen), 1900)
	for _, rs := range []*routing.RuleSet{
		{},
		{Rules: []routing.Rule{}},
		{Name: "x", Rules: []routing.Rule{
			{},
			{Match: routing.Match{Trunk: []string{}}},
			{Match: routing.Match{To: routing.NumberMatch{Prefix: []string{}}}, Route: tiers([][]routing.Target{}...)},
		}},
	} {
		require.Equal(t, hash(rs), rs.Hash(), "%+v", rs)
	}
}

// TestSizeOfARule: what a router holds, all of it, for rules of one prefix each.
func TestSizeOfARule(t *testing.T) {
	rs := &routing.RuleSet{Destinations: destinations()}
	const rules = 100_000
	for i := range rules {
		r := routing.Rule{ID: fmt.Sprintf("rule-%d", i), Route: tiers([][]routing.Target{{{To: "x"}}}...)}
		r.Match.To.Prefix = []string{fmt.Sprintf("+1%d", 2_000_000+i*37)}
		if i%10 == 0 {
			r.Match.Tenant = []callmodel.TenantID{callmodel.TenantID(fmt.Sprintf("t%d", i%1000))}
		}
		rs.Rules = append(rs.Rules, r)
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	router, err := routing.Compile(rs)
	require.NoError(t, err)
	all := float64(heap()-before) / rules
	index := float64(router.Stats().IndexBytes) / rules
	runtime.KeepAlive(rs)
	t.Logf("%.1f B a rule, of which the index %.1f", all, index)
	assert.LessOrEqual(t, index, 36.0)
	assert.LessOrEqual(t, all, 120.0)
}

func TestGroupedDecisionsAllocateNothing(t *testing.T) {
	rs := &routing.RuleSet{Destinations: destinations()}
	for i := range 5000 {
		r := routing.Rule{ID: fmt.Sprintf("r%d", i), Default: true, Route: tiers([][]routing.Target{{{To: "x"}}}...)}
		r.Match.Tenant = []callmodel.TenantID{callmodel.TenantID(fmt.Sprintf("t%d", i))}
		r.Match.From.Exact = []string{fmt.Sprintf("+1202555%04d", i)}
		rs.Rules = append(rs.Rules, r)
	}
	router, err := routing.Compile(rs)
	require.NoError(t, err)
	var d calls.Decision
	req := calls.Request{At: noon, TenantID: "t4321", From: "+12025554321", To: "+493012345678"}
	require.NoError(t, router.RouteInto(&req, &d))
	assert.Equal(t, "r4321", d.Rule)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = router.RouteInto(&req, &d) }))
	req.From = "+12025554322"
	require.ErrorIs(t, router.RouteInto(&req, &d), routing.ErrNoRoute)
	x := router.Explain(&req)
	assert.Equal(t, 5000, x.OtherCallees)
}

// TestSwapsUnderLoad: every decision is of one set, while two take turns.
func TestSwapsUnderLoad(t *testing.T) {
	t.Parallel()
	var live routing.Table
	assert.Nil(t, live.Get(""))
	set := func(version string) *routing.Router {
		return compile(t, fmt.Sprintf(`{"name":%q,"destinations":{%q:{"uri":"sip:x"}},"rules":[{"id":%q,"default":true,"route":[[{"to":%q}]]}]}`,
			version, "d"+version, "r"+version, "d"+version))
	}
	one, two := set("1"), set("2")
	live.Set("", one)
	of := map[string]string{one.Hash(): "1", two.Hash(): "2"}
	// Each of them decides and swaps, so that there is a swap between the decisions
	// of the others however many processors there are.
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			var d calls.Decision
			req := calls.Request{At: noon, To: "+1"}
			for i := range 20_000 {
				if i%10 == n {
					live.Set("", []*routing.Router{one, two}[i/10%2])
				}
				if err := live.Get("").RouteInto(&req, &d); err != nil || d.Rule != "r"+of[d.RuleSet] || d.Destinations[0].ID != "d"+of[d.RuleSet] {
					t.Errorf("%v, %v", d, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestLongestPrefix(t *testing.T) {
	t.Parallel()
	r := compile(t, acme)
	for number, want := range map[string]int{"+12125550100": 12, "+12125550199": 5, "+1646": 5, "611": 3, "6112": 3, "+1": 0, "+": 0, "": 0, "urn:x": 0} {
		n, ok := r.LongestPrefix(number)
		assert.Equal(t, want, n, number)
		assert.Equal(t, want > 0, ok, number)
	}
	assert.Equal(t, routing.Stats{Rules: 5, Callees: 4, IndexBytes: r.Stats().IndexBytes}, r.Stats())
}
